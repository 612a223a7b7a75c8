"""``iss duplicates``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import click

from image_similarity_search.cli import exits, options, output
from image_similarity_search.cli.filter_options import filtered
from image_similarity_search.cli.progress import ProgressBar
from image_similarity_search.cli.quiet import codecs_silenced
from image_similarity_search.duplicates import (
    DUPLICATE_ACTIONS,
    DUPLICATE_LEVELS,
    ActionReport,
    Deed,
    Duplicate,
    DuplicateAction,
    DuplicateGroup,
    DuplicateLevel,
    DuplicateReport,
)
from image_similarity_search.types import ImageRecord

if TYPE_CHECKING:
    from image_similarity_search.collection import Collection
    from image_similarity_search.filters import Filter


@click.command(
    "duplicates",
    cls=options.WaitingCommand,
    epilog="""\b
Examples:
  iss duplicates
  iss duplicates --level exact --json
  iss duplicates --in ~/Pictures/2024 --html duplicates.html
  iss duplicates --reference ~/Pictures/best
  iss duplicates --between ~/Pictures /media/camera
  iss duplicates --dismiss a.jpg --dismiss b.jpg
  iss duplicates --level same --action trash
  iss duplicates --level same --action trash --yes
  iss duplicates --undo
""",
)
@click.option(
    "--level",
    type=click.Choice(DUPLICATE_LEVELS),
    default="near",
    show_default=True,
    help="The least alike that counts.",
)
@click.option("--likeness", type=float, metavar="N", help="Of pixels, for near [default: 0.93].")
@click.option("--score", type=float, metavar="N", help="Of embeddings, for similar [default: 0.8].")
@click.option("--thorough", is_flag=True, help="Read all files: finds turned, tiny, blurred ones.")
@click.option(
    "--reference",
    "references",
    multiple=True,
    metavar="FOLDER",
    type=click.Path(),
    help="Images in FOLDER stay, and are not compared with one another.",
)
@click.option(
    "--between",
    nargs=2,
    metavar="FOLDER FOLDER",
    type=click.Path(),
    help="Compare one folder with another, and neither with itself.",
)
@filtered
@click.option(
    "--dismiss",
    "dismissed",
    multiple=True,
    metavar="IMAGE",
    type=click.Path(),
    help="Remember that these are no duplicates, given twice or more, and do nothing else.",
)
@click.option(
    "--action",
    type=click.Choice(["report", *DUPLICATE_ACTIONS]),
    default="report",
    show_default=True,
    help="What to do with files that could go; without --yes, say what would be done."
    " trash takes the extra [trash].",
)
@click.option("--to", metavar="FOLDER", type=click.Path(), help="Where --action move moves them.")
@click.option("--yes", is_flag=True, help="Do it.")
@click.option("--undo", is_flag=True, help="Undo the last --action, and do nothing else.")
@options.index_dir
@options.time_limit
@options.wait
@options.as_json
@click.option("--html", metavar="FILE", type=click.Path(), help="Write a page of the groups, too.")
@options.preview
def command(
    level: DuplicateLevel,
    likeness: float | None,
    score: float | None,
    thorough: bool,
    references: tuple[str, ...],
    between: tuple[str, str] | None,
    where: Filter | None,
    dismissed: tuple[str, ...],
    action: DuplicateAction | Literal["report"],
    to: str | None,
    yes: bool,
    undo: bool,
    index_dir: str,
    time_limit: float,
    wait: float,
    as_json: bool,
    html: str | None,
    preview: bool,
) -> int:
    """Find images that are the same, or nearly, and say which to keep.

    Without --yes nothing is changed. The first line of each group is the image to keep.
    """
    if action == "report" and (yes or to):
        raise click.UsageError("say with --action what to do")
    if (action == "move") != bool(to):
        raise click.UsageError("--action move needs --to FOLDER, and no other action does")
    from image_similarity_search.collection import Collection

    with Collection.open(index_dir, wait=wait) as collection, codecs_silenced():
        if dismissed:
            count = collection.dismiss_duplicates(*dismissed)
            if as_json:
                output.write_json({"remembered": count})
            output.say(f"{output.count(count, 'pair')} more remembered as no duplicates")
            return exits.OK
        if undo:
            status = _tell_of_deeds(collection.undo_duplicates(), as_json=as_json)
            output.say("'iss index' makes what is back searchable again")
            return status
        if action != "report":  # what it lacks is said before the long work
            collection.resolve_duplicates([], action, to=to)
        with ProgressBar() as progress:
            report = collection.duplicates(
                level,
                likeness=likeness,
                score=score,
                where=where,
                references=references,
                between=between,
                thorough=thorough,
                time_limit=time_limit,
                progress=progress,
            )
        if html:
            _write_page(html, report)
        if as_json and action == "report":
            output.write_json(report_as_json(report))
        elif not as_json:
            _tell(collection, report.groups, preview=preview)
        _sum_up(report)
        if action == "report":
            return exits.OK
        deeds = collection.resolve_duplicates(report.groups, action, to=to, dry_run=not yes)
    if as_json:
        output.write_json(report_as_json(report) | {"deeds": _deeds_as_json(deeds)})
    elif not yes:
        for deed in deeds.done:
            output.say(f"would {_in_words(deed, to)}")
    return _tell_of_deeds(deeds, as_json=False)


def _in_words(deed: Deed, to: str | None) -> str:
    """What is to be done with a file."""
    words = {
        "trash": f"put {deed.path} into the trash",
        "move": f"move {deed.path} to {to}",
        "delete": f"delete {deed.path}",
    }
    return words.get(deed.action, f"make {deed.path} a {deed.action} to {deed.kept}")


def _tell_of_deeds(report: ActionReport, *, as_json: bool) -> int:
    """What was done, or would be; the exit status."""
    if as_json:
        output.write_json({"deeds": _deeds_as_json(report)})
    for deed in report.left:
        output.say(f"left as it is: {deed.path}: {deed.problem}")
    size = sum(deed.size for deed in report.done)
    words = "would be done" if report.dry_run else "done"
    output.say(f"{words}: {output.count(len(report.done), 'file')} ({size / 1e6:,.1f} MB)")
    if report.dry_run:
        output.say("say --yes to do it")
    return exits.OK if report.dry_run or not report.left else exits.BAD_IMAGE


def _deeds_as_json(report: ActionReport) -> list[dict[str, Any]]:
    return [asdict(deed) | {"done": not (deed.problem or report.dry_run)} for deed in report.deeds]


def _tell(collection: Collection, groups: list[DuplicateGroup], *, preview: bool) -> None:
    """The groups for a person."""
    from image_similarity_search.cli.previews import previews

    show = previews(collection, wanted=preview)
    for group in groups:
        show(group.keep)
        output.write(f"keep     {'':6}  {group.keep.path}  ({_size(group.keep)}, {group.why})")
        for other in group.others:
            show(other.image)
            output.write(
                f"{other.level:8} {_value(other):6}  {other.image.path}  ({_words(other)})"
            )
        output.write("")


def _sum_up(report: DuplicateReport) -> None:
    others = sum(len(group.others) for group in report.groups)
    size = sum(other.image.size for group in report.groups for other in group.others)
    output.say(
        f"{output.count(len(report.groups), 'group')},"
        f" {output.count(others, 'image')} that could go ({size / 1e6:,.1f} MB),"
        f" of {report.images:,} in {report.seconds:.1f} s"
    )
    if report.unreadable:
        files = output.count(len(report.unreadable), "file")
        output.say(f"the pixels of {files} can't be compared")
    if report.dismissed:
        output.say(f"dismissed before: {output.count(report.dismissed, 'pair')}")


def _value(other: Duplicate) -> str:
    return f"{other.score if other.likeness is None else other.likeness:.4f}"


def _words(other: Duplicate) -> str:
    return ", ".join(part for part in (_size(other.image), other.change) if part)


def _size(image: ImageRecord) -> str:
    pixels = f"{image.width} x {image.height}, " if image.width else ""
    return f"{pixels}{image.size:,} bytes"


def report_as_json(report: DuplicateReport) -> dict[str, Any]:
    """What was found, as ``--json`` prints it."""
    return {
        "groups": [
            {
                "level": group.level,
                "keep": output.record_as_json(group.keep) | {"why": group.why},
                "others": [duplicate_as_json(other) for other in group.others],
            }
            for group in report.groups
        ],
        "images": report.images,
        "unreadable": report.unreadable,
        "dismissed": report.dismissed,
        "seconds": round(report.seconds, 3),
    }


def duplicate_as_json(other: Duplicate) -> dict[str, Any]:
    """An image that could go, as ``--json`` prints it."""
    return output.record_as_json(other.image) | {
        "level": other.level,
        "score": other.score,
        "likeness": other.likeness,
        "change": other.change,
    }


def _write_page(file: str, report: DuplicateReport) -> None:
    from image_similarity_search.cli.gallery import GalleryQuery
    from image_similarity_search.cli.page import write_page
    from image_similarity_search.cli.thumbnails import thumbnail
    from image_similarity_search.types import Hit

    sections = []
    for group in report.groups:
        hits = [
            Hit(one.image, 1 / one.score - 1 if one.score else 1.0, one.likeness or one.score)
            for one in group.others
        ]
        note = f"{group.level}; kept as {group.why}: {_size(group.keep)}"
        path = group.keep.path
        sections.append(
            GalleryQuery(path, hits, thumbnail(path), path, note, label="Keep", heading="Could go")
        )
    count = sum(len(group.others) for group in report.groups)
    summary = (
        f"{output.count(len(sections), 'group')}, {output.count(count, 'picture')} that could go"
    )
    write_page(file, sections, title="Duplicates", summary=summary)
    output.say(f"the page is in {file}")
