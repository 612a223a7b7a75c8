"""``iss tag``."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import click

from image_similarity_search.cli import options, output

if TYPE_CHECKING:
    from image_similarity_search.collection import Collection


@click.command(
    "tag",
    cls=options.WaitingCommand,
    epilog="""\b
Examples:
  iss tag add beach holiday/1.jpg holiday/2.jpg
  iss tag add family ~/Pictures/family
  iss tag remove beach --id 17
  iss tag list
  iss search boat.jpg --tag beach
  iss search boat.jpg --paths -0 | iss tag add boat -0 --files-from -
""",
)
@click.argument("action", type=click.Choice(["add", "remove", "list"]))
@click.argument("tag", required=False)
@click.argument("images", nargs=-1, type=click.Path(readable=False))
@click.option("--id", "ids", type=int, multiple=True, metavar="N", help="An image by its id.")
@options.files_from
@options.null
@options.index_dir
@options.wait
@options.as_json
def command(
    action: str,
    tag: str | None,
    images: tuple[str, ...],
    ids: tuple[int, ...],
    files_from: IO[bytes] | None,
    null: bool,
    index_dir: str,
    wait: float,
    as_json: bool,
) -> None:
    """Put a TAG to images or all images of a folder, take it away, or list all tags.

    Tags stay with an image when its file is moved, renamed or edited.
    """
    from image_similarity_search.collection import Collection

    paths = options.all_paths(images, files_from, null)
    if action == "list":
        if tag is not None or paths or ids:
            raise click.UsageError("'list' takes nothing: it lists all tags")
        with Collection.open(index_dir) as collection:
            _list(collection, as_json=as_json)
        return
    if tag is None or not (paths or ids):
        raise click.UsageError("say which tag, and to what: paths, --id N or --files-from FILE")
    with Collection.open(index_dir, wait=wait) as collection:
        change = collection.add_tags if action == "add" else collection.remove_tags
        count = change([*paths, *ids], tag)
    if as_json:
        output.write_json({"changed": count})
    else:
        output.write(f"changed {count:,}")


def _list(collection: Collection, *, as_json: bool) -> None:
    tags = collection.tags()
    if as_json:
        output.write_json({"tags": tags})
    for tag, count in tags.items() if not as_json else ():
        output.write(f"{count:>7,}  {tag}")
