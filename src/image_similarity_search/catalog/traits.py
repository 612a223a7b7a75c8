"""The table ``traits``: what the EXIF of files says, and their colours.

It is derived of the files: what is lacking, as in a catalog of an older format or after a repair,
is read again by the next sync of its folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.checksums import Checksums
from image_similarity_search.catalog.parts import Row
from image_similarity_search.catalog.rows import indexed
from image_similarity_search.errors import CollectionCorruptError
from image_similarity_search.types import Traits

COLUMNS = "image_id, camera, taken, latitude, longitude, colours, crc32"

_CHANGED = ", ".join(f"{column} = excluded.{column}" for column in COLUMNS.split(", ")[1:])
_PUT = (
    "INSERT INTO traits VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
    f" ON CONFLICT (image_id) DO UPDATE SET {_CHANGED}"
)


class TraitTable:
    """The traits of the images of one catalog."""

    def __init__(self, database: AnyDatabase, checksums: Checksums) -> None:
        self._database = database
        self._checksums = checksums

    def of(self, id_: int) -> Traits | None:
        """Those of an image; None where they were not read.

        Raises:
            CollectionCorruptError: they are not as they were written.
        """
        row = self._database.row(f"SELECT {COLUMNS} FROM traits WHERE image_id = ?", (id_,))  # noqa: S608 - constants
        if row is None:
            return None
        if problem := self.problem_of(row):
            raise CollectionCorruptError(self._database.path, problem)
        _, camera, taken, latitude, longitude, colours, _ = row
        return Traits(camera, taken, latitude, longitude, tuple(colours.split()))

    def put(self, id_: int, traits: Traits) -> None:
        """Keep those of an image; call within a transaction."""
        latitude, longitude = (
            None if value is None else float(value) for value in (traits.latitude, traits.longitude)
        )
        values = (id_, traits.camera, traits.taken, latitude, longitude, " ".join(traits.colours))
        self._database.write(
            _PUT,
            (*values, self._checksums.of("traits", *values)),
        )

    def forget(self, ids: Iterable[int]) -> None:
        """Drop those of images; call within a transaction."""
        self._database.write_many("DELETE FROM traits WHERE image_id = ?", ((id_,) for id_ in ids))

    def cameras(self) -> dict[str, int]:
        """How many indexed images each camera took, in order of their names."""
        return dict(
            self._database.rows(
                "SELECT camera, count(*) FROM traits JOIN images ON images.id = image_id"
                " WHERE camera IS NOT NULL AND state = 'indexed' GROUP BY camera ORDER BY camera"
            )
        )

    def are_lacking(self) -> bool:
        """Whether those of some indexed images were not read."""
        count = indexed(self._database.sql)
        lacking: bool = self._database.value(f"SELECT ({count}) > (SELECT count(*) FROM traits)")  # noqa: S608 - constants
        return lacking

    def lacking_in(self, folder_ids: Iterable[int]) -> list[int]:
        """The ids of indexed images in these folders whose traits were not read, in order."""
        rows = self._database.rows(
            "SELECT id FROM images WHERE state = 'indexed'"  # noqa: S608 - constants
            f" AND folder_id {self._database.sql.in_ids}"
            " AND NOT EXISTS (SELECT 1 FROM traits WHERE image_id = images.id) ORDER BY id",
            (json.dumps(list(folder_ids)),),
        )
        return [id_ for (id_,) in rows]

    def problem_of(self, row: Row) -> str | None:
        """What is wrong with a row, or None."""
        if self._checksums.of("traits", *row[:-1]) != row[-1]:
            return f"the traits of image {row[0]} have a wrong checksum"
        return None
