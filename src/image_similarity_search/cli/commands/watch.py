"""``iss watch``."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import click

from image_similarity_search.addresses import is_address
from image_similarity_search.cli import exits, options, output
from image_similarity_search.cli.hooks import ran_well
from image_similarity_search.cli.progress import ProgressBar
from image_similarity_search.cli.quiet import codecs_silenced
from image_similarity_search.errors import CollectionNotFoundError
from image_similarity_search.reports import WatchEvent
from image_similarity_search.types import Metric

if TYPE_CHECKING:
    from image_similarity_search.collection import Collection
    from image_similarity_search.encoders.devices import Device
    from image_similarity_search.encoders.spec import EncoderSpec


@click.command(
    "watch",
    epilog="""\b
Examples:
  iss watch ~/Pictures
  iss watch ~/Pictures /media/camera --exclude '*.gif'
  iss watch /mnt/nas --poll --every 300
  iss watch ~/Pictures --json | while read -r line; do ...; done
""",
)
@click.argument("folders", nargs=-1, required=True, type=click.Path(readable=False))
@options.index_dir
@options.encoder
@options.metric
@options.device
@options.which_files
@options.time_limit
@click.option(
    "--poll",
    is_flag=True,
    help="Poll instead of waiting for change events (network drives send none).",
)
@click.option(
    "--every",
    type=options.Seconds(limit=False),
    metavar="SECONDS",
    help="Check all files at least every SECONDS [default: 3600; when polling: 60].",
)
@options.on_change
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
def command(
    folders: tuple[str, ...],
    index_dir: str,
    encoder: EncoderSpec | None,
    metric: Metric | None,
    device: Device | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    follow_symlinks: bool,
    all_files: bool,
    time_limit: float,
    poll: bool,
    every: float | None,
    on_change: str | None,
    as_json: bool,
) -> int:
    """Keep the collection up to date while FOLDERS change.

    It indexes FOLDERS once, then again whenever something changes in them, until it is
    interrupted. If a folder disappears, such as on an unplugged disk, its images are kept, and it
    is updated when it is back. Other programs can search at any time, and change the collection
    between two updates.
    """
    with (
        _opened(folders, index_dir, encoder, metric, device or "auto") as collection,
        codecs_silenced(),
        ProgressBar() as bars,
    ):
        if device:
            output.say_device(collection.encoder)
        try:
            for event in collection.watch(
                *folders,
                include=include,
                exclude=exclude,
                follow_symlinks=follow_symlinks,
                all_files=all_files,
                time_limit=time_limit,
                poll=poll,
                every=every,
                progress=bars,
            ):
                _tell(event, as_json)
                ran_well(on_change, event)
        except KeyboardInterrupt:
            output.say("interrupted; finished work is kept")
    return exits.INTERRUPTED


def _tell(event: WatchEvent, as_json: bool) -> None:
    if event.report:
        for folder in event.report.unreadable_folders:
            output.say(f"can't be read: {folder}")
        output.say(f"{event.folder}: {output.report_in_words(event.report)}")
    else:
        output.say(f"{event.reason}; its images are kept; waiting for it to come back")
    if as_json:
        output.write_text(json.dumps(output.event_as_json(event)))
        sys.stdout.flush()


def _opened(
    folders: tuple[str, ...],
    index_dir: str,
    encoder: EncoderSpec | None,
    metric: Metric | None,
    device: Device,
) -> Collection:
    """The collection; a new one if all the folders are there, for they may be misspelt."""
    from image_similarity_search.collection import Collection
    from image_similarity_search.collection.originals import check_folder

    missing = [path for path in folders if not (is_address(path) or os.path.isdir(path))]
    try:
        return Collection.open(
            index_dir, encoder=encoder, metric=metric, device=device, create=not missing
        )
    except CollectionNotFoundError:
        for folder in missing:
            check_folder(folder)
        raise
