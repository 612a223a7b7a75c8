"""Which images count: conditions on what the catalog knows of a file."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Literal, TypeAlias, get_args

from image_similarity_search.addresses import address_of
from image_similarity_search.arguments import several
from image_similarity_search.errors import ConfigError
from image_similarity_search.types import checked_count, checked_number, number

Orientation = Literal["landscape", "portrait", "square"]
ORIENTATIONS: tuple[Orientation, ...] = get_args(Orientation)

Colour = Literal[
    "red",
    "orange",
    "yellow",
    "green",
    "cyan",
    "blue",
    "purple",
    "pink",
    "brown",
    "black",
    "white",
    "grey",
]
COLOURS: tuple[Colour, ...] = get_args(Colour)

Box: TypeAlias = tuple[float, float, float, float]
"""South, west, north and east, in degrees; west may be greater, where the date line is within."""

Moment: TypeAlias = "datetime | date | str"
"""A point in time: an aware or local datetime, a day's begin, or either in ISO 8601."""

_DATES = "a date such as 2024-05-17 (2024-05, 2024), or with a time as in 2024-05-17T18:30"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_TAG = 100
_TAG = f"text of 1 to {_LONGEST_TAG} characters"
_TOLERANCE = 0.02  # of a ratio: 3000 to 1996 is 3 to 2
_MOST = 1e9
_RATIO = re.compile(r"(\d+(?:\.\d+)?)(?::(\d+(?:\.\d+)?))?")
_RANGES = ("width", "height", "aspect", "size")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Conditions that an image must meet, all of them; one that is None is none.

    Attributes:
        folder: the image lies in this folder or below it. Made absolute.
        name: a shell pattern for the file name (``*``, ``?``, ``[abc]``); case is ignored.
        formats: picture formats such as ``jpeg`` or ``heic``, by the file's extension, in any
            case; one, or several, any of which may match.
        min_width: in pixels of the upright picture; the four size limits are inclusive.
        max_width: the same.
        min_height: the same.
        max_height: the same.
        orientation: ``landscape`` (wider than high), ``portrait`` or ``square``.
        min_aspect: width divided by height; both limits are inclusive.
        max_aspect: the same.
        aspect: the shape, as a word or a ratio (within 2 percent): ``landscape``, ``portrait``,
            ``square``, ``3:2``, ``1.5``.
        min_size: file size in bytes; both limits are inclusive.
        max_size: the same.
        modified_after: the file was last modified at that moment or later. Text is ISO 8601, also
            a year or a month only; without a time zone it is local time.
        modified_before: last modified before that moment: ``2024-01-01`` excludes that day.
        tags: tags of ``iss tag``, case-insensitive: one, or several, all of which an image must
            have.
        camera: part of the camera's maker and model; the case of ASCII letters is ignored.
        taken_after: taken at that moment or later, by the camera's clock. Like
            ``modified_after``, but without a time zone, since cameras record none.
        taken_before: taken before that moment.
        gps_box: taken within this box: south, west, north, east in degrees.
        colours: a quarter of the picture or more has this colour: one of ``COLOURS``, or several,
            all of which it must have.

    Raises:
        ConfigError: a value is none of these, or leaves no image possible.
    """

    folder: str | os.PathLike[str] | None = None
    name: str | None = None
    formats: str | Sequence[str] = ()
    min_width: int | None = None
    max_width: int | None = None
    min_height: int | None = None
    max_height: int | None = None
    orientation: Orientation | None = None
    min_aspect: float | None = None
    max_aspect: float | None = None
    aspect: str | float | None = None
    min_size: int | None = None
    max_size: int | None = None
    modified_after: Moment | None = None
    modified_before: Moment | None = None
    tags: str | Sequence[str] = ()
    camera: str | None = None
    taken_after: Moment | None = None
    taken_before: Moment | None = None
    gps_box: Box | Sequence[float] | None = None
    colours: str | Sequence[str] = ()

    def __post_init__(self) -> None:
        """Check every value, and bring it to one form."""
        self._set("folder", _folder(self.folder))
        if self.name is not None and not (isinstance(self.name, str) and self.name):
            raise ConfigError("name", self.name, "a file name pattern, such as *.jpg")
        self._set("formats", _formats(self.formats))
        self._set("tags", normal_tags(self.tags))
        if self.orientation not in (None, *ORIENTATIONS):
            raise ConfigError("orientation", self.orientation, f"one of {', '.join(ORIENTATIONS)}")
        self._set("aspect", _aspect(self.aspect))
        for what in _RANGES:
            self._check_range(what)
        for name in ("modified_after", "modified_before"):
            self._set(name, _moment(name, getattr(self, name)))
        for name in ("taken_after", "taken_before"):
            self._set(name, _camera_moment(name, getattr(self, name)))
        self._check_order("modified")
        self._check_order("taken")
        if self.camera is not None and not (isinstance(self.camera, str) and self.camera.strip()):
            raise ConfigError("camera", self.camera, "part of a camera's name, such as canon")
        self._set("gps_box", _box(self.gps_box))
        self._set("colours", _colours(self.colours))

    @property
    def after_ns(self) -> int | None:
        """``modified_after`` in nanoseconds since the epoch."""
        return _nanoseconds(self.modified_after)

    @property
    def before_ns(self) -> int | None:
        """``modified_before`` in nanoseconds since the epoch."""
        return _nanoseconds(self.modified_before)

    @property
    def aspect_bounds(self) -> tuple[float, float] | None:
        """The least and the most width to height of an ``aspect`` that is a ratio."""
        if not isinstance(self.aspect, float):
            return None
        return self.aspect * (1 - _TOLERANCE), self.aspect * (1 + _TOLERANCE)

    @property
    def taken_after_seconds(self) -> int | None:
        """``taken_after`` in seconds since 1970 by the camera's clock."""
        return _seconds(self.taken_after)

    @property
    def taken_before_seconds(self) -> int | None:
        """``taken_before`` in the same."""
        return _seconds(self.taken_before)

    @property
    def about_traits(self) -> bool:
        """Whether it asks for something that the file says of itself."""
        wanted = (self.camera, self.taken_after, self.taken_before, self.gps_box)
        return bool(self.colours) or any(value is not None for value in wanted)

    def _check_order(self, what: str) -> None:
        after, before = getattr(self, f"{what}_after"), getattr(self, f"{what}_before")
        if after is not None and before is not None and after >= before:
            expected = f"a moment after {what}_after, {after}"
            raise ConfigError(f"{what}_before", str(before), expected)

    def _check_range(self, what: str) -> None:
        for name in (f"min_{what}", f"max_{what}"):
            value = getattr(self, name)
            if value is not None and what != "aspect":
                expected = "a whole number, 0 or more"
                self._set(name, checked_count(name, value, expected, least=0))
            elif value is not None:
                expected = "a ratio, 0 or more"
                self._set(name, checked_number(name, value, 0, sys.float_info.max, expected))
        least, most = getattr(self, f"min_{what}"), getattr(self, f"max_{what}")
        if least is not None and most is not None and least > most:
            raise ConfigError(f"max_{what}", most, f"at least min_{what}, {least}")

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


