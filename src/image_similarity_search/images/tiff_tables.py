"""The tables of a TIFF file: how many pages it has, and whether it is a RAW file of a camera."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from image_similarity_search.images.formats import PictureFormat

_SUBFILE, _PHOTOMETRIC, _FURTHER, _DNG = 254, 262, 330, 50706
_WANTED = (_SUBFILE, _PHOTOMETRIC, _FURTHER, _DNG)
_REDUCED = 1  # a bit of ``_SUBFILE``: a smaller picture of another one in the file
_OF_A_SENSOR = (32803, 34892)  # values of ``_PHOTOMETRIC``: a mosaic of colours, and linear ones
_MOST = 1 << 16  # tables, and entries of one
_SHORT = 3


def is_tiff(kind: PictureFormat) -> bool:
    """Whether files of a format are made of such tables."""
    return kind.name in ("TIFF", "RAW")


def holds_raw(kind: PictureFormat, data: bytes) -> bool:
    """Whether a file of this format has what a sensor saw, and what is read of it is a preview."""
    return kind.name == "RAW" or (is_tiff(kind) and _has_sensor_data(data))


def _has_sensor_data(data: bytes) -> bool:
    for number, table in enumerate(_tables(data)):
        preview = number == 0 and table.get(_SUBFILE, 0) & _REDUCED and _FURTHER in table
        if preview or _DNG in table or table.get(_PHOTOMETRIC) in _OF_A_SENSOR:
            return True
    return False


def pages_in(data: bytes) -> int:
    """How many pages a TIFF file has, without smaller pictures of them."""
    return sum(not table.get(_SUBFILE, 0) & _REDUCED for table in _tables(data)) or 1


def _tables(data: bytes) -> Iterator[dict[int, int]]:
    """The wanted tags of each table of the chain, those of one number with their value.

    It ends where the chain makes no sense, or comes back to where it was.
    """
    order = "<" if data[:1] == b"I" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    number, entry, offset = (
        struct.Struct(order + layout)
        for layout in (("Q", "HHQQ", "Q") if big else ("H", "HHLL", "L"))
    )
    met: set[int] = set()
    try:
        (at,) = offset.unpack_from(data, 8 if big else 4)
        while at and at not in met and len(met) < _MOST:
            met.add(at)
            (count,) = number.unpack_from(data, at)
            at += number.size
            table: dict[int, int] = {}
            for start in range(at, at + min(count, _MOST) * entry.size, entry.size):
                tag, kind, _, value = entry.unpack_from(data, start)
                if tag in _WANTED:
                    short = struct.unpack_from(f"{order}H", data, start + entry.size - offset.size)
                    table[tag] = short[0] if kind == _SHORT else value
            yield table
            (at,) = offset.unpack_from(data, at + count * entry.size)
    except struct.error:  # it ends amid a table, or points behind the end
        return
