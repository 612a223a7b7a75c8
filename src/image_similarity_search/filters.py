"""Which images count: conditions on what the catalog knows of a file."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Literal, TypeAlias, get_args

from image_similarity_search.addresses import checked_address, is_address
from image_similarity_search.errors import ConfigError

Orientation = Literal["landscape", "portrait", "square"]
ORIENTATIONS: tuple[Orientation, ...] = get_args(Orientation)

Moment: TypeAlias = "datetime | date | str"
"""A point in time: an aware or local datetime, a day's begin, or either in ISO 8601."""

_DATES = "a date such as 2024-05-17 (2024-05, 2024), or with a time as in 2024-05-17T18:30"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_TAG = 100
_RANGES = ("width", "height", "aspect", "size")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Conditions that an image must meet, all of them; one that is None is none.

    Attributes:
        folder: the image lies in this folder or below it. Made absolute.
        name: a pattern of the file's name, as in a shell (``*``, ``?``, ``[abc]``), in any case.
        formats: picture formats such as ``jpeg`` or ``heic``, by the file's extension, in any
            case; one, or several of which one must be met.
        min_width: pixels, of the upright picture; the four of these include their bound.
        max_width: the same.
        min_height: the same.
        max_height: the same.
        orientation: ``landscape`` (wider than high), ``portrait`` or ``square``.
        min_aspect: width divided by height; both include their bound.
        max_aspect: the same.
        min_size: bytes of the file; both include their bound.
        max_size: the same.
        modified_after: when the file was last changed: at that moment or after it. Text is
            ISO 8601, of which a year or a month will do; without a time zone it is local time.
        modified_before: before that moment: ``2024-01-01`` leaves out that day.
        tags: words that the user put to images, in any case; one, or several which are all
            wanted.

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
    min_size: int | None = None
    max_size: int | None = None
    modified_after: Moment | None = None
    modified_before: Moment | None = None
    tags: str | Sequence[str] = ()

    def __post_init__(self) -> None:
        """Check every value, and bring it to one form."""
        self._set("folder", _folder(self.folder))
        if self.name is not None and not (isinstance(self.name, str) and self.name):
            raise ConfigError("name", self.name, "a pattern of a file's name, such as *.jpg")
        self._set("formats", _formats(self.formats))
        self._set("tags", normal_tags(self.tags))
        if self.orientation not in (None, *ORIENTATIONS):
            raise ConfigError("orientation", self.orientation, f"one of {', '.join(ORIENTATIONS)}")
        for what in _RANGES:
            self._check_range(what)
        for name in ("modified_after", "modified_before"):
            self._set(name, _moment(name, getattr(self, name)))
        after, before = self.after_ns, self.before_ns
        if after is not None and before is not None and after >= before:
            expected = f"a moment after modified_after, {self.modified_after}"
            raise ConfigError("modified_before", str(self.modified_before), expected)

    @property
    def after_ns(self) -> int | None:
        """``modified_after`` in nanoseconds since the epoch."""
        return _nanoseconds(self.modified_after)

    @property
    def before_ns(self) -> int | None:
        """``modified_before`` in nanoseconds since the epoch."""
        return _nanoseconds(self.modified_before)

    def _check_range(self, what: str) -> None:
        kinds = (int, float) if what == "aspect" else (int,)
        for bound in ("min", "max"):
            value = getattr(self, f"{bound}_{what}")
            number = isinstance(value, kinds) and not isinstance(value, bool) and value >= 0
            if value is not None and not number:
                expected = "a ratio" if what == "aspect" else "a whole number"
                raise ConfigError(f"{bound}_{what}", value, f"{expected}, 0 or more")
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
    return checked_address(path) if is_address(path) else os.path.abspath(path)


def _formats(formats: object) -> tuple[str, ...]:
    given = (formats,) if isinstance(formats, str) else formats
    if not isinstance(given, (list, tuple, set, frozenset)) or not all(
        isinstance(one, str) and one for one in given
    ):
        raise ConfigError("formats", formats, "names of picture formats, such as jpeg")
    return tuple(sorted({one.lower().removeprefix(".") for one in given}))


def normal_tags(tags: object) -> tuple[str, ...]:
    """Tags in the one form in which they are kept and compared, sorted.

    Raises:
        ConfigError: one of them is no text, empty, longer than 100 letters, or more than a line.
    """
    given = (tags,) if isinstance(tags, str) else tags
    if not isinstance(given, (list, tuple, set, frozenset)):
        raise ConfigError("tags", tags, "words, such as beach")
    return tuple(sorted({_normal_tag(tag) for tag in given}))


def _normal_tag(tag: object) -> str:
    # twice: a letter may fall apart when its case is folded
    plain = unicodedata.normalize("NFC", tag.casefold()) if isinstance(tag, str) else ""
    plain = " ".join(unicodedata.normalize("NFC", plain.casefold()).split())
    if not 0 < len(plain) <= _LONGEST_TAG or not plain.isprintable():
        raise ConfigError("tag", tag, f"a word or a few, of at most {_LONGEST_TAG} letters")
    return plain


def _moment(name: str, value: object) -> datetime | None:
    """The moment, in a time zone."""
    if value is None:
        return None
    try:
        if isinstance(value, str):
            whole = f"{value}-01-01"[: len("2024-01-01")] if len(value) in (4, 7) else value
            moment = datetime.fromisoformat(whole)
        elif isinstance(value, datetime):
            moment = value
        elif isinstance(value, date):
            moment = datetime.combine(value, time())
        else:
            raise ConfigError(name, value, _DATES)
        return moment if moment.tzinfo else moment.astimezone()
    except (ValueError, OverflowError, OSError) as error:  # years that no clock has
        raise ConfigError(name, value, _DATES) from error


def _nanoseconds(moment: object) -> int | None:
    if not isinstance(moment, datetime):
        return None
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000
