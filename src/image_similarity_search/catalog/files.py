"""What the catalog knows of the files in a folder, to tell which of them changed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping

from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.rows import IMAGE_COLUMNS, Rows
from image_similarity_search.catalog.values import Known


class Files:
    """The files of one catalog."""

    def __init__(self, database: AnyDatabase, rows: Rows) -> None:
        self._database = database
        self._rows = rows

    def in_folder(self, folder_id: int) -> dict[str, Known]:
        """The files known in a folder, by name."""
        return self._known("folder_id = ?", folder_id)

    def of(self, ids: Iterable[int]) -> dict[str, Known]:
        """The files of these ids, which are of one folder, by name."""
        return self._known(f"id {self._database.sql.in_ids}", json.dumps(list(ids)))

    def named(self, folder_id: int, names: Iterable[str]) -> dict[str, Known]:
        """The objects of these names that are known in a folder, by name."""
        listed = json.dumps(list(names))
        sql = (
            f"SELECT {IMAGE_COLUMNS} FROM images WHERE folder_id = ?"  # noqa: S608 - constants
            f" AND name {self._database.sql.in_names}"
        )
        return self._rows.known_by_name(self._database.rows(sql, (folder_id, listed)))

    def after(self, folder_id: int, name: str, limit: int) -> dict[str, Known]:
        """The first ``limit`` files known in a folder after a name, by name and in its order."""
        sql = (
            f"SELECT {IMAGE_COLUMNS} FROM images WHERE folder_id = ? AND name > ?"  # noqa: S608 - constants
            " ORDER BY name LIMIT ?"
        )
        values = (folder_id, os.fsencode(name), limit)
        return self._rows.known_by_name(self._database.rows(sql, values))

    def indexed_as(self, folder_id: int) -> dict[tuple[str, int, int], int]:
        """The ids of a folder's files by name, size and time of last change; quick.

        Without a look at checksums: a row that agrees with a file in all three needs none, and
        the others are to be asked for again (``of``). Bad files agree with none.
        """
        rows = self._database.rows(
            "SELECT name, CASE state WHEN 'indexed' THEN size ELSE -1 END, mtime_ns, id"
            " FROM images WHERE folder_id = ?",
            (folder_id,),
        )
        encoding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
        return {(name.decode(encoding, errors), size, time): id_ for name, size, time, id_ in rows}

    def still_at(self, seen: Mapping[int, tuple[int, bytes]]) -> set[int]:
        """Those of the ids that are in the place, of a folder's id and a name, where they were."""
        rows = self._database.rows(
            f"SELECT id, folder_id, name FROM images WHERE id {self._database.sql.in_ids}",  # noqa: S608 - constants
            (json.dumps(list(seen)),),
        )
        return {id_ for id_, folder_id, name in rows if seen[id_] == (folder_id, name)}

    def _known(self, condition: str, value: int | str) -> dict[str, Known]:
        query = f"SELECT {IMAGE_COLUMNS} FROM images WHERE {condition}"  # noqa: S608 - constants
        return self._rows.known_by_name(self._database.rows(query, (value,)))
