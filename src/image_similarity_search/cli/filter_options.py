"""The options that say which images count, which a command gets as one argument ``where``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from image_similarity_search.cli.options import gathering, once
from image_similarity_search.filters import ORIENTATIONS, Filter

if TYPE_CHECKING:
    from image_similarity_search.collection import Collection

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]i?)?b?", re.IGNORECASE)


def _size(text: str) -> int:
    """A number of bytes, from text with a unit if need be."""
    match = _SIZE.fullmatch(text.strip())
    size = float(match[1]) * _UNITS[(match[2] or "").lower()] if match else math.inf
    if size == math.inf:
        raise click.BadParameter(f"{text!r} is not a size such as 500k, 2M or 1.5GiB")
    return int(size)


def _numbers(text: str) -> list[float]:
    """Numbers between commas."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a list of numbers such as 45,5,48,10") from None


def unknown_in(where: Filter | None, collection: Collection) -> Iterator[str]:
    """What of a filter no image has, with what there is instead."""
    if where is None:
        return
    tags = collection.tags()
    missing = [tag for tag in where.tags if tag not in tags]
    if missing:
        yield f"no image has the tag {', '.join(missing)}; {_known('tags', tags)}"
    if where.camera is not None:
        cameras, wanted = collection.cameras(), where.camera.casefold()
        if not any(wanted in name.casefold() for name in cameras):
            yield f"no camera name contains {where.camera}; {_known('cameras', cameras)}"


def _known(what: str, counts: dict[str, int]) -> str:
    """The names that count most, where there are any."""
    if not counts:
        return f"there are no {what} in the collection"
    names = sorted(counts, key=lambda name: -counts[name])
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"known {what}: {', '.join(names[:_NAMED])}{more}"


class _Renamed(click.Option):
    """An option that may also be given by its former name, which the help does not show."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """As click does, without the former name."""
        record = super().get_help_record(ctx)
        return record and (f"{self.opts[0]} {self.make_metavar(ctx)}", record[1])


_NAMED = 12
_PIXELS: dict[str, Any] = {"type": int, "metavar": "PIXELS"}
_OPTIONS = (
    click.option(
        "--in",
        "folder",
        multiple=True,
        callback=once("give their common parent folder, or run the command once for each"),
        metavar="FOLDER",
        type=click.Path(),
        help="Only images in FOLDER and below it.",
    ),
    click.option(
        "--name",
        metavar="PATTERN",
        help="Only file names that match PATTERN, such as 'IMG_*'; case is ignored.",
    ),
    click.option(
        "--format",
        "formats",
        multiple=True,
        metavar="NAME",
        help="Only this picture format: jpeg, png, heic ...; repeatable.",
    ),
    click.option("--min-width", **_PIXELS, help="At least PIXELS wide."),
    click.option("--max-width", **_PIXELS, help="At most PIXELS wide."),
    click.option("--min-height", **_PIXELS, help="At least PIXELS high."),
    click.option("--max-height", **_PIXELS, help="At most PIXELS high."),
    click.option(
        "--orientation",
        type=click.Choice(ORIENTATIONS),
        help="Only pictures in this orientation.",
    ),
    click.option(
        "--min-aspect",
        type=float,
        metavar="RATIO",
        help="Width divided by height is at least RATIO.",
    ),
    click.option(
        "--max-aspect",
        type=float,
        metavar="RATIO",
        help="Width divided by height is at most RATIO.",
    ),
    click.option(
        "--aspect",
        metavar="SHAPE",
        help="Only this shape: landscape, portrait, square, 3:2, 16:9, 1.5 ...",
    ),
    click.option(
        "--min-size",
        type=_size,
        metavar="SIZE",
        help="File size is at least SIZE, such as 500k or 2M.",
    ),
    click.option("--max-size", type=_size, metavar="SIZE", help="File size is at most SIZE."),
    click.option(
        "--modified-after",
        "--after",
        "modified_after",
        cls=_Renamed,
        metavar="DATE",
        help="File modified on or after DATE, such as 2024-05-17.",
    ),
    click.option(
        "--modified-before",
        "--before",
        "modified_before",
        cls=_Renamed,
        metavar="DATE",
        help="File last modified before DATE.",
    ),
    click.option(
        "--tag",
        "tags",
        multiple=True,
        metavar="TAG",
        help="Only images with TAG (see 'iss tag'); repeatable.",
    ),
    click.option("--camera", metavar="NAME", help="Camera name contains NAME."),
    click.option(
        "--taken-after", metavar="DATE", help="Taken on or after DATE, by the camera's clock."
    ),
    click.option(
        "--taken-before", metavar="DATE", help="Taken before DATE, by the camera's clock."
    ),
    click.option(
        "--gps-box",
        type=_numbers,
        metavar="S,W,N,E",
        help="Taken within this box: south, west, north, east in degrees.",
    ),
    click.option(
        "--colour",
        "colours",
        multiple=True,
        metavar="NAME",
        help="A quarter or more has this colour: red, blue ...; repeatable, all must match.",
    ),
)


def _filter(options: dict[str, Any]) -> Filter | None:
    said = {one.name: options.pop(one.name) for one in fields(Filter)}
    given = {name: value for name, value in said.items() if value not in (None, ())}
    return Filter(**given) if given else None


filtered = gathering("where", _filter, *_OPTIONS)
"""The options of a filter; ``where`` is None where none of them was given."""
