"""``iss tag``."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
@options.which_images
@options.index_dir
@options.wait
@options.as_json
def command(
    action: str,
    tag: str | None,
    images: list[str | int],
    index_dir: str,
    wait: float,
    as_json: bool,
) -> None:
    """Add a TAG to images, remove it, or list all tags.

    A folder stands for all images in it. An image keeps its tags when its file is moved, renamed
    or edited, and gets them back when it is indexed again after it was removed.
    """
    from image_similarity_search.collection import Collection

    if action == "list":
        if tag is not None or images:
            raise click.UsageError("'list' takes no arguments: it lists all tags")
        with Collection.open(index_dir) as collection:
            _list(collection, as_json=as_json)
        return
    if tag is None or not images:
        raise click.UsageError("give a tag, and images: paths, --id N or --files-from FILE")
    with Collection.open(index_dir, wait=wait) as collection:
        change = collection.add_tags if action == "add" else collection.remove_tags
        count = change(images, tag)
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
