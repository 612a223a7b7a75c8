"""``iss relocate``."""

from __future__ import annotations

import click

from image_similarity_search.cli import options, output


@click.command(
    "relocate",
    cls=options.WaitingCommand,
    epilog="""\b
Examples:
  iss relocate /media/me/usb/photos /mnt/photos
  iss relocate ~/Pictures /srv/pictures
""",
)
@click.argument("old", type=click.Path(readable=False))
@click.argument("new", type=click.Path(readable=False))
@click.option("--force", is_flag=True, help="Do it though the files are not there.")
@options.index_dir
@options.wait
@options.as_json
def command(old: str, new: str, force: bool, index_dir: str, wait: float, as_json: bool) -> None:
    """Tell the collection that the folder OLD is at NEW now.

    OLD is an indexed folder. Nothing is read or encoded, only paths change. Indexed folders below
    OLD move along.
    """
    from image_similarity_search.collection import Collection

    with Collection.open(index_dir, wait=wait) as collection:
        count = collection.relocate(old, new, force=force)
    if as_json:
        output.write_json({"relocated": count})
    else:
        output.write(f"relocated {count:,}")
