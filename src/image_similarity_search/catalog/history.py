"""Which history of the catalog a store has caught up with: the table ``marks``.

A catalog that was restored from a backup counts the same generations again, for other changes. So
each generation has a mark, drawn at random, and a store remembers both: a generation and a mark of
the past are known, or a store is of another history.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping

from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.meta import DROPPED, EDITED, MARK, UNMARKED, Meta
from image_similarity_search.catalog.values import NOTES, PLACES
from image_similarity_search.types import Moment

AHEAD = "it is newer than the catalog, as after a catalog backup was restored"
ANOTHER = "it has another history than the catalog, as after a catalog backup was restored"
TOO_OLD = "it is older than the catalog's change history"

_MARKS = 2**53  # what any reader of JSON can hold
_KEPT = 100_000  # generations: whoever is further behind is made anew about as quickly
_EACH = 1_000  # so many more are there before the oldest are dropped


class History:
    """The generations of one catalog, and their marks."""

    def __init__(self, database: AnyDatabase, meta: Meta) -> None:
        self._database = database
        self._meta = meta

    def moment(self) -> Moment:
        """Where the catalog is now."""
        return moment_of(self._meta.read())

    def advance(self) -> int:
        """Begin the next generation; call within a transaction. Returns what it is."""
        meta = self._meta.read()
        generation, mark = int(meta["generation"]) + 1, 1 + secrets.randbelow(_MARKS - 1)
        changed = {"generation": str(generation), MARK: str(mark)}
        changed[EDITED] = _carried_on(meta.get(EDITED), generation)
        if MARK not in meta and generation > 1:
            changed[UNMARKED] = meta["generation"]
        self._meta.write(changed)
        self._database.write("INSERT INTO marks VALUES (?, ?)", (generation, mark))
        if generation % _EACH == 0:
            self._database.write("DELETE FROM marks WHERE generation <= ?", (generation - _KEPT,))
        return generation

    def why_not(self, moment: Moment) -> str:
        """Why a store of that moment can't catch up with the catalog; empty where it can.

        One of ``AHEAD`` and ``ANOTHER``, which are contradictions, and ``TOO_OLD``, which is not.
        """
        meta = self._meta.read()
        now = moment_of(meta)
        if moment.generation > now.generation:
            return AHEAD
        if moment.generation < int(meta.get(DROPPED, 0)):
            return TOO_OLD
        if moment == now:
            return ""
        # what was written before there were marks has none, as what it is compared with
        if moment.generation <= int(meta.get(UNMARKED, 0) if now.mark else now.generation):
            return ANOTHER if moment.mark else ""
        known = self._database.row("SELECT mark FROM marks WHERE generation = ?", moment[:1])
        if known is None:
            return TOO_OLD
        return "" if known[0] == moment.mark else ANOTHER


def moment_of(meta: Mapping[str, str]) -> Moment:
    """Where a catalog is that has this ``meta``."""
    return Moment(int(meta.get("generation", 0)), int(meta.get(MARK, 0)))


def _carried_on(edited: str | None, generation: int) -> str:
    """What ``edited`` in ``meta`` says as ``generation`` begins: see ``edits``."""
    known = json.loads(edited or "{}")
    if known.get("to") != generation - 1:  # until then something else may have been edited
        known = {PLACES: generation - 1, NOTES: generation - 1}
    return json.dumps(known | {"to": generation})
