"""``iss remove``."""

from __future__ import annotations

import click

from image_similarity_search.cli import options, output


@click.command(
    "remove",
    cls=options.WaitingCommand,
    epilog="""\b
Examples:
  iss remove old.jpg
  iss remove ~/Pictures/screenshots
  iss remove --id 17 --id 18
""",
)
@options.which_images
@options.index_dir
@options.wait
@options.as_json
def command(images: list[str | int], index_dir: str, wait: float, as_json: bool) -> None:
    """Remove images or folders from the collection. No file is deleted.

    Indexing their folder again adds them again; use 'iss index --exclude' to keep them out.
    """
    from image_similarity_search.collection import Collection

    if not images:
        raise click.UsageError("no images given: name paths, --id N or --files-from FILE")
    with Collection.open(index_dir, wait=wait) as collection:
        count = collection.remove(*images)
    if as_json:
        output.write_json({"removed": count})
    else:
        output.write(f"removed {count:,}")
