"""A catalog in a file that is filled with the rows of another one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any, Self

from image_similarity_search.catalog.aside import begun_aside, placed
from image_similarity_search.catalog.database import Database
from image_similarity_search.catalog.meta import Meta
from image_similarity_search.catalog.parts import Row
from image_similarity_search.catalog.tables import Table
from image_similarity_search.catalog.whereabouts import FILE_NAME
from image_similarity_search.errors import CollectionExistsError, CollectionNotFoundError

_NEWER = (
    "it is a newer state of this collection; use it in another index folder, or choose another"
    " folder"
)


class ArrivalInFile:
    """One; see ``copying.Arrival``."""

    was_there = False

    def __init__(self, folder: str, database: Database) -> None:
        """For ``begun``."""
        self._folder = folder
        self._database = database
        self.path = os.path.join(folder, FILE_NAME)
        self.meta = Meta(database).read()

    @classmethod
    @contextmanager
    def begun(cls, folder: str, meta: dict[str, str]) -> Iterator[Self]:
        """An empty one for ``folder``, with this ``meta``; the caller holds the writer lock.

        A file of the same collection that is there already is one that was moved away: it is
        replaced in the end, unless it went on.

        Raises:
            CollectionExistsError: another collection's file is there, or a newer one of this.
            CollectionUnwritableError: it can't be made there.
        """
        with (
            suppress(CollectionNotFoundError),
            closing(Database(os.path.join(folder, FILE_NAME), read_only=True)) as there,
        ):
            found = Meta(there).read()
            if found["id"] != meta["id"]:
                raise CollectionExistsError(folder)
            if int(found["generation"]) > int(meta["generation"]):
                raise CollectionExistsError(there.path, _NEWER)
        with (
            begun_aside(folder) as aside,
            closing(Database.create(os.path.join(aside, FILE_NAME), meta)) as database,
        ):
            database.write("DELETE FROM roots")  # the loose one comes with the others
            yield cls(folder, database)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""
        return self._database.rows(sql, parameters)

    def put(self, table: Table, parts: Iterable[list[Row]]) -> None:
        """Add rows to a table that has none."""
        names = ", ".join(table.columns)
        values = ", ".join("?" * len(table.columns))
        for part in parts:
            with self._database.transaction():
                self._database.write_many(
                    f"INSERT INTO {table.name} ({names}) VALUES ({values})",  # noqa: S608 - constants
                    part,
                )

    def put_in_place(self, last_id: int) -> None:
        """Let it be the catalog in the folder's file, of which no id is given again."""
        with self._database.transaction():
            self._database.use_up(last_id)
        placed(self._folder, self._database)
