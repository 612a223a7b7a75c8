"""The further tables of EXIF, where only what is asked for is decoded.

Pillow decodes a table as a whole, with all that the maker of a camera noted there.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Container
from contextlib import suppress
from typing import Any

_TEXT = 2
# the types of values, as struct has them; of two numbers is a fraction
_TYPES = {1: "s", _TEXT: "s", 3: "H", 4: "L", 5: "LL", 6: "b", 7: "s", 8: "h", 9: "l", 10: "ll"}
_TYPES |= {11: "f", 12: "d", 13: "L", 16: "Q"}
_SIZES = {kind: struct.calcsize(f"={layout}") for kind, layout in _TYPES.items()}
_MOST = 1 << 16  # entries of a table, and bytes of a value: as many as a JPEG has room for


def values_in(exif: Any, pointer: int, wanted: Container[int]) -> dict[int, Any]:
    """What the table that the tag ``pointer`` leads to says of the ``wanted`` tags.

    Args:
        exif: a ``PIL.Image.Exif`` that is loaded.
        pointer: a tag of it.
        wanted: tags of the further table.

    Returns:
        The values as Pillow gives them, but fractions as float. What makes no sense counts as not
        there; nothing here raises.
    """
    found: dict[int, Any] = {}
    with suppress(Exception):  # a broken block raises anything
        file, layouts = exif.fp, ("Q", "HHQ8s", "Q") if exif.bigtiff else ("H", "HHL4s", "L")
        number, entry, offset = (struct.Struct(exif.endian + layout) for layout in layouts)
        file.seek(exif[pointer])
        (count,) = number.unpack(file.read(number.size))
        entries = file.read(min(count, _MOST) * entry.size)
        for start in range(0, len(entries) - entry.size + 1, entry.size):
            tag, kind, times, data = entry.unpack_from(entries, start)
            if tag not in wanted or tag in found or kind not in _TYPES:
                continue
            size = times * _SIZES[kind]
            if not 0 < size <= _MOST:
                continue
            if size > len(data):
                file.seek(offset.unpack(data)[0])
                data = file.read(size)
            if size <= len(data):
                found[tag] = _value(kind, data[:size], exif.endian)
    return found


def _value(kind: int, data: bytes, order: str) -> Any:
    if kind == _TEXT:
        return data.removesuffix(b"\0").decode("latin-1")
    if _TYPES[kind] == "s":
        return data
    items = [_number(*item) for item in struct.iter_unpack(order + _TYPES[kind], data)]
    return items if len(items) > 1 else items[0]


def _number(value: float, divisor: int = 1) -> float:
    return value / divisor if divisor else math.nan
