"""One catalog in PostgreSQL: opened, asked and changed, with its errors turned into ours."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, LiteralString

import psycopg
from psycopg.pq import TransactionStatus

from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.dialect import POSTGRESQL
from image_similarity_search.catalog.parts import Row
from image_similarity_search.catalog.postgresql.address import Address
from image_similarity_search.catalog.postgresql.connection import connected
from image_similarity_search.catalog.postgresql.locks import Locks
from image_similarity_search.catalog.postgresql.making import (
    bring_up_to_date,
    made_tables,
    put_loose_root,
    put_meta,
)
from image_similarity_search.catalog.postgresql.problems import translated
from image_similarity_search.catalog.postgresql.reserved_ids import ReservedIds
from image_similarity_search.catalog.postgresql.schema import (
    APPLICATION,
    FORMAT_VERSION,
    MOVED,
    refuse_foreign,
)
from image_similarity_search.catalog.whereabouts import moved_to
from image_similarity_search.errors import (
    CollectionClosedError,
    CollectionNotFoundError,
    CollectionUnavailableError,
)

# whoever changes something holds this row until that is committed: so generations are committed in
# their order, and what a transaction reads was changed by nobody since it began. One whose
# computer sleeps in its midst is ended by the server. Which table it is tells a restored catalog
_BEGIN = """
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL idle_in_transaction_session_timeout = '60s';
SELECT tableoid FROM meta WHERE key = 'generation' FOR UPDATE
"""
_BEGIN_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

_FORMAT = "SELECT to_regclass('format') IS NULL, pg_is_in_recovery()"
_ID = (
    "SELECT value FROM meta WHERE key = 'id'"
    " AND EXISTS (SELECT 1 FROM format WHERE application = ?)"
)


class SharedDatabase(AnyDatabase):
    """A connection that several threads may share, one statement or transaction at a time.

    Where it was lost, the next one is made when something is asked, but never amid a transaction,
    or while a lock is held, which ended with it.
    """

    sql = POSTGRESQL

    def __init__(self, url: str) -> None:
        """Open the existing catalog at ``url``.

        Raises:
            CollectionNotFoundError: there is none.
            CollectionNewerError: a newer version of this package made it.
            CollectionCorruptError: it is another program's.
            CollectionUnavailableError: the server can't be reached, or is a copy of another, or
                the catalog was moved elsewhere.
            ConfigError: that is no such URL.
        """
        self._address = Address.parse(url)
        self.path = str(self._address)
        self._lock = threading.RLock()
        self._connection = connected(self._address)
        self.locks = Locks(self, self._address.schema)
        self._is_ours = ""  # the id of what was opened
        self._is_left = False  # by its user
        self._ids = ReservedIds(self.rows)
        self._is_interrupted = False  # amid a turn, whose locks went with the connection
        try:
            self._check_format()
            self._is_ours = self._id()
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(cls, url: str, meta: dict[str, str]) -> SharedDatabase:
        """Make the catalog at ``url`` with ``meta``, in one transaction, and open it.

        Where another process made one just before, that is opened.

        Raises:
            CollectionUnwritableError: that is not allowed.
        """
        address = Address.parse(url)
        connection = connected(address)
        try:
            with translated(str(address)), connection.transaction():
                if made_tables(connection, address):
                    put_meta(connection, meta)
                    put_loose_root(connection, meta["id"])
        finally:
            connection.close()
        return cls(url)

    def close(self) -> None:
        """Close the connection, when nothing is asked any more; closing twice is fine."""
        with self._lock:
            self._is_left = True
            self._connection.close()

    def check_in_place(self) -> None:
        """Raise CollectionNotFoundError where another catalog is at its place."""
        if self._id() != self._is_ours:
            raise CollectionNotFoundError(self.path)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""
        with self._lock:
            return self._executed(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        """The first row of a query, or None."""
        with self._lock:
            return self._executed(sql, parameters).fetchone()

    def write(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement that changes rows."""
        with self._lock:
            self._executed(sql, parameters)

    def insert(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement that adds a row; returns its id."""
        return int(self.value(f"{sql} RETURNING id", parameters))

    def reserved_id(self) -> int:
        """An id for a new image, within a transaction."""
        return self._ids.take()

    def write_many(self, sql: str, parameters: Iterable[Sequence[Any]]) -> None:
        """Run a statement that changes rows once for each item of ``parameters``."""
        with (
            self._lock,
            translated(self.path),
            self._dropped_by_interrupts(),
            self._connection.cursor() as cursor,
        ):
            cursor.executemany(in_its_words(sql), parameters)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, after those of others; other threads wait.

        What is written is on its way while the next statement is sent: only what is read, and the
        end, waits for the server.
        """
        with self._within(_BEGIN) as begun:
            while begun.nextset():
                pass
            with (
                self._ids.drawn_from((self._connection, begun.fetchone())),
                translated(self.path),
                self._connection.pipeline(),
                self._dropped_by_interrupts(),
            ):
                yield
            with translated(self.path), self._dropped_by_interrupts():
                self._connection.execute("COMMIT")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read inside is of one moment; other threads wait."""
        with self._lock:
            if self._is_within:
                yield
                return
            with self._within(_BEGIN_SNAPSHOT):
                yield

    def make_durable(self) -> None:
        """What was committed is durable, unless the server was told not to care."""

    def leave(self, to: str) -> None:
        """Say that the catalog is at ``to`` from now on; within a transaction, which may take long.

        Raises:
            CollectionUnwritableError: that is not allowed.
        """
        self.write("SET LOCAL idle_in_transaction_session_timeout = 0")
        self.write("UPDATE format SET application = ?", (f"{MOVED}{to}",))
        self.row("SELECT 1")  # waits for the server to say whether it can

    def bytes_used(self) -> int:
        """How much room its tables take."""
        used = self.value(
            "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = (?::text)::regnamespace",
            (self._address.schema,),
        )
        return int(used)

    @contextmanager
    def _within(self, begin: LiteralString) -> Iterator[psycopg.Cursor[Row]]:
        """In a transaction, which is undone unless it was committed; gives what ``begin`` gave."""
        with self._lock:
            if self._is_interrupted and self.locks and begin == _BEGIN:
                raise CollectionUnavailableError(self.path, "its locks went with an interrupt")
            try:
                yield self._executed(begin)
            finally:
                if self._is_within:
                    with translated(self.path), self._dropped_by_interrupts():
                        self._connection.execute("ROLLBACK")

    @property
    def _is_within(self) -> bool:
        return self._connection.info.transaction_status not in (
            TransactionStatus.IDLE,
            TransactionStatus.UNKNOWN,  # the connection is lost
        )

    @contextmanager
    def _dropped_by_interrupts(self) -> Iterator[None]:
        """Drop the connection at an interrupt: nobody knows what it was amid.

        What is still read then, while the turn comes to its end, is read by another.
        """
        try:
            yield
        except Exception:
            raise
        except BaseException:
            self._connection.close()
            self._is_interrupted = bool(self.locks)
            raise

    def _executed(self, sql: str, parameters: Sequence[Any] = ()) -> psycopg.Cursor[Row]:
        """Run a statement; once more where only the connection was lost."""
        if self._is_left:
            raise CollectionClosedError(self.path)
        with translated(self.path), self._dropped_by_interrupts():
            self._is_interrupted = self._is_interrupted and bool(self.locks)
            in_turn = bool(self.locks) and not self._is_interrupted
            engaged = self._is_within or in_turn
            if self._connection.closed and not engaged:
                self._connection = connected(self._address)
            try:
                return self._run(sql, parameters)
            except psycopg.OperationalError:
                if engaged or not self._connection.closed:
                    raise
            self._connection = connected(self._address)
            return self._run(sql, parameters)

    def _run(self, sql: str, parameters: Sequence[Any]) -> psycopg.Cursor[Row]:
        if not parameters:
            return self._connection.execute(sql)
        values = [_without_nul(value) for value in parameters]
        return self._connection.execute(in_its_words(sql), values, binary=True)

    def _id(self) -> str:
        row = self.row(_ID, (APPLICATION,))
        return str(row[0]) if row else ""

    def _check_format(self) -> None:
        row = self.row(_FORMAT)
        missing, is_copy = row or (True, False)
        if is_copy:
            raise CollectionUnavailableError(
                self.path,
                "that server is a read-only replica",
                "give the address of the primary server",
            )
        if missing:
            raise CollectionNotFoundError(self.path)
        found = self.row("SELECT application, version FROM format")
        refuse_foreign(self.path, found)
        if found and found[0].startswith(MOVED):
            reason = moved_to(found[0].removeprefix(MOVED))
            raise CollectionUnavailableError(self.path, reason, "use it there")
        if found and found[1] < FORMAT_VERSION:
            with translated(self.path), self._connection.transaction():
                bring_up_to_date(self._connection, self._address)


def _without_nul(value: Any) -> Any:
    """A value for a statement: text here has no NUL, so what is sought with one is not found."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


@lru_cache(maxsize=256)
def in_its_words(sql: str) -> LiteralString:
    """A statement with its values where psycopg looks for them; it has no other ``?``."""
    return sql.replace("%", "%%").replace("?", "%s")
