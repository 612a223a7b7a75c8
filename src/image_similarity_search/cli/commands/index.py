"""``iss index``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from image_similarity_search.cli import exits, options, output
from image_similarity_search.cli.hooks import ran_well
from image_similarity_search.cli.progress import ProgressBar
from image_similarity_search.cli.quiet import codecs_silenced
from image_similarity_search.reports import SyncInterrupted, SyncReport, Tuning, WatchEvent
from image_similarity_search.types import Metric

if TYPE_CHECKING:
    from image_similarity_search.collection import Collection
    from image_similarity_search.encoders.devices import Device
    from image_similarity_search.encoders.spec import EncoderSpec


@click.command(
    "index",
    cls=options.WaitingCommand,
    epilog="""\b
Examples:
  iss index ~/Pictures
  iss index ~/Pictures --exclude 'thumbs' --exclude '*.gif'
  iss index products/ --index-dir products.index --model resnet50 --metric l2
  iss index s3://bucket/photos
  iss index scans/ --resize 448 --crop 448
""",
)
@click.argument("folder", type=click.Path(readable=False))
@options.index_dir
@options.encoder
@options.metric
@options.device
@click.option(
    "--index",
    "kind",
    metavar="KIND",
    help=f"Kind of search index [default: auto]: {options.KINDS}.",
)
@options.store
@options.catalog
@options.recall
@options.which_files
@click.option("--retry-skipped", is_flag=True, help="Retry files that failed before.")
@options.time_limit
@click.option(
    "--thumbnails/--no-thumbnails",
    default=None,
    help="Whether a new collection stores thumbnails [default: --thumbnails].",
)
@click.option(
    "--checksum", is_flag=True, help="Detect changes by content, not only by size and time."
)
@click.option(
    "--on",
    metavar="CLUSTER",
    help="Encode on a Ray cluster: ray://HOST:PORT, or ray for the cluster this computer belongs"
    " to.",
)
@options.on_change
@options.wait
@options.as_json
def command(
    folder: str,
    index_dir: str,
    encoder: EncoderSpec | None,
    metric: Metric | None,
    device: Device | None,
    kind: str | None,
    store: str | None,
    catalog: str | None,
    recall: float | Literal["default"] | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    follow_symlinks: bool,
    all_files: bool,
    retry_skipped: bool,
    time_limit: float,
    thumbnails: bool | None,
    checksum: bool,
    on: str | None,
    on_change: str | None,
    wait: float,
    as_json: bool,
) -> int:
    """Index the pictures in FOLDER, to make them searchable.

    Run it again to update the collection: only new and changed pictures are encoded, moved ones
    are recognised, deleted ones dropped. You can interrupt it at any time; the next run
    continues.

    FOLDER is a folder on this computer, a Parquet file with pictures, or in object storage:
    s3://bucket/folder (see docs/object-storage.md).
    """
    from image_similarity_search.collection import Collection
    from image_similarity_search.collection.originals import check_folder
    from image_similarity_search.collection.queries import checked_source
    from image_similarity_search.collection.tuning import checked_recall

    # what is wrong must not leave an empty collection behind
    check_folder(checked_source(folder))
    if isinstance(recall, float):
        checked_recall(recall)
    status = exits.OK
    with Collection.open(
        index_dir,
        encoder=encoder,
        metric=metric,
        index=kind,
        store=store,
        catalog=catalog,
        device=device or "auto",
        thumbnails=thumbnails,
        create=True,
        wait=wait,
    ) as collection:
        if device:
            output.say_device(collection.encoder)
        try:
            with codecs_silenced(), ProgressBar() as progress:
                report = collection.sync(
                    folder,
                    include=include,
                    exclude=exclude,
                    follow_symlinks=follow_symlinks,
                    all_files=all_files,
                    retry_skipped=retry_skipped,
                    time_limit=time_limit,
                    checksum=checksum,
                    on=on,
                    progress=progress,
                )
        except SyncInterrupted as interrupt:
            output.say("interrupted; finished work is kept, run the command again to continue")
            report, status = interrupt.report, exits.INTERRUPTED
        tuning = _tuned(collection, recall) if status == exits.OK else None
        found = bool(len(collection))
    if tuning:
        output.say(output.tuning_in_words(tuning, tuning.images))
    _tell(report, as_json, interrupted=status != exits.OK)
    if not found and not report.skipped and status == exits.OK:
        output.say(f"no pictures found in {folder}")
    return _told_on(on_change, folder, report, status)


def _told_on(on_change: str | None, folder: str, report: SyncReport, status: int) -> int:
    """The exit status, once the user's own command was run."""
    event = WatchEvent(folder, "synced", report=report)
    if status == exits.INTERRUPTED:
        ran_well(on_change, event, event="interrupted")
        return status
    return status if ran_well(on_change, event) else exits.FAILED


def _tuned(collection: Collection, recall: float | Literal["default"] | None) -> Tuning | None:
    """What was made of a recall that is asked for, if one is."""
    if recall == "default":
        collection.untune()
        return None
    return None if recall is None else collection.tune(recall)


def _tell(report: SyncReport, as_json: bool, *, interrupted: bool) -> None:
    for folder in report.unreadable_folders:
        output.say(f"can't be read: {folder}")
    if as_json:
        output.write_json(output.report_as_json(report, interrupted=interrupted))
        return
    output.write(output.report_in_words(report))
    if report.others:
        output.say(f"unsupported files ignored: {output.others_in_words(report)}")
    if report.skipped:
        output.say("'iss info --skipped' lists the skipped files and why")
