"""``iss import``."""

from __future__ import annotations

import click

from image_similarity_search.cli import exits, options, output
from image_similarity_search.cli.progress import ProgressBar


@click.command(
    "import",
    epilog="""\b
Examples:
  iss import photos.parquet --index-dir photos.index
  iss import photos.npy --catalog postgresql://photos@db.example/photos
""",
)
@click.argument("file", type=click.Path())
@options.index_dir
@options.catalog
@options.as_json
def command(file: str, index_dir: str, catalog: str | None, as_json: bool) -> int:
    """Make a collection of FILE, which 'iss export' wrote.

    There must be none yet. It has the same ids and embeddings. No picture is encoded, and the model
    need not be there.
    """
    from image_similarity_search.collection.interchange.importing import import_collection

    try:
        with ProgressBar() as progress:
            count = import_collection(file, index_dir, catalog=catalog, progress=progress)
    except KeyboardInterrupt:
        output.say("interrupted; nothing was made, run it again")
        return exits.INTERRUPTED
    if as_json:
        output.write_json({"imported": count})
    else:
        output.write(f"imported {count:,}")
    return exits.OK
