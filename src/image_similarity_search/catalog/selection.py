"""The ids of the images that meet conditions, found by the database.

One pass over the table ``images``, which is small beside the embeddings: a million rows take a
tenth of a second, so few columns have an index of their own. A folder is looked up by the index
that keeps names unique, a tag among the images that have some. Rows are not checked by their
checksums here, as little as where ids are counted: an image that is shown is, when its record is
read.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.dialect import Dialect
from image_similarity_search.catalog.rows import RECORD, Rows, indexed
from image_similarity_search.errors import CollectionCorruptError
from image_similarity_search.filters import Filter
from image_similarity_search.types import IdArray, ImageRecord

_ORIENTATIONS = {
    "landscape": "width > height",
    "portrait": "width < height",
    "square": "width = height",
}
_BOUNDS = {  # attribute of a filter: what it says of a row
    "min_width": "width >= ?",
    "max_width": "width <= ?",
    "min_height": "height >= ?",
    "max_height": "height <= ?",
    "min_aspect": "width >= ? * height",
    "max_aspect": "width <= ? * height",
    "min_size": "size >= ?",
    "max_size": "size <= ?",
}
_LARGEST = 2**63 - 1  # of SQLite's integers


class Selection:
    """Chooses among the indexed images of one catalog; never one that lost its place."""

    def __init__(self, database: AnyDatabase, rows: Rows) -> None:
        self._database = database
        self._rows = rows

    def ids(
        self,
        where: Filter,
        folder_ids: Sequence[int] | None,
        extensions: Sequence[str],
        among: IdArray | None = None,
    ) -> IdArray:
        """The ids of the images that ``where`` lets through, in order.

        Args:
            where: the conditions, but for folder and formats, which these two are:
            folder_ids: the folders that count; None for all.
            extensions: those of file names that count, such as ``.jpg``; none for all.
            among: only images of these ids, each once; None for all.

        Raises:
            CollectionCorruptError: some images can't be read.
        """
        sql = self._database.sql
        terms, values = _conditions(sql, where, extensions)
        source, read = f"images {sql.as_table} WHERE state = 'indexed'", []
        if among is not None:
            source, read = f"images WHERE state = 'indexed' AND id {sql.in_ids}", [_listed(among)]
            if folder_ids is not None:
                terms += f" AND folder_id {sql.in_ids}"
                values.append(_listed(folder_ids))
        elif folder_ids is not None:
            source = f"images WHERE state = 'indexed' AND folder_id {sql.in_ids}"
            read = [_listed(folder_ids)]
        elif where.tags:
            source = f"images WHERE state = 'indexed' AND {sql.maybe_tagged}"
        if where.name is not None:
            rows = self._database.rows(
                f"SELECT id, name FROM {source} AND {terms}",  # noqa: S608 - constants
                (*read, *values),
            )
            return _matching(rows, where.name)
        count, text = self._database.row(
            f"SELECT count(*), {sql.joined_ids} FILTER (WHERE {terms}) FROM {source}",  # noqa: S608 - constants
            (*values, *read),
        ) or (0, None)
        if among is not None:
            self._check_count(count, len(among))
        elif folder_ids is None and not where.tags:  # the whole table was read
            self._check_count(count, self._database.value(indexed(sql)))
        return _ids(text)

    def _check_count(self, count: int, expected: int) -> None:
        """Refuse a table of which some rows can't be found."""
        if count != expected:
            reason = f"{count:,} of {expected:,} images can be read"
            raise CollectionCorruptError(self._database.path, reason)

    def copies(self) -> list[IdArray]:
        """The ids of images whose files have the same bytes, two or more together, each in order.

        By the hashes that were recorded, which are checked when a record is read.
        """
        sql = self._database.sql
        rows = self._database.rows(
            f"SELECT {sql.joined_ids} FROM images"  # noqa: S608 - constants
            f" WHERE state = 'indexed' AND content_hash IS NOT NULL AND {sql.in_place}"
            " GROUP BY content_hash HAVING count(*) > 1"
        )
        return sorted((_ids(text) for (text,) in rows), key=lambda ids: int(ids[0]))

    def records_after(self, id_: int, limit: int) -> list[ImageRecord]:
        """The first ``limit`` images with a greater id, in order of id.

        Raises:
            CollectionCorruptError: one of them is not as it was written.
        """
        in_place = self._database.sql.in_place
        rows = self._database.rows(
            f"{RECORD} WHERE images.state = 'indexed' AND images.id > ? AND {in_place}"
            " ORDER BY images.id LIMIT ?",
            (min(id_, _LARGEST), min(limit, _LARGEST)),
        )
        return [self._rows.record(row) for row in rows]


