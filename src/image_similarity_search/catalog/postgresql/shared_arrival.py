"""A shared catalog that is filled with the rows of another one, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Self

from image_similarity_search.catalog.parts import Row
from image_similarity_search.catalog.postgresql.address import Address
from image_similarity_search.catalog.postgresql.connection import Connection, connected
from image_similarity_search.catalog.postgresql.making import (
    bring_up_to_date,
    made_tables,
    put_meta,
)
from image_similarity_search.catalog.postgresql.problems import translated
from image_similarity_search.catalog.postgresql.schema import (
    APPLICATION,
    MOVED,
    refuse_foreign,
)
from image_similarity_search.catalog.postgresql.shared_database import in_its_words
from image_similarity_search.catalog.tables import TABLES, Table
from image_similarity_search.errors import CollectionExistsError

# it may take as long as there are images, and pause while what is to come is read
_BEGIN = """
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0
"""
_NUMBERED = ("roots", "folders", "images")
_REMEDY = "give another schema, ?schema=NAME"


class SharedArrival:
    """One; see ``copying.Arrival``. Nobody else sees it before it is whole."""

    def __init__(self, address: Address, connection: Connection, meta: dict[str, str]) -> None:
        """For ``begun``."""
        self.path = str(address)
        self._connection = connection
        self._address = address
        if made_tables(connection, address) or self._room_was_made(meta["id"]):
            put_meta(connection, meta)
            self.was_there = False
        else:
            self.was_there = True
        rows = connection.execute("SELECT key, value FROM meta FOR UPDATE").fetchall()
        self.meta: dict[str, str] = dict(rows)
        del self.meta["crc32"]

    @classmethod
    @contextmanager
    def begun(cls, url: str, meta: dict[str, str]) -> Iterator[Self]:
        """An empty one at ``url``, with this ``meta``; without ``put_in_place`` nothing is left.

        Raises:
            CollectionExistsError: another collection is there.
            CollectionNewerError: a newer version of this package made what is there.
            CollectionCorruptError: it is another program's.
            CollectionUnwritableError: it can't be made there.
            CollectionUnavailableError: the server can't be reached, or is lost meanwhile.
            ConfigError: that is no such URL.
        """
        address = Address.parse(url)
        with closing(connected(address)) as connection, translated(str(address)):
            connection.execute(_BEGIN)
            yield cls(address, connection, meta)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""
        with translated(self.path):
            return self._connection.execute(in_its_words(sql), parameters, binary=True).fetchall()

    def put(self, table: Table, parts: Iterable[list[Row]]) -> None:
        """Add rows to a table that has none."""
        names = ", ".join(table.columns)
        into = f"COPY {table.name} ({names}) FROM STDIN (FORMAT BINARY)"
        with (
            translated(self.path),
            self._connection.cursor() as cursor,
            cursor.copy(into) as copy,
        ):
            copy.set_types(list(table.columns.values()))
            for part in parts:
                for row in part:
                    copy.write_row(row)

    def put_in_place(self, last_id: int) -> None:
        """Let it be the catalog at its URL, of which no id is given again."""
        with translated(self.path):
            if not self.was_there:
                for name in _NUMBERED:
                    self._go_on_after(name, last_id if name == "images" else 0)
                self._connection.execute("ANALYZE roots, folders, images, embeddings, traits")
            self._connection.execute("COMMIT")

    def _go_on_after(self, table: str, last_id: int) -> None:
        """Have new rows get ids after all that are there, and after ``last_id``."""
        greatest = f"SELECT coalesce(max(id), 0) FROM {table}"  # noqa: S608 - constants
        row = self._connection.execute(greatest).fetchone()
        last = max(last_id, row[0] if row else 0)
        self._connection.execute(
            "SELECT setval(pg_get_serial_sequence(%s, 'id'), greatest(%s, 1), %s > 0)",
            (table, last, last),
        )

    def _room_was_made(self, identity: str) -> bool:
        """Take away what is there, if it is what this collection left when it was moved elsewhere.

        Raises:
            CollectionExistsError: it is another collection.
            CollectionNewerError, CollectionCorruptError: as for ``begun``.
        """
        found = self._connection.execute("SELECT application, version FROM format").fetchone()
        refuse_foreign(self.path, found)
        bring_up_to_date(self._connection, self._address)
        there = self._connection.execute("SELECT value FROM meta WHERE key = 'id'").fetchone()
        if there != (identity,):
            raise CollectionExistsError(self.path, _REMEDY)
        if not found or not found[0].startswith(MOVED):
            return False
        names = ", ".join(["meta", *(table.name for table in TABLES)])
        self._connection.execute(f"TRUNCATE {names}")
        self._connection.execute("UPDATE format SET application = %s", (APPLICATION,))
        return True
