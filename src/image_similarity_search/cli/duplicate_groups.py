"""Groups of duplicates in words, as JSON and as a page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from image_similarity_search.cli import output
from image_similarity_search.duplicates import (
    GOES_ELSEWHERE,
    Deed,
    Duplicate,
    DuplicateGroup,
    DuplicateReport,
    Holdings,
)
from image_similarity_search.types import ImageRecord

if TYPE_CHECKING:
    from image_similarity_search.collection import Collection

_MOST_NAMED = 5  # files that were left for one reason
_KEPT = "kept"
_MOST_SHOWN = 1_000  # pictures of a page: 77 MB, which browsers still open


def tell(collection: Collection, groups: list[DuplicateGroup], *, preview: bool) -> None:
    """The groups for a person, on standard output."""
    from image_similarity_search.cli.previews import previews

    show = previews(collection, wanted=preview)
    for group in groups:
        show(group.keep)
        words = ", ".join([_looks(group.keep, group.sharpness), group.why])
        output.write(f"keep     {'':6}  {group.keep.path}  ({words})")
        for other in group.others:
            show(other.image)
            words = ", ".join(filter(None, [_words(other), _KEPT * _both_stay(group)]))
            output.write(f"{other.level:8} {_value(other):6}  {other.image.path}  ({words})")
        output.write("")


def sum_up(report: DuplicateReport) -> None:
    """How much could go, and how much can't be said of it, on standard error."""
    size = sum(other.image.size for other in _copies(report) if not other.lost)
    output.say(
        f"{_could_go(report, 'image')} ({output.size_in_words(size)}),"
        f" of {report.images:,} in {report.seconds:.1f} s"
    )
    if report.staying:
        output.say(_not_now(report))
    if report.similar:
        output.say(_stays(report, "image"))
    if report.unreadable:
        files = output.count(len(report.unreadable), "file")
        path, reason = next(iter(report.unreadable.items()))
        output.say(f"{files} could not be read to compare pixels, such as {path}: {reason}")
    if report.dismissed:
        output.say(f"{output.count(report.dismissed, 'pair')} left out as dismissed")
    if report.linked:
        files = output.count(report.linked, "more hard link")
        output.say(f"{files} to kept files not counted: they take no disk space")
    if report.unmeasured:
        images = output.count(report.unmeasured, "image")
        output.say(
            f"the sharpness of {images} was not compared (too many images): narrow the"
            " search, for example with --in FOLDER"
        )


def _could_go(report: DuplicateReport, kind: str) -> str:
    """How much of a kind of thing could go."""
    copies = _copies(report)
    going = [other for other in copies if not other.lost]
    words = [
        output.count(len(report.copies), "group"),
        f"{output.count(len(going), f'removable {kind}')}",
    ]
    if changed := sum(other.level == "near" for other in going):
        words.append(f"{changed:,} of them altered copies")
    if more := len(copies) - len(going):
        words.append(f"{output.count(more, kind)} with data the kept file does not have")
    return ", ".join(words)


def _copies(report: DuplicateReport) -> list[Duplicate]:
    return [other for group in report.copies for other in group.others]


def _not_now(report: DuplicateReport) -> str:
    """How many groups tell of copies of which nothing goes."""
    groups = output.count(len(report.staying), "more group")
    words = f"{groups} of copies that are kept for now"
    if any(_both_stay(group) for group in report.staying):
        words += "; run again after removing the others"
    return words


def _both_stay(group: DuplicateGroup) -> bool:
    """Whether a group is of copies that stay, since there are some that are more alike."""
    return not group.goes and group.level != "similar" and group.why != GOES_ELSEWHERE


def left_in_words(left: Sequence[Deed]) -> Iterator[str]:
    """What was left as it is, and why; of many for one reason the first, and how many."""
    by_problem: defaultdict[str, list[Deed]] = defaultdict(list)
    for deed in left:
        by_problem[deed.problem].append(deed)
    for problem, deeds in by_problem.items():
        if len(deeds) > _MOST_NAMED:
            files, path = output.count(len(deeds), "file"), deeds[0].path
            yield f"not changed: {files}, such as {path}: {problem}"
        else:
            yield from (f"not changed: {deed.path}: {problem}" for deed in deeds)


def _stays(report: DuplicateReport, kind: str) -> str:
    """How much of it only looks alike."""
    groups = output.count(len(report.similar), "group")
    others = sum(len(group.others) for group in report.similar)
    return f"{groups} of similar images that are not copies ({output.count(others, kind)}, kept)"


def _left_out(report: DuplicateReport, shown: int) -> str:
    """What a page does not show, where it shows so many pictures."""
    more = sum(1 + len(group.others) for group in report.groups) - shown
    return (
        f"{more:,} more pictures are left out; narrow the search, for example with --in FOLDER"
        if more
        else ""
    )


def _value(other: Duplicate) -> str:
    return f"{other.score if other.likeness is None else other.likeness:.4f}"


def _words(other: Duplicate) -> str:
    return f"{_pixels(other.image)}{_details(other)}"