def _conditions(sql: Dialect, where: Filter, extensions: Sequence[str]) -> tuple[str, list[Any]]:
    """The conditions as SQL, and the values in it."""
    terms, values = [sql.in_place], []
    for name, term in _BOUNDS.items():
        value = getattr(where, name)
        if value is not None:
            terms.append(term)
            values.append(min(value, _LARGEST))
    if where.orientation is not None:
        terms.append(_ORIENTATIONS[where.orientation])
    if where.aspect in _ORIENTATIONS:
        terms.append(_ORIENTATIONS[str(where.aspect)])
    elif bounds := where.aspect_bounds:
        terms.append("width BETWEEN ? * height AND ? * height")
        values += bounds
    for moment, term in ((where.after_ns, "mtime_ns >= ?"), (where.before_ns, "mtime_ns < ?")):
        if moment is not None:
            terms.append(term)
            values.append(max(-_LARGEST, min(moment, _LARGEST)))
    for tag in where.tags:
        terms.append(sql.tagged)
        values.append(tag)
    if where.about_traits:
        inner, more = _of_traits(sql, where)
        terms.append(f"images.id IN (SELECT image_id FROM traits WHERE {inner})")  # noqa: S608 - constants
        values += more
    if extensions:
        alternatives = " OR ".join(sql.name_like for _ in extensions)
        terms.append(f"({alternatives})")
        values += [f"%{extension}" for extension in extensions]
    return " AND ".join(terms), values


def _of_traits(sql: Dialect, where: Filter) -> tuple[str, list[Any]]:
    """The conditions on a row of ``traits`` as SQL, and the values in it."""
    terms: list[str] = []
    values: list[Any] = []
    if where.camera is not None:
        terms.append(sql.camera)
        values.append(where.camera.strip())
    for moment, term in (
        (where.taken_after_seconds, "taken >= ?"),
        (where.taken_before_seconds, "taken < ?"),
    ):
        if moment is not None:
            terms.append(term)
            values.append(moment)
    if where.gps_box is not None:
        south, west, north, east = where.gps_box
        between = "BETWEEN ? AND ?" if west <= east else "NOT BETWEEN ? AND ?"
        terms.append(f"latitude BETWEEN ? AND ? AND longitude {between}")
        values += [south, north, *((west, east) if west <= east else (east, west))]
    for colour in where.colours:
        terms.append(sql.coloured)
        values.append(colour)
    return " AND ".join(terms), values


def _matching(rows: list[tuple[int, bytes]], pattern: str) -> IdArray:
    matches = re.compile(fnmatch.translate(pattern), re.IGNORECASE).match
    found = [id_ for id_, name in rows if matches(os.fsdecode(name))]
    return np.array(sorted(found), dtype=np.int64)


def _listed(ids: Iterable[int]) -> str:
    """Ids as a value of a statement."""
    return json.dumps([int(id_) for id_ in ids])


def _ids(text: str | None) -> IdArray:
    """Ids from text, which is far quicker than a row for each."""
    if not text:
        return np.empty(0, dtype=np.int64)
    return np.sort(np.fromstring(text, dtype=np.int64, sep=","))
