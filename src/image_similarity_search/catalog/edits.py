"""Which images changed since a moment: what lets an answer of that moment be brought up to date.

``images.generation`` and ``removals`` tell which embeddings came and went. What else may change in
a row, ``edited`` in ``meta`` tells, and no more than when that was last.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.history import History
from image_similarity_search.catalog.meta import EDITED, Meta
from image_similarity_search.catalog.removals import Removals
from image_similarity_search.types import IdArray, Moment


class Since(NamedTuple):
    """What came (or changed its embedding) since a moment, and what went; the ids."""

    came: IdArray
    went: IdArray


class Edits:
    """What changed in the images of one catalog."""

    def __init__(
        self, database: AnyDatabase, meta: Meta, history: History, removals: Removals
    ) -> None:
        self._database = database
        self._meta = meta
        self._history = history
        self._removals = removals

    def note(self, edited: Iterable[str], generation: int) -> None:
        """Record what the transaction of ``generation`` edited; call at its end."""
        if changed := dict.fromkeys(edited, generation):
            known = json.loads(self._meta.read()[EDITED])
            self._meta.write({EDITED: json.dumps(known | changed)})

    def since(self, moment: Moment, edited: Iterable[str], most: int) -> Since | None:
        """Which images came and went since ``moment``; call within a snapshot.

        None where that can't be told: one of ``edited`` was, it is more than ``most``, or the
        catalog has another history, or was changed by a version that does not say.
        """
        meta = self._meta.read()
        known = json.loads(meta.get(EDITED, "{}"))
        if known.get("to") != int(meta["generation"]) or self._history.why_not(moment):
            return None
        if any(known[one] > moment.generation for one in edited):
            return None
        rows = self._database.rows(
            f"SELECT id FROM images {self._database.sql.by_generation}"  # noqa: S608 - constants
            " WHERE state = 'indexed' AND generation > ? LIMIT ?",
            (moment.generation, most + 1),
        )
        went = self._removals.since(moment.generation)
        if len(rows) + len(went) > most:
            return None
        return Since(np.array([id_ for (id_,) in rows], dtype=np.int64), went)
