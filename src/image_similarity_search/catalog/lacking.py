"""What a catalog does not have, of many that are asked for in one statement."""

from __future__ import annotations

from collections.abc import Sequence

from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.parts import Row

_CONTENTS = (
    "SELECT column1 FROM (VALUES {}) AS sought WHERE NOT EXISTS"
    " (SELECT 1 FROM images WHERE content_hash = column1 AND state = 'indexed')"
)
_FORGOTTEN = (
    "SELECT column1 FROM (VALUES {}) AS sought WHERE NOT EXISTS"
    " (SELECT 1 FROM forgotten WHERE content_hash = column1)"
)
_PLACES = (
    "SELECT column1, column2 FROM (VALUES {}) AS sought WHERE NOT EXISTS"
    " (SELECT 1 FROM images WHERE folder_id = column1 AND name = column2)"
)


def contents(database: AnyDatabase, digests: Sequence[bytes]) -> set[bytes]:
    """Those that no indexed image has."""
    return {digest for (digest,) in _rows(database, _CONTENTS, [(one,) for one in digests])}


def forgotten(database: AnyDatabase, digests: Sequence[bytes]) -> set[bytes]:
    """Those contents that no forgotten image had."""
    return {digest for (digest,) in _rows(database, _FORGOTTEN, [(one,) for one in digests])}


def places(database: AnyDatabase, sought: Sequence[tuple[int, bytes]]) -> set[tuple[int, bytes]]:
    """Those, of a folder's id and a name, where no image is."""
    return {(folder, name) for folder, name in _rows(database, _PLACES, sought)}


def _rows(database: AnyDatabase, sql: str, sought: Sequence[Row]) -> list[Row]:
    if not sought:
        return []
    marks = f"({', '.join('?' for _ in sought[0])})"
    values = [value for row in sought for value in row]
    return database.rows(sql.format(", ".join(marks for _ in sought)), values)
