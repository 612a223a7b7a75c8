"""What a picture file holds beside the pixels of its first picture."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from typing import Any

from image_similarity_search.duplicates import Holdings
from image_similarity_search.images import tiff_tables
from image_similarity_search.images.exif import exif_of, moment_of
from image_similarity_search.images.formats import (
    SNIFF_BYTES,
    PictureFormat,
    format_of,
    is_raw_name,
)
from image_similarity_search.types import NO_TRAITS

_END = b"\xff\xd9"  # of a JPEG
_MARKER = re.compile(rb"\xff[^\0\xff\xd0-\xd8]")  # of a segment, or the end; not within pixels
_SAYS_MORE = re.compile(rb"MotionPhoto|MicroVideo|Container:Directory")  # in XMP
_PADDING = 4096
_MUCH = 10_000  # bytes behind a JPEG: less is a maker's notes
_FILM = b"ftyp"  # begins any MP4, four bytes in
_BITS = 8  # of a colour, as a rule
_PNG_BITS = 24  # the byte that says how many they are
_TIFF_BITS = 258  # the tag
_OF_A_FILM = (b"mpvd", b"moov")
_ALPHA = re.compile(r"auxid:1$|:alpha$")  # a plane that is seen


def holdings_of(data: bytes, name: str = "") -> Holdings:
    """What a file of these bytes holds; what makes no sense in it counts as not there.

    By its ``name`` alone a file may be RAW, too.
    """
    kind = format_of(data[:SNIFF_BYTES])
    if kind is None:
        return Holdings(raw=is_raw_name(name))
    raw = is_raw_name(name) or tiff_tables.holds_raw(kind, data)
    try:
        image = kind.opened(BytesIO(data))
        without = kind.name == "JPEG" and "exif" not in image.info  # which is quickly told
        traits, taken = (NO_TRAITS, None) if without else (exif_of(image), moment_of(image))
    except Exception:  # the codecs raise anything
        return Holdings(raw=raw)
    frames, film, more, deep = 1, 0, False, False
    with suppress(Exception):
        if kind.name == "JPEG":
            film, more = _behind_jpeg(data, image.info)
        elif tiff_tables.is_tiff(kind):
            frames = tiff_tables.pages_in(data)
        else:
            frames = max(1, int(getattr(image, "n_frames", 1)))
        if kind.name == "HEIF":
            film, more = _film_in(data), _has_more(image.info)
        deep = _bits(kind, data, image) > _BITS
    place = traits.latitude is not None
    return Holdings(raw, frames, film, more, taken, traits.camera, place, deep)


def _bits(kind: PictureFormat, data: bytes, image: Any) -> int:
    """How many bits a colour has in a file, where its format has a choice."""
    if kind.name == "PNG":
        return data[_PNG_BITS]
    if tiff_tables.is_tiff(kind):
        return int(max(image.tag_v2.get(_TIFF_BITS, (_BITS,))))
    return int(image.info.get("bit_depth", _BITS))


def _behind_jpeg(data: bytes, info: Mapping[Any, Any]) -> tuple[int, bool]:
    """The bytes of a film behind a JPEG, and whether there is much else: pictures, as a rule."""
    says_more = "mp" in info or _SAYS_MORE.search(info.get("xmp", b""))
    if not says_more and data[-_PADDING:].rstrip(b"\0").endswith(_END):
        return 0, False  # of most: so these need not be looked through
    end = _end_of_jpeg(data)
    behind = len(data[end:].strip(b"\0"))
    at = data.find(_FILM, end)
    return (len(data) - at + 4, False) if at >= 0 else (0, behind > _MUCH)


def _end_of_jpeg(data: bytes) -> int:
    at = 2
    while found := _MARKER.search(data, at):
        at = found.end()
        if found[0] == _END:
            return at
        at += int.from_bytes(data[at : at + 2])
    return len(data)


def _film_in(data: bytes) -> int:
    """The bytes of a film in a HEIF file, or behind it."""
    total = 0
    for number, (at, size, kind) in enumerate(_boxes(data)):
        if kind == _FILM and number:
            return total + len(data) - at
        total += size if kind in _OF_A_FILM else 0
    return total


def _boxes(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Where each box of the file itself is, how many bytes it has, and its kind."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">L4s", data, at)
        if size == 1 and at + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, at + 8)
        size = size if 8 <= size <= len(data) - at else len(data) - at
        yield at, size, kind
        at += size


def _has_more(info: Mapping[Any, Any]) -> bool:
    """Whether a HEIF file has other planes than are seen: depth, more light."""
    return bool(info.get("depth_images")) or any(
        not _ALPHA.search(str(kind)) for kind in info.get("aux", ())
    )
