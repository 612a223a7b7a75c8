"""Rows of an SQLite file that SQLite itself can't open: read from its pages, one by one.

Only pages that hold rows are looked at (leaves of tables, and all pages of tables without rowid,
whose inner ones hold the rows between those of the pages below), and of these only what their list
of cells names. Which table a row is of is for the caller to tell. The
file format: https://www.sqlite.org/fileformat2.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

from image_similarity_search.catalog.schema import PAGE_SIZE

_MAGIC = b"SQLite format 3\0"
_TABLE_LEAF = 0x0D
# of a kind of page: bytes of its header, and those before the row in each cell: which page is below
_LAYOUTS = {_TABLE_LEAF: (8, 0), 0x0A: (8, 0), 0x02: (12, 4)}
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # serial type: bytes
_NOT_THAT = (ValueError, IndexError, struct.error)

StoredRow = tuple[int | None, list[Any]]
"""A row's rowid (None in a table without) and its columns; the one that is the rowid is None."""


class Pages:
    """The pages of the file that ``file`` reads."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._bytes = file.seek(0, 2)
        file.seek(0)
        header = file.read(100)
        whole = header[:16] == _MAGIC
        size = struct.unpack(">H", header[16:18])[0] if whole else 0
        size = 65_536 if size == 1 else size
        self._size = size if size in {2**power for power in range(9, 17)} else PAGE_SIZE
        self._usable = self._size - (header[20] if whole else 0)
        self._free = self._free_pages(header) if whole else set()

    def rows(self) -> Iterator[StoredRow]:
        """Every row that can be read, in no particular order; some may be of former versions."""
        number = 1
        while page := self._page(number):
            if number > 1 and number not in self._free and page[0] in _LAYOUTS:
                yield from self._rows_of(page)
            number += 1

    def _page(self, number: int) -> bytes:
        """The page of this number, counted from 1; nothing where the file has none."""
        if not number:
            return b""
        self._file.seek((number - 1) * self._size)
        page = self._file.read(self._size)
        return page if len(page) == self._size else b""

    def _free_pages(self, header: bytes) -> set[int]:
        """The pages on the list of free ones: what they hold was deleted."""
        free: set[int] = set()
        trunk = struct.unpack(">I", header[32:36])[0]
        while trunk and trunk not in free and (page := self._page(trunk)):
            free.add(trunk)
            trunk, count = struct.unpack(">II", page[:8])
            count = min(count, self._size // 4 - 2)
            free.update(struct.unpack(f">{count}I", page[8 : 8 + 4 * count]))
        return free

    def _rows_of(self, page: bytes) -> Iterator[StoredRow]:
        header, before = _LAYOUTS[page[0]]
        count = struct.unpack(">H", page[3:5])[0]
        count = min(count, (self._size - header) // 2)
        for place in struct.unpack(f">{count}H", page[header : header + 2 * count]):
            try:
                yield self._row_at(page, place + before)
            except _NOT_THAT:  # what is no row was damaged
                continue

    def _row_at(self, page: bytes, place: int) -> StoredRow:
        length, place = _varint(page, place)
        if length > self._bytes:
            raise ValueError("longer than the file")
        rowid = None
        if page[0] == _TABLE_LEAF:
            unsigned, place = _varint(page, place)
            rowid = unsigned - 2**64 if unsigned >= 2**63 else unsigned
        return rowid, _values(self._payload(page, place, length))

    def _payload(self, page: bytes, place: int, length: int) -> bytes:
        """The bytes of a row, those on overflow pages too."""
        most = self._usable - 35
        if page[0] != _TABLE_LEAF:
            most = (self._usable - 12) * 64 // 255 - 23
        if length <= most:
            return page[place : place + length]
        least = (self._usable - 12) * 32 // 255 - 23
        local = least + (length - least) % (self._usable - 4)
        local = local if local <= most else least
        payload = bytearray(page[place : place + local])
        following = page[place + local : place + local + 4]
        while len(payload) < length:
            overflow = self._page(struct.unpack(">I", following)[0])
            following = overflow[:4]
            payload += overflow[4 : self._usable][: length - len(payload)]
        return bytes(payload)


def _values(payload: bytes) -> list[Any]:
    """The columns of a row."""
    end, place = _varint(payload, 0)
    types = []
    while place < end:
        kind, place = _varint(payload, place)
        types.append(kind)
    values: list[Any] = []
    for kind in types:
        length = _INTEGERS.get(kind, 8 if kind == 7 else max(0, kind - 12) // 2)
        data = payload[place : place + length]
        if len(data) < length:
            raise ValueError("cut short")
        values.append(_value(kind, data))
        place += length
    return values


def _value(kind: int, data: bytes) -> Any:
    if kind == 0:
        return None
    if kind in _INTEGERS:
        return int.from_bytes(data, "big", signed=True)
    if kind == 7:
        return struct.unpack(">d", data)[0]
    if kind in (8, 9):
        return kind - 8
    if kind < 12:
        raise ValueError("no such type")
    return data.decode() if kind % 2 else data


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where the next thing begins."""
    value = 0
    for count in range(9):
        byte = data[place + count]
        if count == 8:
            return value << 8 | byte, place + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + count + 1
    raise AssertionError  # not reached: the ninth byte returns
