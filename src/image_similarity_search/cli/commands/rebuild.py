"""``iss rebuild``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

import click

from image_similarity_search.cli import options, output


@click.command(
    "rebuild",
    cls=options.WaitingCommand,
    epilog="""\b
Examples:
  iss rebuild
  iss rebuild --index exact
  iss rebuild --index IVF1024,Flat
  iss rebuild --index ivf-rabitq --recall 0.99
  iss rebuild --recall default
""",
)
@click.option(
    "--index",
    "kind",
    metavar="KIND",
    help=f"New kind of search index [default: unchanged]: {options.KINDS}.",
)
@options.recall
@options.index_dir
@options.wait
@options.as_json
def command(
    kind: str | None,
    recall: float | Literal["default"] | None,
    index_dir: str,
    wait: float,
    as_json: bool,
) -> None:
    """Rebuild the search index from the catalog. No picture is decoded."""
    from image_similarity_search.collection import Collection

    with Collection.open(index_dir, wait=wait) as collection:
        if recall == "default":
            collection.untune()
        collection.rebuild(kind, recall=None if recall == "default" else recall)
        info = collection.info()
    if as_json:
        tuning = asdict(info.tuning) if info.tuning else None
        output.write_json(output.store_as_json(info) | {"tuning": tuning})
        return
    output.write(f"rebuilt: {output.count(info.indexed, 'image')}, {info.store}")
    if info.tuning:
        output.write(f"tuned: {output.tuning_in_words(info.tuning, info.indexed)}")
