"""Checksums of rows: what tells that a row is as it was written, and of this collection.

SQLite notices damage to its structure, not to the values in it. So every row of the catalog
carries a CRC-32 over the collection's id, the table's name and the row's other columns.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

Value = int | float | str | bytes | None


class Checksums:
    """Computes the checksums of one collection, whose ``id`` in ``meta`` is ``identity``."""

    def __init__(self, identity: str) -> None:
        self._id = _encoded(identity)
        self._begun: dict[str, int] = {}
        self._embeddings = self.of("embeddings")
        self._images = self.of("images")

    def of(self, table: str, *values: Value) -> int:
        """The checksum of a row, given by its columns in the table's order without ``crc32``."""
        begun = self._begun.get(table)
        if begun is None:
            begun = self._begun[table] = zlib.crc32(self._id + _encoded(table))
        return zlib.crc32(encoded(values), begun)

    def of_embedding(self, id_: int, norm: float, unit: bytes) -> int:
        """The same for a row of ``embeddings``, quicker: a search reads hundreds."""
        begin = b"i%d;f%bb%d:" % (id_, struct.pack("<d", norm), len(unit))
        return zlib.crc32(unit, zlib.crc32(begin, self._embeddings))

    def of_image(self, row: Sequence[Any]) -> int:
        """The same for a row of ``images`` with its ``crc32``, quicker for most."""
        try:
            (id_, folder, name, size, mtime, digest, width, height, state, reason, generation,
             metadata, embedding, _) = row  # fmt: skip
            usual = state == "indexed" and reason is None and metadata == "{}"
            if not usual or width is None or height is None or embedding is None:
                return self.of("images", *row[:-1])
            text = (
                f"i{id_};i{folder};b{len(name)}:{name.decode('latin-1')}i{size};i{mtime};"
                f"b{len(digest)}:{digest.decode('latin-1')}i{width};i{height};"
                f"t7:indexedni{generation};t2:{{}}i{embedding};"
            )
            return zlib.crc32(text.encode("latin-1"), self._images)
        except (AttributeError, TypeError, UnicodeEncodeError):  # null, or of another type
            return self.of("images", *row[:-1])


def checksum_of_meta(meta: Mapping[str, str]) -> str:
    """What ``meta`` has under ``crc32``: over all its other keys and values, in order of key."""
    rest = [text for key in sorted(meta) if key != "crc32" for text in (key, meta[key])]
    return str(Checksums(meta["id"]).of("meta", *rest))


def encoded(values: Sequence[Value]) -> bytes:
    """Bytes that stand for a row of these values only."""
    return b"".join(map(_encoded, values))


def _encoded(value: Value) -> bytes:
    """Bytes that stand for one value only; no other follows from appending to them."""
    if value is None:
        return b"n"
    if isinstance(value, int):
        return b"i%d;" % value
    if isinstance(value, bytes):
        return b"b%d:%b" % (len(value), value)
    if isinstance(value, str):
        text = value.encode()
        return b"t%d:%b" % (len(text), text)
    return b"f%b" % struct.pack("<d", value)
