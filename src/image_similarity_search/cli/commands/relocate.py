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
@click.option(
    "--force", is_flag=True, help="Change the paths even if the files are missing at NEW."
)
@options.index_dir
@options.wait
@options.as_json
def command(old: str, new: str, force: bool, index_dir: str, wait: float, as_json: bool) -> None:
    """Record that the indexed folder OLD is now at NEW.

    Only paths in the collection change; no picture is read or encoded. Indexed folders below OLD
    are included.
    """
    from image_similarity_search.collection import Collection

    with Collection.open(index_dir, wait=wait) as collection:
        count = collection.relocate(old, new, force=force)
    if as_json:
        output.write_json({"relocated": count})
    else:
        output.write(f"relocated {count:,}")
