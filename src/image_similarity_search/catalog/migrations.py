"""Bring a catalog of an older format to the present one.

Each step leads from one format to the next, and knows the two formats as they were: it does not
use ``schema``, which goes on. All steps are one transaction, so a killed process leaves the old
format or the new one. The catalog as it was is kept beside it first.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing

from image_similarity_search.catalog.checksums import Checksums, checksum_of_meta
from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.catalog.parts import Row, in_parts
from image_similarity_search.catalog.schema import FORMAT_VERSION
from image_similarity_search.errors import CollectionCorruptError, CollectionUnwritableError
from image_similarity_search.replacing import replaced

_WAIT_SECONDS = 60.0  # for another process that does the same

READABLE = 3
"""The oldest format that can be read as it is, with ``stand_in`` for the tables that it lacks."""

_UNSEALED = 1  # the format whose rows have no checksums, by which a repair knows them

_log = logging.getLogger(__name__)


def bring_up_to_date(connection: sqlite3.Connection, path: str) -> None:
    """Change the catalog at ``path``, open as ``connection``, to the present format.

    Raises:
        CollectionUnwritableError: it can't be written to.
        CollectionLockedError: another process is writing.
        CollectionCorruptError: it is damaged.
    """
    folder = os.path.dirname(path)
    try:
        with writer_lock(folder, wait=_WAIT_SECONDS):
            found = _version(connection)
            if found < FORMAT_VERSION:  # or another process was quicker
                _refuse_damaged(connection, path, found)
                _back_up(connection, f"{path}.backup-format-{found}")
                _change(connection, path, found)
                _log.info("%s: upgraded to storage format %d from %d", path, FORMAT_VERSION, found)
    except (CollectionUnwritableError, sqlite3.OperationalError) as error:
        if isinstance(error, sqlite3.OperationalError) and not _is_about_writing(error):
            raise
        raise CollectionUnwritableError(
            path,
            f"its older storage format must be upgraded to {FORMAT_VERSION} ({error})",
            "copy the folder to a writable place and use it there",
        ) from error


def stand_in(connection: sqlite3.Connection) -> None:
    """Have empty tables, of this connection alone, for those that a readable format lacks."""
    if _version(connection) < 4:
        connection.execute(_FORGOTTEN_4.replace("CREATE TABLE", "CREATE TEMP TABLE"))
        connection.execute(_FORGOTTEN_INDEX_4.format("temp."))
    if _version(connection) < 5:
        connection.execute(_MARKS_5.replace("CREATE TABLE", "CREATE TEMP TABLE"))


def _is_about_writing(error: sqlite3.OperationalError) -> bool:
    code = error.sqlite_errorcode & 0xFF
    return code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _refuse_damaged(connection: sqlite3.Connection, path: str, found: int) -> None:
    """Raise CollectionCorruptError for what must not count as whole from then on."""
    (problem,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if problem != "ok":
        raise _damaged(path, found, problem)


def _damaged(path: str, found: int, reason: str) -> CollectionCorruptError:
    if found > _UNSEALED:
        return CollectionCorruptError(path, reason)
    remedy = "its storage format can't be repaired: move it away and index again"
    return CollectionCorruptError(path, reason, remedy)


def _back_up(connection: sqlite3.Connection, path: str) -> None:
    with replaced(path) as (aside,), closing(sqlite3.connect(aside)) as copy:
        connection.backup(copy)


def _change(connection: sqlite3.Connection, path: str, found: int) -> None:
    connection.execute("PRAGMA foreign_keys = OFF")  # tables are made anew
    try:
        connection.execute("BEGIN IMMEDIATE")
        for version in range(found, FORMAT_VERSION):
            _STEPS[version](connection)
        if connection.execute("PRAGMA foreign_key_check").fetchone():
            raise _damaged(path, found, "a row refers to a missing row")
        connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        connection.execute("COMMIT")
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise _damaged(path, found, repr(error)) from error
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute("PRAGMA foreign_keys = ON")


def _from_1_to_2(connection: sqlite3.Connection) -> None:
    """Every row has a checksum, and an image knows that of its embedding."""
    meta = dict(connection.execute("SELECT key, value FROM meta"))
    checksums = Checksums(meta["id"])
    _seal_embeddings(connection, checksums)
    for table, columns in _SEALED_2.items():
        _seal(connection, checksums, table, columns)
    for index in _INDEXES_2:
        connection.execute(index)
    meta["generation"] = str(int(meta["generation"]) + 1)
    meta["crc32"] = checksum_of_meta(meta)
    connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())


def _from_2_to_3(connection: sqlite3.Connection) -> None:
    """What files say of themselves has a table, which the next sync fills."""
    connection.execute(_TRAITS_3)


def _from_3_to_4(connection: sqlite3.Connection) -> None:
    """Tags of images that are gone have a table."""
    connection.execute(_FORGOTTEN_4)
    connection.execute(_FORGOTTEN_INDEX_4.format(""))


def _from_4_to_5(connection: sqlite3.Connection) -> None:
    """Marks of generations have a table; those until now have none, see ``history``."""
    connection.execute(_MARKS_5)


def _seal(connection: sqlite3.Connection, checksums: Checksums, table: str, columns: str) -> None:
    """Make ``table`` anew with a checksum at the end of each row; ids go on as before."""
    used = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    connection.execute(f"CREATE TABLE sealed ({columns}) STRICT")
    width = len(connection.execute("PRAGMA table_info(sealed)").fetchall())
    old = "images.*, e.crc32 FROM images LEFT JOIN embeddings e ON image_id = id"
    old = old if table == "images" else f"* FROM {table}"
    for rows in _parts(connection, f"SELECT {old} WHERE id > ? ORDER BY id LIMIT ?"):
        connection.executemany(
            f"INSERT INTO sealed VALUES ({', '.join('?' * width)})",  # noqa: S608 - a constant
            [(*row, checksums.of(table, *row)) for row in rows],
        )
    connection.execute(f"DROP TABLE {table}")
    connection.execute(f"ALTER TABLE sealed RENAME TO {table}")
    connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
    if used:
        connection.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (table, *used))


def _seal_embeddings(connection: sqlite3.Connection, checksums: Checksums) -> None:
    sql = (
        "SELECT image_id, norm, unit, crc32 FROM embeddings WHERE image_id > ?"
        " ORDER BY image_id LIMIT ?"
    )
    for rows in _parts(connection, sql):
        sealed = []
        for id_, norm, unit, crc32 in rows:
            whole = zlib.crc32(unit, zlib.crc32(struct.pack("<d", norm))) == crc32
            right = checksums.of("embeddings", id_, norm, unit)
            sealed.append((right if whole else right ^ 1, id_))  # a damaged one stays so
        connection.executemany("UPDATE embeddings SET crc32 = ? WHERE image_id = ?", sealed)


def _parts(connection: sqlite3.Connection, sql: str) -> Iterator[list[Row]]:
    return in_parts(lambda sql, values: connection.execute(sql, values).fetchall(), "", sql)


_SEALED_2 = {
    "roots": """
        id INTEGER PRIMARY KEY,
        path BLOB NOT NULL UNIQUE,
        crc32 INTEGER NOT NULL""",
    "folders": """
        id INTEGER PRIMARY KEY,
        root_id INTEGER NOT NULL REFERENCES roots (id),
        path BLOB NOT NULL,
        crc32 INTEGER NOT NULL,
        UNIQUE (root_id, path)""",
    "images": """
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        folder_id INTEGER NOT NULL REFERENCES folders (id),
        name BLOB NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        content_hash BLOB,
        width INTEGER,
        height INTEGER,
        state TEXT NOT NULL CHECK (state IN ('indexed', 'skipped')),
        reason TEXT,
        generation INTEGER NOT NULL,
        metadata TEXT NOT NULL DEFAULT '{}',
        embedding_crc32 INTEGER,
        crc32 INTEGER NOT NULL,
        UNIQUE (folder_id, name)""",
}
_INDEXES_2 = (
    "CREATE INDEX images_by_content ON images (content_hash)",
    "CREATE INDEX images_by_generation ON images (generation) WHERE state = 'indexed'",
    "CREATE INDEX images_skipped ON images (id) WHERE state = 'skipped'",
)

_TRAITS_3 = """
    CREATE TABLE traits (
        image_id INTEGER PRIMARY KEY REFERENCES images (id) ON DELETE CASCADE,
        camera TEXT,
        taken INTEGER,
        latitude REAL,
        longitude REAL,
        colours TEXT NOT NULL,
        crc32 INTEGER NOT NULL
    ) STRICT"""

_FORGOTTEN_4 = """
    CREATE TABLE forgotten (
        generation INTEGER NOT NULL,
        image_id INTEGER NOT NULL,
        content_hash BLOB NOT NULL,
        name BLOB NOT NULL,
        tags TEXT NOT NULL,
        crc32 INTEGER NOT NULL,
        PRIMARY KEY (generation, image_id)
    ) STRICT, WITHOUT ROWID"""

_FORGOTTEN_INDEX_4 = "CREATE INDEX {}forgotten_by_content ON forgotten (content_hash)"

_MARKS_5 = """
    CREATE TABLE marks (
        generation INTEGER PRIMARY KEY,
        mark INTEGER NOT NULL
    ) STRICT"""

_STEPS: dict[int, Callable[[sqlite3.Connection], None]] = {
    1: _from_1_to_2,
    2: _from_2_to_3,
    3: _from_3_to_4,
    4: _from_4_to_5,
}
