"""The table ``removals``: embeddings that went, which stores need to know to catch up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.meta import DROPPED, Meta
from image_similarity_search.errors import CollectionCorruptError
from image_similarity_search.types import IdArray

_COUNT = "SELECT count(DISTINCT image_id) FROM removals WHERE generation > ?"
_SINCE = "SELECT DISTINCT image_id FROM removals WHERE generation > ?"
_STILL_THERE = (
    "SELECT images.id FROM removals JOIN images ON images.id = removals.image_id"
    " WHERE removals.generation > ? AND state = 'indexed'"
    " AND images.generation < removals.generation"
)
_NOTE = (
    "INSERT INTO removals SELECT ?, image_id FROM embeddings WHERE image_id = ?"
    " ON CONFLICT DO NOTHING"
)


class Removals:
    """The embeddings that were taken out of one catalog, and when."""

    def __init__(self, database: AnyDatabase, meta: Meta) -> None:
        self._database = database
        self._meta = meta

    def count_since(self, generation: int) -> int:
        """How many embeddings were taken away since ``generation``."""
        count: int = self._database.value(_COUNT, (generation,))
        return count

    def since(self, generation: int) -> IdArray:
        """The ids whose embedding was taken away since ``generation``.

        Raises:
            CollectionCorruptError: an image is among them that is there since before.
        """
        rows = self._database.rows(_SINCE, (generation,))
        still_there = self._database.row(_STILL_THERE, (generation,))
        if still_there:
            problem = f"image {still_there[0]} is both removed and present"
            raise CollectionCorruptError(self._database.path, problem)
        return np.array([row[0] for row in rows], dtype=np.int64)

    def take_away(self, ids: Sequence[int], generation: int) -> None:
        """Remove embeddings, and remember it; call within the transaction of ``generation``."""
        self._database.write_many(_NOTE, ((generation, id_) for id_ in ids))
        self._database.write_many(
            "DELETE FROM embeddings WHERE image_id = ?", ((id_,) for id_ in ids)
        )

    def forget(self) -> None:
        """Drop them: stores that are behind will be made anew. Call within a transaction."""
        self._database.write("DELETE FROM removals")
        self._meta.write({DROPPED: str(self._meta.generation() - 1)})