def _details(other: Duplicate) -> str:
    """What is said of it beside its pixels."""
    details = _measured(other.image, other.sharpness)
    lost = f"the kept file lacks {', '.join(other.lost)}" if other.lost else ""
    return ", ".join(filter(None, [details, other.change, lost]))


def _looks(image: ImageRecord, sharpness: float | None) -> str:
    return f"{_pixels(image)}{_measured(image, sharpness)}"


def _held(holdings: Holdings, group: DuplicateGroup) -> str:
    """What a file holds beside pixels, as far as the files of its group differ in it."""
    files = [group.holdings, *(other.holdings for other in group.others)]
    words = {
        "taken": f"taken {holdings.taken}" if holdings.taken else "time taken unknown",
        "camera": holdings.camera or "camera unknown",
        "place": "place known" if holdings.place else "place unknown",
        "frames": output.count(holdings.frames, "frame"),
        "film": "with a video" if holdings.film else "no video",
        "raw": "RAW" if holdings.raw else "not RAW",
    }
    differing = [name for name in words if len({getattr(one, name) for one in files}) > 1]
    return "".join(f"; {words[name]}" for name in differing)


def _pixels(image: ImageRecord) -> str:
    by = "×"  # noqa: RUF001 - a sign of multiplication
    return f"{image.width} {by} {image.height}, " if image.width else ""


def _measured(image: ImageRecord, sharpness: float | None) -> str:
    measured = "" if sharpness is None else f", sharpness {sharpness:.4f}"
    return f"{image.size:,} bytes{measured}"


PAIRS: dict[str, type] = {
    "keep_id": int,
    "keep_path": str,
    "id": int,
    "path": str,
    "level": str,
    "score": float,
    "likeness": float,
    "change": str,
    "goes": str,
    "lost": str,
}
"""The columns of the table of all pairs that are told."""


def pairs_of(report: DuplicateReport) -> Iterator[tuple[Any, ...]]:
    """The rows of that table, in the order of the groups."""
    for group in report.groups:
        for one in group.others:
            how = one.level, one.score, one.likeness, one.change
            fate = "yes" if group.goes and not one.lost else "no", ", ".join(one.lost)
            yield group.keep.id, group.keep.path, one.image.id, one.image.path, *how, *fate


def report_as_json(report: DuplicateReport, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What was found, and by what it was ``asked`` for, as ``--json`` prints it."""
    return {
        "asked": asked,
        "groups": [
            {
                "level": group.level,
                "goes": group.goes,
                "keep": output.record_as_json(group.keep)
                | {
                    "why": group.why,
                    "sharpness": group.sharpness,
                    "holdings": asdict(group.holdings),
                },
                "others": [duplicate_as_json(other) for other in group.others],
            }
            for group in report.groups
        ],
        "images": report.images,
        "unreadable": report.unreadable,
        "dismissed": report.dismissed,
        "linked": report.linked,
        "unmeasured": report.unmeasured,
        "seconds": round(report.seconds, 3),
    }


def duplicate_as_json(other: Duplicate) -> dict[str, Any]:
    """An image beside the one to keep, as ``--json`` prints it."""
    return output.record_as_json(other.image) | {
        "level": other.level,
        "score": other.score,
        "likeness": other.likeness,
        "change": other.change,
        "sharpness": other.sharpness,
        "holdings": asdict(other.holdings),
        "lost": list(other.lost),
    }


def write_groups(file: str, report: DuplicateReport) -> None:
    """Write a page of the groups.

    Raises:
        ImageError: it can't be written.
    """
    from image_similarity_search.cli.gallery import GalleryQuery
    from image_similarity_search.cli.page import write_page
    from image_similarity_search.cli.thumbnails import thumbnail
    from image_similarity_search.types import Hit

    sections, left = [], _MOST_SHOWN
    for group in report.groups:
        shown = group.others[: max(0, left - 1)]
        if not shown:
            break
        left -= 1 + len(shown)
        hits = [
            Hit(one.image, 1 / one.score - 1 if one.score else 1.0, one.likeness or one.score)
            for one in shown
        ]
        looks = f"{_looks(group.keep, group.sharpness)}{_held(group.holdings, group)}"
        note = f"{group.level}; kept because of: {group.why}: {looks}"
        notes = [
            f"{other.level}: {_details(other)}{_held(other.holdings, group)}" for other in shown
        ]
        path = group.keep.path
        sections.append(
            GalleryQuery(path, hits, thumbnail(path), path, note, "Keep", _fate(group), notes)
        )
    summary = _could_go(report, "picture")
    if report.staying:
        summary += f"; {_not_now(report)}"
    if report.similar:
        summary += f"; {_stays(report, 'picture')}"
    if left_out := _left_out(report, _MOST_SHOWN - left):
        summary += f". {left_out}"
        output.say(f"the page is incomplete: {left_out}")
    write_page(file, sections, title="Duplicates", summary=summary, compact=True)
    output.say(f"page written to {file}")


def _fate(group: DuplicateGroup) -> str:
    """What is to become of the others of a group."""
    if group.goes:
        return "Removable"
    if group.level == "similar":
        return "Similar, not a copy: kept"
    return "Copy, kept for now" if _both_stay(group) else "Removable with another group"
