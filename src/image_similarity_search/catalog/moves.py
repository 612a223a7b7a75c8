"""Where a catalog that is moved arrives, and how the former place says that it left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, cast

from image_similarity_search.catalog import whereabouts
from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.arrival_in_file import ArrivalInFile
from image_similarity_search.catalog.copying import Arrival, check_unchanged
from image_similarity_search.catalog.dialect import POSTGRESQL

if TYPE_CHECKING:
    from image_similarity_search.catalog.postgresql.shared_database import SharedDatabase

_UNLOCKED = "SELECT key FROM meta FOR UPDATE SKIP LOCKED"


def arrival(folder: str, url: str, meta: dict[str, str]) -> AbstractContextManager[Arrival]:
    """A catalog to be filled, at ``url`` or in the file of ``folder``; as ``begun`` of either."""
    if not url:
        return ArrivalInFile.begun(folder, meta)
    whereabouts.check_client(url)
    from image_similarity_search.catalog.postgresql.shared_arrival import SharedArrival

    return SharedArrival.begun(url, meta)


def is_locked(database: AnyDatabase) -> bool:
    """Whether it is shared, and another connection has all rows of ``meta``, as an arrival has."""
    return database.sql is POSTGRESQL and not database.rows(_UNLOCKED)


@contextmanager
def left(database: AnyDatabase, meta: dict[str, str], folder: str, to: str) -> Iterator[None]:
    """At the end of the block a shared catalog says that it is at ``to``, and is none any more.

    Then ``folder`` is to be told; that it will be is noted there before. ``meta`` is what it was
    copied with. The connection has the turn at it: that nobody changed it since is known as long as
    there is one. A catalog in a file needs to say nothing: its folder does.

    Raises:
        CollectionUnwritableError: nobody may say that here; raised before the block.
        CollectionCorruptError: somebody changed it all the same; the same.
        CollectionUnavailableError: the connection was lost, and the turn with it. Where that was
            at the very end, nobody knows what it says; who opens it next is told.
    """
    if database.sql is not POSTGRESQL:
        yield
        return
    with database.transaction():
        cast("SharedDatabase", database).leave(to)
        check_unchanged(database, meta)
        yield
        whereabouts.intend(folder, to)
