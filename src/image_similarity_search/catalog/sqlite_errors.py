"""SQLite's errors turned into ours."""

from __future__ import annotations

import os
import sqlite3

from image_similarity_search.catalog.lock import missing_locks, no_locks
from image_similarity_search.errors import (
    CollectionClosedError,
    CollectionCorruptError,
    CollectionError,
    CollectionLockedError,
    CollectionUnwritableError,
)

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_UNWRITABLE = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
)
# the statements are ours and right: one that SQLite can't make sense of meets a damaged schema,
# and a constraint that it finds broken was so before
_CORRUPT = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
)
_UNREADABLE = (
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_IOERR_CORRUPTFS,
)
# what network drives answer that lack locks, or memory shared between processes
_NO_LOCKS = (
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_IOERR_LOCK,
    sqlite3.SQLITE_IOERR_RDLOCK,
    sqlite3.SQLITE_IOERR_UNLOCK,
    sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
    sqlite3.SQLITE_IOERR_SHMOPEN,
    sqlite3.SQLITE_IOERR_SHMLOCK,
    sqlite3.SQLITE_IOERR_SHMMAP,
)


class Translated:
    """Raises what SQLite raises about the file ``path`` as an error of ours, time and again.

    No generator: it is entered for each statement, and this takes a third of the time.
    """

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.DatabaseError):
            raise _translation(self._path, error) from error
        if isinstance(error, UnicodeDecodeError):  # a message of SQLite quotes a damaged schema
            raise CollectionCorruptError(self._path, str(error)) from error


def _translation(path: str, error: sqlite3.DatabaseError) -> CollectionError:
    extended = getattr(error, "sqlite_errorcode", 0)
    code = extended & 0xFF
    if isinstance(error, sqlite3.ProgrammingError) and "closed database" in str(error):
        return CollectionClosedError(path)
    if extended in _NO_LOCKS:
        return no_locks(path, str(error))
    if code in _CORRUPT or extended in _UNREADABLE:
        return CollectionCorruptError(path, str(error))
    if code in _BUSY:
        # this is also what SQLite says of a drive that refuses every lock
        lacking = missing_locks(os.path.dirname(path))
        return no_locks(path, lacking) if lacking else CollectionLockedError(path)
    if code in _UNWRITABLE:
        return CollectionUnwritableError(path, str(error))
    if not code and isinstance(error, sqlite3.OperationalError):  # text that is none
        return CollectionCorruptError(path, str(error))
    return CollectionError(f"{path}: {error}")
