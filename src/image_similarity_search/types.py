"""The plain values that pass between the layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, get_args

from image_similarity_search.errors import ConfigError

if TYPE_CHECKING:  # the command line's --help comes here, and needs no numpy
    import numpy as np
    from numpy.typing import NDArray

Metric = Literal["cosine", "l2", "l1", "ip"]
METRICS: tuple[Metric, ...] = get_args(Metric)

FloatArray: TypeAlias = "NDArray[np.float32]"
HalfArray: TypeAlias = "NDArray[np.float16]"
IdArray: TypeAlias = "NDArray[np.int64]"
PixelArray: TypeAlias = "NDArray[np.uint8]"

State = Literal["indexed", "skipped"]

ScoreWord = Literal["same-picture", "same-object", "same-kind"]
SCORE_WORDS: tuple[ScoreWord, ...] = get_args(ScoreWord)

Threshold: TypeAlias = "float | ScoreWord"
"""The least score of a hit, or a word for it, where the encoder's scores were measured."""

UNKNOWN_ENCODER = "unknown"
"""The name of the encoder of embeddings that nobody said of what made them."""

DEFAULT_TIME_LIMIT = 60.0
"""Seconds that reading a picture file, and then decoding it, may take."""
_ROUNDING = 1e-6  # of fractions that add up to one
_NARROWEST = 1e-6  # region: a pixel of a picture that is as wide as any can be


class Moment(NamedTuple):
    """A state of a catalog, which a store reflects.

    Attributes:
        generation: how many changes led there; 0 where there is nothing yet.
        mark: a number drawn at random with the last of them, since a catalog that was restored
            from a backup counts the same generations again; 0 where none was drawn.
    """

    generation: int = 0
    mark: int = 0


NEW = Moment()
"""That of a store that holds nothing yet."""


def number(value: object) -> float:
    """A number as a float; NaN of what is none (as True), or a whole number too large."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def checked_count(
    name: str, value: object, expected: str = "a number of images, at least 1", *, least: int = 1
) -> int:
    """The argument ``name`` as Python's own kind of whole number.

    Raises:
        ConfigError: it is none (neither is True), or less than ``least``.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ConfigError(name, value, expected)
    return int(value)


def checked_number(name: str, value: object, least: float, most: float, expected: str) -> float:
    """The argument ``name`` as Python's own kind of float.

    Raises:
        ConfigError: it is none (neither is True), less than ``least`` or more than ``most``.
    """
    plain = number(value)
    if not least <= plain <= most:
        raise ConfigError(name, value, expected)
    return plain


def checked_seconds(name: str, value: object, *, limit: bool = True) -> float:
    """The argument ``name`` as a time; of a ``limit``, ``math.inf`` means that there is none.

    Raises:
        ConfigError: it is no number, not more than 0, or without an end where it is no limit.
    """
    seconds = number(value)
    if not seconds > 0 or (seconds == math.inf and not limit):
        raise ConfigError(
            name, value, f"a {'' if limit else 'finite '}number of seconds, more than 0"
        )
    return seconds


_LARGEST_NS = 2**63 - 1  # what a catalog can hold: 2262-04-11, and as long before 1970


