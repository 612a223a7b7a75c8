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
  iss move --catalog postgresql://photos@db.example/photos
  iss move --catalog file
""",
)
@click.option(
    "--to",
    metavar="URL",
    help="Where to keep the embeddings: a vector database, milvus://HOST:PORT/NAME, or embedded,"
    " a file in the index folder.",
)
@click.option("--index", "kind", metavar="KIND", help="Kind of search index there.")
@click.option(
    "--catalog",
    metavar="URL",
    help="Where to keep the catalog: postgresql://USER@HOST/DATABASE, which other computers can"
    " join, or file, a file in the index folder.",
)
@options.index_dir
@options.wait
@options.as_json
def command(
    to: str | None,
    kind: str | None,
    catalog: str | None,
    index_dir: str,
    wait: float,
    as_json: bool,
) -> None:
    """Move the embeddings or the catalog to a database, or back.

    Embeddings can be moved to a vector database, the catalog to PostgreSQL. No picture is
    decoded. The copy is verified before the collection switches to it. If interrupted, run the
    command again: moving embeddings continues, moving the catalog starts over.
    """
    from image_similarity_search.collection import Collection

    if (to is None) == (catalog is None):
        raise click.UsageError("give either --to or --catalog")
    if kind is not None and to is None:
        raise click.UsageError("--index needs --to")
    with Collection.open(index_dir, wait=wait) as collection:
        with ProgressBar() as progress:
            if to is not None:
                collection.move(to, index=kind, progress=progress)
            if catalog is not None:
                collection.move_catalog(catalog, progress=progress)
        info = collection.info()
    if as_json:
        output.write_json(output.moved_as_json(info))
        return
    place = info.store if catalog is None else f"catalog {info.catalog or 'in the index folder'}"
    output.write(f"moved: {output.count(info.indexed, 'image')}, {place}")
