"""One SQLite file: opened as it can be, with SQLite's errors turned into ours."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import quote

from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.checksums import Checksums, checksum_of_meta
from image_similarity_search.catalog.dialect import SQLITE
from image_similarity_search.catalog.lock import no_locks
from image_similarity_search.catalog.migrations import READABLE, bring_up_to_date, stand_in
from image_similarity_search.catalog.parts import Row
from image_similarity_search.catalog.schema import (
    APPLICATION_ID,
    FORMAT_VERSION,
    LOOSE_ROOT,
    PAGE_SIZE,
    SCHEMA,
)
from image_similarity_search.catalog.sqlite_errors import Translated
from image_similarity_search.errors import (
    CollectionCorruptError,
    CollectionLockedError,
    CollectionNewerError,
    CollectionNotFoundError,
    CollectionUnavailableError,
    CollectionUnwritableError,
)

_State = tuple[int, int, bool]

# what SQLite says where a disk is so full that not even the files beside a database can be made
_NO_ROOM = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_CANTOPEN,
)

_BUSY_SECONDS = 10.0


class Database(AnyDatabase):
    """A connection that several threads may share, one statement or transaction at a time."""

    sql = SQLITE

    def __init__(self, path: str, *, read_only: bool = False, as_it_is: bool = False) -> None:
        """Open the existing file ``path``; with ``read_only`` not a byte of it changes.

        An older format is brought to the present one, even so; where that can't be written, one
        that can be read as it is serves until it is opened again. With ``as_it_is`` it stays of
        its format, for who only asks whose it is, and copies it.

        Raises:
            CollectionNotFoundError: there is no such file, or it was never finished.
            CollectionNewerError: a newer version of this package made it.
            CollectionCorruptError: it is no SQLite database, or not ours.
            CollectionUnavailableError: there is no permission to read it.
        """
        self.path = path
        self._translated = Translated(path)
        self._lock = threading.RLock()
        self._why_older: CollectionUnwritableError | None = None
        self._place = _place(path)
        if self._place is None:
            raise CollectionNotFoundError(os.path.dirname(path))
        with self._translated:
            self._connection, self._frozen = _open(path, read_only=read_only)
        try:
            self._check_format(as_it_is)
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(cls, path: str, meta: dict[str, str]) -> Database:
        """Make the file ``path`` with the schema and ``meta``, in one transaction, and open it.

        The caller holds the writer lock. A file that an interrupted creation left is finished.
        """
        with Translated(path):
            connection = _connect(path, "mode=rwc")
            try:
                connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
                if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
                    raise no_locks(path, "SQLite can't keep a write-ahead log there")
                connection.executescript(
                    f"BEGIN; {SCHEMA} PRAGMA application_id = {APPLICATION_ID};"
                    f"PRAGMA user_version = {FORMAT_VERSION};"
                )
                sealed = meta | {"crc32": checksum_of_meta(meta)}
                connection.executemany("INSERT INTO meta VALUES (?, ?)", sealed.items())
                connection.execute(
                    "INSERT INTO roots VALUES (?, x'', ?)",
                    (LOOSE_ROOT, Checksums(meta["id"]).of("roots", LOOSE_ROOT, b"")),
                )
                connection.execute("COMMIT")
            finally:
                connection.close()
        return cls(path)

    def close(self) -> None:
        """Close the connection, when nothing is asked any more; closing twice is fine."""
        with self._lock:  # SQLite has no closing amid a statement of another thread
            self._connection.close()

    def check_in_place(self) -> None:
        """Raise CollectionNotFoundError where the open file is no longer the one at its path."""
        if _place(self.path) != self._place:
            raise CollectionNotFoundError(os.path.dirname(self.path))

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""
        with self._lock, self._translated:
            self._thaw()
            return self._connection.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        """The first row of a query, or None."""
        with self._lock, self._translated:
            self._thaw()
            row: Row | None = self._connection.execute(sql, parameters).fetchone()
            return row

    def write(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement that changes rows."""
        with self._lock, self._translated:
            self._connection.execute(sql, parameters)

    def insert(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement that adds a row; returns its id."""
        with self._lock, self._translated:
            return self._connection.execute(sql, parameters).lastrowid or 0

    def reserved_id(self) -> int:
        """None: an image gets its id when it is added."""
        return 0

    def use_up(self, last_id: int) -> None:
        """Give a new image an id greater than ``last_id``; call within a transaction."""
        self.write("DELETE FROM sqlite_sequence WHERE name = 'images'")
        self.write("INSERT INTO sqlite_sequence VALUES ('images', ?)", (last_id,))

    def write_many(self, sql: str, parameters: Iterable[Sequence[Any]]) -> None:
        """Run a statement that changes rows once for each item of ``parameters``."""
        with self._lock, self._translated:
            self._connection.executemany(sql, parameters)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; other threads wait. See ``make_durable`` for a power cut."""
        with self._lock:
            self._make_writable()
            try:
                self.write("BEGIN IMMEDIATE")
                yield
                self.write("COMMIT")
            except BaseException:
                if self._is_within:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read inside is of one moment; other threads wait."""
        with self._lock:
            within_another = self._is_within
            if not within_another:
                self._thaw()
                self.write("BEGIN")
            try:
                yield
            finally:
                if not within_another and self._is_within:
                    self._connection.execute("ROLLBACK")

    def make_durable(self) -> None:
        """Have the disk hold all that was committed, whatever happens to the power.

        A transaction alone survives the end of the process, not that of the system: to wait for
        the disk each time would take longer than the work.
        """
        self.rows("PRAGMA wal_checkpoint(PASSIVE)")

    def copy_to(self, path: str, *, journal: str) -> None:
        """Let the database file at ``path`` be as this one; others there see it change at once.

        ``journal`` is the journal mode to leave it in: ``WAL`` for a catalog in use.

        Raises:
            CollectionCorruptError: this one can't be read, or what is there is no database.
            CollectionUnwritableError: it can't be written there.
        """
        with self._lock:
            self._thaw()
            with Translated(path), closing(_connect(path, "mode=rwc")) as copy:
                self._connection.backup(copy)
                copy.execute(f"PRAGMA journal_mode = {journal}")
                copy.execute("PRAGMA wal_checkpoint(PASSIVE)")  # which waits for the disk

    def bytes_used(self) -> int:
        """How many bytes its files have."""
        return sum(os.path.getsize(f) for f in (self.path, f"{self.path}-wal") if os.path.exists(f))

    def settle(self) -> None:
        """Bring everything into the one file; nobody else has it open."""
        if self.value("PRAGMA wal_checkpoint(TRUNCATE)"):
            raise CollectionLockedError(self.path)

    @property
    def _is_within(self) -> bool:
        """Whether in a transaction; raises CollectionClosedError where it was closed."""
        with self._translated:
            return self._connection.in_transaction

    def _thaw(self) -> None:
        """Open anew what was opened as unchangeable, where somebody changed it after all."""
        if self._frozen is None or self._is_within:
            return
        if self._frozen != _state(self.path):
            connection, self._frozen = _open(self.path, read_only=False)
            self._connection.close()
            self._connection = connection
            if self._why_older:
                stand_in(self._connection)

    def _make_writable(self) -> None:
        """Open anew what was opened as unchangeable: what stood in the way may be gone."""
        if self._why_older:
            raise CollectionUnwritableError(
                self.path, self._why_older.reason, self._why_older.remedy
            )
        if self._frozen is not None and not self._is_within:
            with self._translated:
                connection = _connect(self.path, "mode=rw")
            self._connection.close()
            self._connection, self._frozen = connection, None

    def _check_format(self, as_it_is: bool) -> None:
        if self.value("PRAGMA application_id") != APPLICATION_ID:
            if self.value("SELECT count(*) FROM sqlite_schema") == 0:
                raise CollectionNotFoundError(os.path.dirname(self.path))
            raise CollectionCorruptError(
                self.path, "an SQLite file of another program", "give another index folder"
            )
        found = self.value("PRAGMA user_version")
        if found > FORMAT_VERSION:
            raise CollectionNewerError(self.path, found, FORMAT_VERSION)
        if found < 1:
            raise CollectionCorruptError(self.path, f"its storage format is {found}")
        if found < FORMAT_VERSION and not as_it_is:
            try:
                self._bring_up_to_date()
            except CollectionUnwritableError as error:
                if found < READABLE:
                    raise
                self._why_older = error
                with self._translated:
                    stand_in(self._connection)

    def _bring_up_to_date(self) -> None:
        with self._translated, closing(_open(self.path, read_only=False)[0]) as connection:
            bring_up_to_date(connection, self.path)


def _open(path: str, *, read_only: bool) -> tuple[sqlite3.Connection, _State | None]:
    """Open an existing file for as much as can be: to write, to read, or as unchangeable.

    Of one opened as unchangeable the state that it has is returned, too.
    """
    if not os.access(path, os.R_OK):
        remedy = "change its permissions, or ask its owner; its content is unchanged"
        raise CollectionUnavailableError(path, "there is no permission to read it", remedy)
    writable = os.access(path, os.W_OK) and os.access(os.path.dirname(path), os.W_OK)
    try:
        return _connect(path, "mode=rw" if writable and not read_only else "mode=ro"), None
    except sqlite3.OperationalError as error:
        if writable and not read_only and error.sqlite_errorcode not in _NO_ROOM:
            raise
        # WAL needs files beside the database even to read, and here they can't be made
        state = _state(path)
        if state[2]:  # unchangeable means without what is in the log, which may be half of it
            raise CollectionUnwritableError(
                path,
                f"its last changes are in {path}-wal, which can't be read in a folder that"
                " is read-only",
                "copy the folder to a writable place and use it there",
            ) from None
        return _connect(path, "mode=ro&immutable=1"), state


def _connect(path: str, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(os.fsencode(path))}?{mode}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,  # transactions are begun and ended by name
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")  # with WAL: a crash can't corrupt
        # a mapping counts as memory, and makes a bad sector a crash
        connection.execute("PRAGMA mmap_size = 0")
        connection.execute("PRAGMA temp_store = MEMORY")  # the temporary folder may be full
        connection.execute("SELECT count(*) FROM sqlite_schema")  # the first to touch the file
    except BaseException:
        connection.close()
        raise
    return connection


def _place(path: str) -> tuple[int, int] | None:
    """Which file is at ``path``; None where none is, or none that can be looked at."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def _state(path: str) -> _State:
    """What changes of a database file that somebody writes to.

    Raises:
        CollectionNotFoundError: it is not there any more.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise CollectionNotFoundError(os.path.dirname(path)) from error
    wal = path + "-wal"
    return status.st_size, status.st_mtime_ns, os.path.exists(wal) and os.path.getsize(wal) > 0
