"""What a camera wrote into a picture file: which it was, when, and where.

EXIF is anybody's bytes. What makes no sense in it counts as not there; nothing here raises.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from PIL import Image

from image_similarity_search.images.exif_table import values_in
from image_similarity_search.images.formats import SNIFF_BYTES, format_of
from image_similarity_search.types import NO_TRAITS, Traits

_MAKE, _MODEL, _DATE = 0x010F, 0x0110, 0x0132
_EXIF, _GPS = 0x8769, 0x8825  # where further tables are
_TIMES = _TAKEN, _DIGITIZED = 0x9003, 0x9004
_PARTS = _PARTS_TAKEN, _PARTS_DIGITIZED = 0x9291, 0x9292  # of a second
_PLACE = _LATITUDE_REF, _LATITUDE, _LONGITUDE_REF, _LONGITUDE = 1, 2, 3, 4
_LONGEST = 100  # letters of a camera's name
_MOMENT = re.compile(r"(\d{4})[:\-/](\d\d)[:\-/](\d\d)[ T](\d\d):(\d\d)(?::(\d\d))?")
_FIRST_PHOTOGRAPH = 1826


def exif_of(image: Image.Image) -> Traits:
    """What the EXIF of an opened image says; without its colours."""
    try:
        exif = Image.Image.getexif(image)  # that of a PNG decodes it, to look behind the pixels
        make, model, date = (exif.get(tag) for tag in (_MAKE, _MODEL, _DATE))
    except Exception:  # a broken block raises anything
        return NO_TRAITS
    detail, gps = values_in(exif, _EXIF, _TIMES), values_in(exif, _GPS, _PLACE)
    place = _place(gps)
    return Traits(
        camera=_camera(_text(make), _text(model)),
        taken=_moment(detail.get(_TAKEN), detail.get(_DIGITIZED), date),
        latitude=place[0] if place else None,
        longitude=place[1] if place else None,
    )


def moment_of(image: Image.Image) -> str | None:
    """When an opened image was taken, or else digitized, by its EXIF: ``2022-01-01 10:00:05.25``.

    With parts of a second, where the camera noted them. When it was changed last is no such time.
    """
    try:
        found = values_in(Image.Image.getexif(image), _EXIF, (*_TIMES, *_PARTS))
    except Exception:  # a broken block raises anything
        return None
    for tag, parts in zip(_TIMES, _PARTS, strict=True):
        seconds = _moment(found.get(tag))
        if seconds is not None:
            moment = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
            digits = _text(found.get(parts))
            return f"{moment}.{digits}" if digits.isdecimal() else moment
    return None


def read_exif(path: str) -> Traits:
    """The same of a file, of which no more is read than the format needs for it."""
    with suppress(Exception), open(path, "rb") as file:  # readers raise anything
        kind = format_of(file.read(SNIFF_BYTES))
        if kind is not None:
            file.seek(0)
            with kind.opened(file) as image:
                return exif_of(image)
    return NO_TRAITS


def _text(value: object) -> str:
    """A text on one line, without what fills it up."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    words = "".join(letter if letter.isprintable() else " " for letter in value.split("\0")[0])
    return " ".join(words.encode("utf-8", "replace").decode().split())[:_LONGEST]


def _camera(make: str, model: str) -> str | None:
    first = make.split(" ")[0].casefold()
    known = model.casefold().startswith(first)  # many models begin with who made them
    return (model if known else f"{make} {model}".strip())[:_LONGEST] or None


def _moment(*values: object) -> int | None:
    """The first that is a date, as seconds since 1970 by the camera's own clock."""
    for value in values:
        match = _MOMENT.match(_text(value))
        if match and int(match[1]) >= _FIRST_PHOTOGRAPH:
            with suppress(ValueError):  # no such day
                numbers = [int(number or 0) for number in match.groups()]
                year, month, day, hour, minute, second = numbers
                moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
                return int(moment.timestamp())
    return None


def _place(gps: dict[int, Any]) -> tuple[float, float] | None:
    latitude = _degrees(gps.get(_LATITUDE), gps.get(_LATITUDE_REF), "S", 90)
    longitude = _degrees(gps.get(_LONGITUDE), gps.get(_LONGITUDE_REF), "W", 180)
    if latitude is None or longitude is None or (latitude, longitude) == (0, 0):
        return None  # both 0: a camera that did not know
    return latitude, longitude


def _degrees(value: object, side: object, minus: str, most: float) -> float | None:
    try:
        parts = [float(part) for part in value]  # type: ignore[attr-defined]  # if it is none, it raises
        total = float(sum(part / 60.0**power for power, part in enumerate(parts[:3])))
    except Exception:  # no numbers, or fractions of nothing
        return None
    if not parts or not math.isfinite(total) or not 0 <= total <= most:
        return None
    return -total if _text(side).upper().startswith(minus) else total
