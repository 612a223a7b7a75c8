"""The table ``forgotten``: tags of images that are gone, until a file of their content is back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator

from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.checksums import Checksums
from image_similarity_search.catalog.parts import Row
from image_similarity_search.catalog.rows import IMAGE_COLUMNS, Rows
from image_similarity_search.catalog.tags import tags_in
from image_similarity_search.catalog.values import Forgotten
from image_similarity_search.errors import CollectionCorruptError

MOST = 100_000
"""The tags of so many images are remembered; those that were forgotten first go first."""

COLUMNS = "generation, image_id, content_hash, name, tags, crc32"

_AT_ONCE = 1024
_INSERT = "INSERT INTO forgotten VALUES (?, ?, ?, ?, ?, ?)"
_OF_CONTENT = (
    f"SELECT {COLUMNS} FROM forgotten WHERE content_hash = ?"  # noqa: S608 - constants
    " ORDER BY name = ? DESC, generation DESC, image_id DESC LIMIT 1"
)
_DROP = "DELETE FROM forgotten WHERE content_hash = ? AND image_id = ?"
_ALL = f"SELECT {COLUMNS} FROM forgotten ORDER BY generation, image_id"  # noqa: S608 - constants
_TOO_MANY = (
    "DELETE FROM forgotten WHERE (generation, image_id) <= (SELECT generation, image_id"
    " FROM forgotten ORDER BY generation DESC, image_id DESC LIMIT 1 OFFSET ?)"
)


class ForgottenTags:
    """The tags of images that one catalog had; what changes them is within a transaction."""

    def __init__(self, database: AnyDatabase, rows: Rows, checksums: Checksums) -> None:
        self._database = database
        self._rows = rows
        self._checksums = checksums

    def remember(self, ids: Iterable[int], generation: int) -> None:
        """Keep the tags of images that are about to go, as of this generation."""
        if known := list(self._tagged(list(ids))):
            self._put(known, generation)
            self._database.write(_TOO_MANY, (MOST,))
            self._rows.look_no_further()  # what was not among the forgotten may be now

    def put_all(self, images: Iterable[Forgotten], generation: int) -> None:
        """Keep what another catalog remembered, in its order.

        The images are numbered anew: their ids may have been given to others since.
        """
        numbered = (one._replace(id=number) for number, one in enumerate(images, 1))
        self._put(numbered, generation)

    def drop(self, id_: int, content: bytes) -> None:
        """Remember no longer what this image had with this content, which it has again."""
        if not self._rows.was_never_forgotten(content):
            self._database.write(_DROP, (content, id_))

    def all(self) -> list[Forgotten]:
        """All that are remembered, those that were forgotten first before."""
        return [
            Forgotten(row[1], row[2].hex(), os.fsdecode(row[3]), json.loads(row[4]))
            for row in self._database.rows(_ALL)
            if not self.problem_of(row)
        ]

    def take(self, content: bytes, name: bytes) -> list[str]:
        """The tags of an image that had this content, which are given out once.

        Of several the one whose file had this name, or else the one that was forgotten last.
        """
        if self._rows.was_never_forgotten(content):
            return []
        row = self._database.row(_OF_CONTENT, (content, name))
        if row is None or self.problem_of(row):
            return []
        self._database.write(
            "DELETE FROM forgotten WHERE generation = ? AND image_id = ?", tuple(row[:2])
        )
        tags: list[str] = json.loads(row[4])
        return tags

    def problem_of(self, row: Row) -> str | None:
        """What is wrong with a row, or None."""
        if self._checksums.of("forgotten", *row[:-1]) != row[-1]:
            return f"the tags of image {row[1]}, which is gone, have a wrong checksum"
        return None

    def _tagged(self, ids: list[int]) -> Iterator[Forgotten]:
        """Those of the images that have tags."""
        sql = (
            f"SELECT {IMAGE_COLUMNS} FROM images WHERE id {self._database.sql.in_ids}"  # noqa: S608 - constants
            " AND state = 'indexed' AND content_hash IS NOT NULL AND metadata LIKE '%\"tags\"%'"
        )
        for start in range(0, len(ids), _AT_ONCE):
            for row in self._database.rows(sql, (json.dumps(ids[start : start + _AT_ONCE]),)):
                try:
                    image = self._rows.image(row)
                except CollectionCorruptError:
                    continue  # a damaged row may be removed, too
                tags = tags_in(json.loads(image.metadata))
                if tags and image.content_hash:
                    name = os.fsdecode(image.name)
                    yield Forgotten(image.id, image.content_hash.hex(), name, tags)

    def _put(self, images: Iterable[Forgotten], generation: int) -> None:
        self._database.write_many(_INSERT, (self._sealed(one, generation) for one in images))

    def _sealed(self, image: Forgotten, generation: int) -> Row:
        content, name = bytes.fromhex(image.content_hash), os.fsencode(image.name)
        values = (generation, image.id, content, name, json.dumps(image.tags))
        return (*values, self._checksums.of("forgotten", *values))
