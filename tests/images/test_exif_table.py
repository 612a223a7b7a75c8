"""Tables of EXIF: what Pillow finds in them is found, of whole ones and of broken ones."""

from __future__ import annotations

import math
import struct
import warnings
from io import BytesIO
from typing import Any

import pytest
from camera_files import exif
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image

from image_similarity_search.images.exif_table import values_in

EXIF, GPS = 0x8769, 0x8825
WANTED = {EXIF: (0x9003, 0x9004), GPS: (1, 2, 3, 4)}

Entry = tuple[int, int, int, bytes]
ENTRIES = some.tuples(
    some.sampled_from([1, 2, 3, 4, 0x9003, 0x9004, 0x927C, 0x0110]),
    some.integers(0, 17),  # types, of which there are not all
    some.integers(0, 4) | some.integers(0, 2**32 - 1),
    some.binary(min_size=4, max_size=4) | some.binary(min_size=9, max_size=40),
)


def block(order: str, pointer: int, entries: list[Entry], *, wide: bool = False) -> bytes:
    """EXIF with one further table, of tags with a type, a number of values and bytes.

    Few bytes are where others have the place of theirs, and so a place, too. ``wide`` is BigTIFF,
    which Pillow reads in the order ``<`` only.
    """
    few, many = ("Q", "Q") if wide else ("H", "L")
    start = (16 if wide else 8) + struct.calcsize(f"={few}HH{many}{many}{many}")
    size = struct.calcsize(f"={few}{many}") + len(entries) * struct.calcsize(f"=HH{many}{many}")
    table, values = struct.pack(order + few, len(entries)), b""
    for tag, kind, times, data in entries:
        place = struct.pack(order + many, start + size + len(values))
        table += struct.pack(f"{order}HH{many}", tag, kind, times)
        table += place if len(data) > len(place) else data
        values += data if len(data) > len(place) else b""
    mark = b"II" if order == "<" else b"MM"
    head = struct.pack(order + "HHHQ", 43, 8, 0, 16) if wide else struct.pack(order + "HL", 42, 8)
    main = struct.pack(f"{order}{few}HH{many}{many}{many}", 1, pointer, 4, 1, start, 0)
    return mark + head + main + table + struct.pack(order + many, 0) + values


def loaded(data: bytes, *, wide: bool = False) -> Image.Exif:
    made = Image.Exif()
    if wide:
        made.bigtiff, made.endian = True, "<"
        made.load_from_fp(BytesIO(data), 16)
    else:
        made.load(data)
    return made


def plain(value: Any) -> Any:
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    divisor = getattr(value, "denominator", 1)
    return repr(float(value) if divisor else math.nan)  # as text, it is equal to itself


def found_as_by_pillow(data: bytes, *, wide: bool = False) -> dict[int, Any]:
    """All that is found, after a look that it has what Pillow finds."""
    whole: dict[int, Any] = {}
    for pointer, wanted in WANTED.items():
        found = values_in(loaded(data, wide=wide), pointer, wanted)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = loaded(data, wide=wide).get_ifd(pointer)
        expected = {tag: plain(table[tag]) for tag in wanted if tag in table}
        assert {tag: plain(found[tag]) for tag in expected} == expected
        whole |= found
    return whole


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow; tests take them for errors
@given(
    some.sampled_from("<>"),
    some.sampled_from([EXIF, GPS]),
    some.lists(ENTRIES, max_size=6, unique_by=lambda entry: entry[0]),
    some.integers(26, 400),
)
def test_broken_tables_say_what_they_say_to_pillow(
    order: str, pointer: int, entries: list[Entry], length: int
) -> None:
    found_as_by_pillow(block(order, pointer, entries)[:length])


@pytest.mark.parametrize("order", ["<", ">"])
def test_what_pillow_writes_is_found(order: str) -> None:
    written = exif()
    written.endian = order
    found = found_as_by_pillow(written.tobytes())
    assert found.keys() == {0x9003, 1, 2, 3, 4}


@pytest.mark.parametrize(("order", "wide"), [("<", False), (">", False), ("<", True)])
def test_values_of_all_types_are_read(order: str, wide: bool) -> None:
    numbers = range(1, 9)
    fractions = [a / b for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
    for kind, letter in {5: "L", 10: "l", 3: "H", 8: "h", 12: "d", 13: "L", 16: "Q"}.items():
        expected = fractions if kind in (5, 10) else list(numbers)
        values = struct.pack(f"{order}8{letter}", *numbers) + b"behind"
        data = block(order, GPS, [(2, kind, len(expected), values)], wide=wide)
        assert found_as_by_pillow(data, wide=wide) == {2: expected}


def test_odd_values_are_as_pillow_has_them() -> None:
    entries = [
        (1, 2, 9, "Süd, ja\0\0".encode("latin-1")),
        (2, 5, 2, struct.pack("<4L", 1, 0, 3, 4)),  # a fraction of nothing
        (2, 3, 1, b"again"),
    ]
    found = found_as_by_pillow(block("<", GPS, entries))
    assert found[1] == "Süd, ja\0"
    assert math.isnan(found[2][0])