def storable_time(nanoseconds: int) -> int:
    """A time of a file as a catalog can hold it: one beyond is the last, or first, that it can."""
    if -_LARGEST_NS <= nanoseconds <= _LARGEST_NS:
        return nanoseconds
    return _LARGEST_NS if nanoseconds > 0 else -_LARGEST_NS


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """What the catalog knows of one image.

    Attributes:
        id: the image's number in this collection; never used twice.
        path: absolute path, or the address of an object; bytes that are no UTF-8 are kept as
            surrogates (``os.fsencode`` gives them back).
        size: bytes.
        mtime_ns: time of last change, nanoseconds since the epoch.
        content_hash: BLAKE2b-128 of the file's bytes in hex, or None where they couldn't be read,
            or an image was taken over whose file the next sync has to look at.
        width: pixels, as a person sees the picture (upright); None when skipped or not known.
        height: the same.
        state: ``indexed`` (has an embedding) or ``skipped`` (a bad file, remembered).
        reason: why it was skipped.
        metadata: whatever the user attached; of an object in storage, ``etag`` is its ETag.
    """

    id: int
    path: str
    size: int
    mtime_ns: int
    content_hash: str | None
    width: int | None
    height: int | None
    state: State
    reason: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Traits:
    """What a picture file says of itself, and its colours.

    Attributes:
        camera: maker and model, where the file says so.
        taken: when, in seconds since 1970 by the camera's clock, whose time zone is not known.
        latitude: degrees north; None where the place is not known.
        longitude: degrees east.
        colours: those that a quarter or more of the picture is of, in words, the most first.
    """

    camera: str | None = None
    taken: int | None = None
    latitude: float | None = None
    longitude: float | None = None
    colours: tuple[str, ...] = ()


NO_TRAITS = Traits()
"""Of a file that says nothing."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer to a search.

    ``distance`` is in the collection's metric, smaller is more alike; ``score`` is
    ``1 / (1 + distance)``, 1.0 for an identical picture (for the metric ``ip``: the inner
    product itself, with ``distance`` its negative). ``folded`` are images that are copies of this
    one, where a search was to fold them.
    """

    image: ImageRecord
    distance: float
    score: float
    folded: tuple[ImageRecord, ...] = ()

    @property
    def id(self) -> int:
        """The image's id."""
        return self.image.id

    @property
    def path(self) -> str:
        """The image's absolute path."""
        return self.image.path


@dataclass(frozen=True, slots=True)
class Text:
    """Words to search by, instead of a picture, where the collection's model understands them."""

    words: str


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a picture, in fractions of its width and height as a person sees it (upright).

    Attributes:
        x: the left edge, 0.0 to 1.0.
        y: the upper edge.
        w: the width, a millionth at least; ``x + w`` is at most 1.
        h: the height, likewise.

    Raises:
        ConfigError: it is no part of a picture.
    """

    x: float
    y: float
    w: float
    h: float

    def __post_init__(self) -> None:
        x, y, w, h = map(number, (self.x, self.y, self.w, self.h))
        for start, size in ((x, w), (y, h)):
            if not (0 <= start < 1 and _NARROWEST <= size < 2 and start + size <= 1 + _ROUNDING):
                raise ConfigError(
                    "region",
                    (self.x, self.y, self.w, self.h),
                    "fractions x, y, w, h of a picture, with x + w and y + h at most 1, and w and h"
                    " at least a millionth",
                )
        for name, value in zip("xywh", (x, y, w, h), strict=True):
            object.__setattr__(self, name, value)  # other processes take no numbers of NumPy

    def box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Left, upper, right and lower edge in a picture of so many pixels; one pixel at least."""
        left = min(int(self.x * width), width - 1)
        upper = min(int(self.y * height), height - 1)
        right = max(left + 1, min(width, round((self.x + self.w) * width)))
        lower = max(upper + 1, min(height, round((self.y + self.h) * height)))
        return left, upper, right, lower


Phase = Literal[
    "scanning",
    "indexing",
    "reading EXIF",
    "taking over",
    "exporting",
    "importing",
    "moving",
    "thumbnails",
    "comparing",
    "looking",
    "comparing details",
    "measuring",
    "evaluating",
    "clustering",
    "laying out",
]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long job is: ``done`` of ``total`` images (None while still counting)."""

    phase: Phase
    done: int
    total: int | None


ProgressCallback: TypeAlias = Callable[[Progress], None]


def counted(progress: ProgressCallback | None, phase: Phase, total: int) -> Callable[[int], None]:
    """What tells of progress: it is called with how many images more are done."""
    done = 0

    def step(more: int) -> None:
        nonlocal done
        done = min(done + more, total)
        if progress:
            progress(Progress(phase, done, total))

    return step
