"""``iss remove``."""

from __future__ import annotations

from typing import IO

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
@click.argument("images", nargs=-1, type=click.Path(readable=False))
@click.option("--id", "ids", type=int, multiple=True, metavar="N", help="An image by its id.")
@options.files_from
@options.null
@options.index_dir
@options.wait
@options.as_json
def command(
    images: tuple[str, ...],
    ids: tuple[int, ...],
    files_from: IO[bytes] | None,
    null: bool,
    index_dir: str,
    wait: float,
    as_json: bool,
) -> None:
    """Forget images, or all images of a folder. The files themselves are not touched.

    Indexing their folder again finds them again; 'iss index --exclude' keeps them out.
    """
    from image_similarity_search.collection import Collection

    paths = options.all_paths(images, files_from, null)
    if not paths and not ids:
        raise click.UsageError("say which: paths, --id N or --files-from FILE")
    with Collection.open(index_dir, wait=wait) as collection:
        count = collection.remove(*paths, *ids)
    if as_json:
        output.write_json({"removed": count})
    else:
        output.write(f"removed {count:,}")
