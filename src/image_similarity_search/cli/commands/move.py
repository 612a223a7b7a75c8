"""``iss move``."""

from __future__ import annotations

import click

from image_similarity_search.cli import options, output
from image_similarity_search.cli.progress import ProgressBar


@click.command(
    "move",
    cls=options.WaitingCommand,
    epilog="""\b
Examples:
  iss move --to milvus://vectors.example:19530/photos
  iss move --to embedded
""",
)
@click.option(
    "--to",
    required=True,
    metavar="URL",
    help="An engine, milvus://HOST:PORT/NAME, or embedded: the file beside the catalog.",
)
@click.option("--index", "kind", metavar="KIND", help="The kind of index there.")
@options.index_dir
@options.wait
@options.as_json
def command(to: str, kind: str | None, index_dir: str, wait: float, as_json: bool) -> None:
    """Move the embeddings that are searched into an engine, or back. No picture is decoded.

    They are compared with the catalog before anything else is changed. Run again, it goes on
    where it was ended.
    """
    from image_similarity_search.collection import Collection

    with Collection.open(index_dir, wait=wait) as collection:
        with ProgressBar() as progress:
            collection.move(to, index=kind, progress=progress)
        info = collection.info()
    if as_json:
        output.write_json(output.store_as_json(info))
        return
    output.write(f"moved: {output.count(info.indexed, 'image')}, {info.store}")
