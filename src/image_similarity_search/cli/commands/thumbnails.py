"""``iss thumbnails``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from image_similarity_search.cli import options, output
from image_similarity_search.cli.away import folders_away, say_away
from image_similarity_search.cli.progress import ProgressBar
from image_similarity_search.cli.quiet import codecs_silenced

if TYPE_CHECKING:
    from image_similarity_search.reports import ThumbnailReport


@click.command(
    "thumbnails",
    cls=options.WaitingCommand,
    epilog="""\b
Examples:
  iss thumbnails
  iss thumbnails --rebuild
  iss thumbnails --off
""",
)
@click.option("--rebuild", is_flag=True, help="Recreate all thumbnails.")
@click.option("--prune", is_flag=True, help="Only remove thumbnails of images that are gone.")
@click.option("--on", is_flag=True, help="Turn thumbnails on and create them.")
@click.option("--off", is_flag=True, help="Delete all thumbnails and turn them off.")
@options.time_limit
@options.index_dir
@options.wait
@options.as_json
def command(time_limit: float, index_dir: str, wait: float, as_json: bool, **tasks: bool) -> None:
    """Create missing thumbnails.

    Thumbnails of images that are gone are removed. Indexing creates thumbnails; an imported
    collection has none at first.
    """
    task = _only_one(tasks)
    from image_similarity_search.collection import Collection
    from image_similarity_search.reports import ThumbnailReport

    with Collection.open(index_dir, wait=wait) as collection:
        if task in ("on", "off"):
            collection.keep_thumbnails(task == "on")
        if task == "prune":
            report = ThumbnailReport(removed=collection.prune_thumbnails())
        elif task == "off":
            report = ThumbnailReport()
        else:
            with codecs_silenced(), ProgressBar() as progress:
                report = collection.make_thumbnails(
                    rebuild=task == "rebuild", time_limit=time_limit, progress=progress
                )
        if report.failed:
            say_away(collection, folders_away(collection))
    if as_json:
        output.write_json(asdict(report))
    else:
        output.write(_in_words(task, report))


def _only_one(tasks: Mapping[str, bool]) -> str | None:
    """The task that was asked for, if any."""
    asked = [task for task, is_asked in tasks.items() if is_asked]
    if len(asked) > 1:
        raise click.UsageError(f"give only one of {' and '.join(f'--{task}' for task in asked)}")
    return asked[0] if asked else None


def _in_words(task: str | None, report: ThumbnailReport) -> str:
    if task == "off":
        return "thumbnails are off"
    if task == "prune":
        return f"removed {report.removed:,}"
    line = f"made {report.made:,}, kept {report.kept:,}, removed {report.removed:,}"
    failed = f", failed {report.failed:,}" if report.failed else ""
    megabytes = report.bytes_on_disk / 1e6
    return f"{line}{failed} in {report.seconds:.1f} s; {megabytes:.1f} MB on disk"
