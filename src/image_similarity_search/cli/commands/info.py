"""``iss info``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from image_similarity_search.cli import options, output

if TYPE_CHECKING:
    from image_similarity_search.collection import Collection
    from image_similarity_search.types import CollectionInfo


@click.command(
    "info",
    epilog="""\b
Examples:
  iss info
  iss info --skipped
  iss info --json
""",
)
@click.option("--skipped", is_flag=True, help="List the bad files, each with its reason.")
@options.index_dir
@options.as_json
def command(skipped: bool, index_dir: str, as_json: bool) -> None:
    """Say what the collection holds and how it was made."""
    from image_similarity_search.collection import Collection

    with Collection.open(index_dir) as collection:
        if skipped:
            _list_skipped(collection, as_json)
            return
        info = collection.info()
    if as_json:
        output.write_json(asdict(info))
        return
    for name, value in _in_words(info).items():
        output.write(f"{name + ':':<10} {value}")


def _list_skipped(collection: Collection, as_json: bool) -> None:
    if as_json:
        output.write_json([output.record_as_json(record) for record in collection.skipped()])
        return
    for record in collection.skipped():
        output.write(f"{record.path}: {record.reason}")


def _in_words(info: CollectionInfo) -> dict[str, str]:
    megabytes = (info.catalog_bytes / 1e6, info.store_bytes / 1e6)
    return {
        "collection": info.index_dir,
        "images": f"{info.indexed:,} indexed, {info.skipped:,} skipped",
        "folders": ", ".join(info.roots) or "none",
        "model": f"{info.encoder}, {info.dim} dimensions",
        "metric": info.metric,
        "store": info.store,
        "on disk": f"{megabytes[0]:.1f} MB catalog, {megabytes[1]:.1f} MB store",
    }
