"""``iss rebuild``."""

from __future__ import annotations

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
""",
)
@click.option("--index", "kind", metavar="KIND", help=f"Change the kind of store: {options.KINDS}.")
@options.index_dir
@options.wait
def command(kind: str | None, index_dir: str, wait: float) -> None:
    """Make the store anew from the catalog. No picture is decoded."""
    from image_similarity_search.collection import Collection

    with Collection.open(index_dir, wait=wait) as collection:
        collection.rebuild(kind)
        info = collection.info()
    output.write(f"rebuilt: {info.indexed:,} images, {info.store}")