def _folder(folder: object) -> str | None:
    if folder is None:
        return None
    path = os.fspath(folder) if isinstance(folder, (str, os.PathLike)) else folder
    if not isinstance(path, str) or not path or "\0" in path:
        raise ConfigError("folder", folder, "the path of a folder, as text")
    return address_of(path) or os.path.abspath(path)


def _formats(formats: object) -> tuple[str, ...]:
    expected = "names of picture formats, such as jpeg"
    given = several("formats", formats, str, expected)
    if "" in given:
        raise ConfigError("formats", "", expected)
    return tuple(sorted({one.lower().removeprefix(".") for one in given}))


def normal_tags(tags: object, name: str = "tags") -> tuple[str, ...]:
    """Tags in the one form in which they are kept and compared, sorted.

    ``name`` is that of the argument which they are.

    Raises:
        ConfigError: one of them is no text, empty, longer than 100 letters, or more than a line.
    """
    given = several(name, tags, str, _TAG)
    return tuple(sorted({_normal_tag(tag, name) for tag in given}))


def _normal_tag(tag: str, name: str) -> str:
    # twice: a letter may fall apart when its case is folded
    plain = unicodedata.normalize("NFC", tag.casefold())
    plain = " ".join(unicodedata.normalize("NFC", plain.casefold()).split())
    if not 0 < len(plain) <= _LONGEST_TAG or not plain.isprintable():
        raise ConfigError(name, tag, _TAG)
    return plain


def _moment(name: str, value: object) -> datetime | None:
    """The moment, in a time zone."""
    try:
        moment = _parsed(name, value)
        return moment if moment is None or moment.tzinfo else moment.astimezone()
    except (OverflowError, OSError, ValueError) as error:  # years that no clock has
        raise ConfigError(name, value, _DATES) from error


def _aspect(given: object) -> str | float | None:
    """A word for a shape, or width divided by height."""
    if given is None or given in ORIENTATIONS:
        return given
    match = _RATIO.fullmatch(given) if isinstance(given, str) else None
    ratio = float(match[1]) / float(match[2] or 1) if match and float(match[2] or 1) else given
    if 0 < number(ratio) < _MOST:
        return number(ratio)
    raise ConfigError("aspect", given, f"{', '.join(ORIENTATIONS)}, or a ratio such as 3:2 or 1.5")


def _camera_moment(name: str, value: object) -> datetime | None:
    """The moment by a camera's clock."""
    moment = _parsed(name, value)
    if moment is not None and moment.tzinfo is not None:
        raise ConfigError(name, str(value), "a time without a time zone: cameras record none")
    return moment


def _parsed(name: str, value: object) -> datetime | None:
    try:
        if isinstance(value, str):
            whole = f"{value}-01-01"[: len("2024-01-01")] if len(value) in (4, 7) else value
            return datetime.fromisoformat(whole)
    except ValueError as error:
        raise ConfigError(name, value, _DATES) from error
    if value is None or isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    raise ConfigError(name, value, _DATES)


def _box(given: object) -> Box | None:
    if given is None:
        return None
    numbers = [number(value) for value in given] if isinstance(given, (list, tuple)) else []
    if len(numbers) == 4:
        south, west, north, east = numbers
        if -90 <= south <= north <= 90 and all(-180 <= value <= 180 for value in (west, east)):
            return south, west, north, east
    expected = (
        "four numbers in degrees: south, west, north, east, such as 45.8,5.9,47.9,10.5;"
        " south at most north, latitudes from -90 to 90, longitudes from -180 to 180"
    )
    shown = ",".join(f"{value}" for value in given) if isinstance(given, (list, tuple)) else given
    said = f"{shown} is not a box on the earth; give {expected}"
    raise ConfigError("gps_box", given, expected, said)


def _colours(given: object) -> tuple[str, ...]:
    names = several("colours", given, str, f"some of {', '.join(COLOURS)}")
    for name in names:
        if name not in COLOURS:
            raise ConfigError("colours", name, f"one of {', '.join(COLOURS)}")
    return tuple(sorted(set(names)))


def _seconds(moment: object) -> int | None:
    if not isinstance(moment, datetime):
        return None
    since = moment - _EPOCH.replace(tzinfo=None)
    return since.days * 86_400 + since.seconds


def _nanoseconds(moment: object) -> int | None:
    if not isinstance(moment, datetime):
        return None
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000
