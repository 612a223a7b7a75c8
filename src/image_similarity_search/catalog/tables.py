"""The tables of a catalog as they are, to be copied from one database to another.

A row has the same values wherever it is, and the same checksum: that is of the collection's id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from image_similarity_search.catalog.checksums import Checksums, encoded
from image_similarity_search.catalog.parts import Row, in_parts


class Readable(Protocol):
    """What is asked of a database to read its rows; see ``AnyDatabase``."""

    @property
    def path(self) -> str:
        """Where it is, for people."""
        ...

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""
        ...


class Table(NamedTuple):
    """A table: its columns with their types in PostgreSQL, the first ``key`` of which tell rows."""

    name: str
    columns: dict[str, str]
    key: int = 1

    def parts(self, database: Readable) -> Iterator[list[Row]]:
        """All of its rows in order of their keys, some at a time.

        Raises:
            CollectionCorruptError: they are not in order, as in a damaged file.
        """
        names = list(self.columns)
        key, values = ", ".join(names[: self.key]), ", ".join("?" * self.key)
        sql = (
            f"SELECT {', '.join(names)} FROM {self.name}"  # noqa: S608 - constants
            f" WHERE ({key}) > ({values}) ORDER BY {key} LIMIT ?"
        )
        return in_parts(database.rows, database.path, sql, after=(-1,) * self.key)

    def is_whole(self, row: Row, checksums: Checksums) -> bool:
        """Whether a row is as it was written; of some tables nothing would tell."""
        if self.name == "embeddings":
            id_, norm, crc32, unit = row
            return checksums.of_embedding(id_, norm, unit) == int(crc32)
        if "crc32" not in self.columns:
            return True
        *values, crc32 = row
        return checksums.of(self.name, *values) == int(crc32)


_ROOTS = {"id": "int8", "path": "bytea", "crc32": "int8"}
_FOLDERS = {"id": "int8", "root_id": "int8", "path": "bytea", "crc32": "int8"}
_IMAGES = {
    "id": "int8",
    "folder_id": "int8",
    "name": "bytea",
    "size": "int8",
    "mtime_ns": "int8",
    "content_hash": "bytea",
    "width": "int8",
    "height": "int8",
    "state": "text",
    "reason": "text",
    "generation": "int8",
    "metadata": "text",
    "embedding_crc32": "int8",
    "crc32": "int8",
}
_EMBEDDINGS = {"image_id": "int8", "norm": "float8", "crc32": "int8", "unit": "bytea"}
_TRAITS = {
    "image_id": "int8",
    "camera": "text",
    "taken": "int8",
    "latitude": "float8",
    "longitude": "float8",
    "colours": "text",
    "crc32": "int8",
}
_FORGOTTEN = {
    "generation": "int8",
    "image_id": "int8",
    "content_hash": "bytea",
    "name": "bytea",
    "tags": "text",
    "crc32": "int8",
}
_REMOVALS = {"generation": "int8", "image_id": "int8"}
_MARKS = {"generation": "int8", "mark": "int8"}

TABLES = (
    Table("roots", _ROOTS),
    Table("folders", _FOLDERS),
    Table("images", _IMAGES),
    Table("embeddings", _EMBEDDINGS),
    Table("traits", _TRAITS),
    Table("removals", _REMOVALS, key=2),
    Table("forgotten", _FORGOTTEN, key=2),
    Table("marks", _MARKS),
)
"""All of them but ``meta``; rows refer to those of tables that stand before theirs."""


class Tally:
    """How many rows there were, and a digest of all that was in them."""

    def __init__(self) -> None:
        self.count = 0
        self._digest = hashlib.blake2b()

    def add(self, rows: Sequence[Row]) -> None:
        """Count rows, in their order."""
        self.count += len(rows)
        for row in rows:
            self._digest.update(encoded(row))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tally) and self._value() == other._value()

    def __hash__(self) -> int:
        return hash(self._value())

    def _value(self) -> tuple[int, bytes]:
        return self.count, self._digest.digest()
