"""``iss export``."""

from __future__ import annotations

import click

from image_similarity_search.cli import exits, options, output
from image_similarity_search.cli.progress import ProgressBar


@click.command(
    "export",
    epilog="""\b
Examples:
  iss export photos.parquet
  iss export photos.npy --index-dir photos.index --force
""",
)
@click.argument("target", type=click.Path())
@options.index_dir
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@options.as_json
def command(target: str, index_dir: str, force: bool, as_json: bool) -> int:
    """Export images, paths and embeddings to TARGET.

    TARGET is X.parquet, or X.npy with X.json next to it. Skipped files are left out. 'iss import'
    makes a collection from it again.
    """
    from image_similarity_search.collection.interchange.exporting import export_collection

    try:
        with ProgressBar() as progress:
            count = export_collection(index_dir, target, force=force, progress=progress)
    except KeyboardInterrupt:
        output.say("interrupted; nothing was written")
        return exits.INTERRUPTED
    if as_json:
        output.write_json({"exported": count})
    else:
        output.write(f"exported {count:,}")
    return exits.OK
