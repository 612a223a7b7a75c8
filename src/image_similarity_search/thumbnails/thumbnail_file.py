"""The file of thumbnails: derived data, by content, that may be lost at any time.

Nothing here raises: what can't be kept is not kept, and what can't be read is not there. The
reason is logged, once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

FILE_NAME = "thumbnails.sqlite"

_BUSY_SECONDS = 2.0
_HASHES_AT_ONCE = 4096
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS thumbnails (
    content_hash BLOB PRIMARY KEY,
    crc32 INTEGER NOT NULL,
    jpeg BLOB NOT NULL
) STRICT
"""
_PUT = "INSERT OR REPLACE INTO thumbnails VALUES (?, ?, ?)"
_GET = "SELECT crc32, jpeg FROM thumbnails WHERE content_hash = ?"
_HASHES = "SELECT content_hash FROM thumbnails WHERE content_hash > ? ORDER BY 1 LIMIT ?"
_DISCARD = "DELETE FROM thumbnails WHERE content_hash = ?"

_Result = TypeVar("_Result")

_log = logging.getLogger(__name__)


class ThumbnailFile:
    """Thumbnails, JPEGs, by the content hash (hex) of their picture's file.

    Threads may share it, and processes its file.
    """

    def __init__(self, folder: str) -> None:
        """The file in ``folder``, which is made when something is first put into it."""
        self.path = os.path.join(folder, FILE_NAME)
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._place: tuple[int, int] | None = None
        self._has_complained = False

    def close(self) -> None:
        """Close the file; it opens again when it is used."""
        with self._lock:
            self._disconnect()

    def get(self, content_hash: str) -> bytes | None:
        """The thumbnail of this content, if it is there as it was written."""
        digest = bytes.fromhex(content_hash)
        for crc32, jpeg in self._rows(_GET, digest):
            if crc32 == _checksum(digest, jpeg):
                return bytes(jpeg)
        return None

    def put(self, thumbnails: Mapping[str, bytes]) -> None:
        """Keep thumbnails by the content of their pictures, all or none."""
        digests = [(bytes.fromhex(content), jpeg) for content, jpeg in thumbnails.items()]
        if digests:
            self._change(_PUT, [(digest, _checksum(digest, it), it) for digest, it in digests])

    def discard(self, content_hashes: Iterable[str]) -> None:
        """Forget the thumbnails of these contents, those that there are."""
        digests = [(bytes.fromhex(content),) for content in content_hashes]
        if digests and os.path.exists(self.path):
            self._change(_DISCARD, digests)

    def hashes(self) -> Iterator[str]:
        """The contents of which there are thumbnails, in order."""
        last = b""
        while rows := self._rows(_HASHES, last, _HASHES_AT_ONCE):
            yield from (digest.hex() for (digest,) in rows)
            last = rows[-1][0]

    def bytes_on_disk(self) -> int:
        """How much room the thumbnails take."""
        files = (self.path, f"{self.path}-wal")
        return sum(os.path.getsize(file) for file in files if os.path.exists(file))

    def shrink(self) -> None:
        """Give back the room of what was discarded."""
        self._rows("VACUUM")
        self.settle()

    def settle(self) -> None:
        """Bring all of it into the one file, as far as others let that happen."""
        self._rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def delete(self) -> None:
        """Delete the file and all that is in it."""
        with self._lock:
            self._delete()

    def delete_if_damaged(self) -> None:
        """Delete a file that can't be used, so that a new one can be made; for the one writer."""
        with self._lock:
            try:
                connection = self._connected(making=False)
                if connection:
                    connection.execute(_GET, (b"",)).fetchall()
            except sqlite3.DatabaseError as error:
                self._disconnect()
                if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
                    _log.warning("%s is damaged (%s): creating a new one", self.path, error)
                    self._delete()
            except OSError:
                self._disconnect()

    def _rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._do(lambda it: it.execute(sql, parameters).fetchall(), making=False) or []

    def _change(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        def change(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.executemany(sql, rows)
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

        self._do(change, making=True)

    def _do(self, work: Callable[[sqlite3.Connection], _Result], *, making: bool) -> _Result | None:
        """What ``work`` gives with the open file; None where there is none or it can't be used."""
        with self._lock:
            try:
                connection = self._connected(making=making)
                return work(connection) if connection else None
            except (sqlite3.Error, OSError) as error:
                with contextlib.suppress(sqlite3.Error):
                    self._disconnect()
                if not self._has_complained:
                    self._has_complained = True
                    _log.warning("%s: thumbnails can't be stored or read: %s", self.path, error)
                return None

    def _connected(self, *, making: bool) -> sqlite3.Connection | None:
        """The open file, the one that is at its path now; None where there is none."""
        place = _place(self.path)
        if self._connection is None or self._place != place:
            self._disconnect()
            if place is None and not making:
                return None
            self._connection = _opened(self.path, making=making)
            self._place = _place(self.path)
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            connection.close()

    def _delete(self) -> None:
        self._disconnect()
        for file in (self.path, f"{self.path}-wal", f"{self.path}-shm"):
            with contextlib.suppress(OSError):
                os.remove(file)


def _opened(path: str, *, making: bool) -> sqlite3.Connection:
    """The database at ``path``, to write if possible."""
    if making:
        return _connected(path, "mode=rwc", making=True)
    try:
        return _connected(path, "mode=rw")
    except sqlite3.OperationalError:
        log = f"{path}-wal"
        if os.path.exists(log) and os.path.getsize(log):
            raise
        return _connected(path, "mode=ro&immutable=1")  # where nothing can be written beside it


def _connected(path: str, mode: str, *, making: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(os.fsencode(path))}?{mode}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        # the power may go: what that leaves of derived data is found out by the checksums
        connection.execute("PRAGMA synchronous = OFF")
        if making:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(_SCHEMA)
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _place(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _checksum(digest: bytes, jpeg: bytes) -> int:
    return zlib.crc32(jpeg, zlib.crc32(digest))
