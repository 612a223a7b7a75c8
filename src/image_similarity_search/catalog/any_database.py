"""What the catalog asks of the database that it is in: an SQLite file, or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from image_similarity_search.catalog.dialect import Dialect
from image_similarity_search.catalog.parts import Row, in_parts
from image_similarity_search.errors import CollectionCorruptError


class AnyDatabase(Protocol):
    """A connection that several threads may share, one statement or transaction at a time.

    Values stand in statements as ``?``. Foreign errors come out as ours.
    """

    sql: Dialect
    path: str
    """Where it is, for people: a file, or a URL without secrets."""

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""
        ...

    def parts(self, sql: str, *parameters: Any, after: int = -1) -> Iterator[list[Row]]:
        """The rows of a query, about a thousand at a time; see ``in_parts``."""
        return in_parts(self.rows, self.path, sql, *parameters, after=(after,))

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        """The first row of a query, or None."""
        ...

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The first column of the first row of a query, which must have one."""
        row = self.row(sql, parameters)
        if row is None:
            raise CollectionCorruptError(self.path, f"no row for: {sql}")
        return row[0]

    def write(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement that changes rows."""
        ...

    def insert(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement that adds a row with an ``id``; returns that."""
        ...

    def reserved_id(self) -> int:
        """An id for a new image; 0 where it gets one when it is added."""
        ...

    def write_many(self, sql: str, parameters: Iterable[Sequence[Any]]) -> None:
        """Run a statement that changes rows once for each item of ``parameters``."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing, and nobody else changes anything meanwhile; other threads wait."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """What is read inside is of one moment; other threads wait."""
        ...

    def make_durable(self) -> None:
        """Have what was committed survive a power cut."""
        ...

    def check_in_place(self) -> None:
        """Raise CollectionNotFoundError where what is open is no longer what is at its place."""
        ...

    def bytes_used(self) -> int:
        """How much room it takes."""
        ...

    def close(self) -> None:
        """Close the connection, when nothing is asked any more; closing twice is fine."""
        ...
