"""What of a catalog depends on whether it is shared."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.dialect import POSTGRESQL
from image_similarity_search.catalog.places import Places
from image_similarity_search.catalog.rows import Rows
from image_similarity_search.catalog.turns import Turns

if TYPE_CHECKING:
    from image_similarity_search.catalog.postgresql.shared_database import SharedDatabase


def arranged(folder: str, database: AnyDatabase, rows: Rows) -> tuple[Places, Turns]:
    """The places of a catalog, and the turns of the index folder ``folder`` at changing it."""
    if database.sql is not POSTGRESQL:
        return Places(database, rows), Turns(folder)
    from image_similarity_search.catalog.postgresql.shared_places import SharedPlaces
    from image_similarity_search.catalog.postgresql.shared_turns import SharedTurns

    shared = cast("SharedDatabase", database)
    places = SharedPlaces(shared, rows)
    return places, SharedTurns(folder, shared.locks, places)
