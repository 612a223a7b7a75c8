"""Putting all embeddings of a catalog into a store in an engine; goes on where it was ended."""

from __future__ import annotations

import logging
from collections.abc import Callable

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.errors import StoreUnavailableError
from image_similarity_search.stores.engines import Engine, EngineStore, Label
from image_similarity_search.stores.engines.base import Filled
from image_similarity_search.types import Moment

_ROUNDS = 5

_log = logging.getLogger(__name__)


def label_of(catalog: Catalog, kind: str | None = None) -> Label:
    """What is to be written on a store of this catalog."""
    made = catalog.identity
    return Label(made.id, made.encoder, made.dim, made.metric, made.index if kind is None else kind)


def filled_store(
    engine: Engine,
    catalog: Catalog,
    label: Label,
    progress: Callable[[int], None] | None = None,
) -> EngineStore:
    """A store, not yet in place, that holds all of the catalog of this moment.

    The caller holds the store's lock, and no snapshot: the catalog may change meanwhile, and
    others read it. How far it is, is written into the engine after each part.

    Raises:
        CollectionCorruptError: the catalog is damaged.
        StoreUnavailableError: the engine can't be reached, or lost something.
    """
    store = engine.begun(label)
    filled = store.filled
    if filled is None or catalog.history.why_not(filled.began):
        if filled is not None:  # what was removed since it began is not known
            engine.drop(label.identity)
            store = engine.begun(label)
        filled = Filled(catalog.moment)
        store.filled = filled
    for part in catalog.embeddings.since(0, after=filled.last):
        store.upsert(part.ids, part.comparable(label.metric))
        filled = Filled(filled.began, int(part.ids[-1]))
        store.filled = filled
        if progress:
            progress(filled.last)
    count = caught_up(store, catalog, filled.began)
    if count is not None and len(store) != count:
        held = len(store)
        catalog.check_count(catalog.embeddings.count())
        engine.drop(label.identity)
        raise StoreUnavailableError(
            f"the engine holds {held:,} of {count:,} embeddings after it took them all; try again"
        )
    _log.info("filled with %d embeddings, of generation %d", len(store), store.moment.generation)
    return store


def caught_up(store: EngineStore, catalog: Catalog, since: Moment) -> int | None:
    """Bring a store that reflects the moment ``since`` to the catalog's.

    No snapshot is held while the engine takes what it lacks. What the catalog sees meanwhile is
    brought there too, until it rests, or for a few rounds; a part of it may come twice.

    Returns how many embeddings the store should hold then; None where the catalog went on all
    the time, so that nobody can tell.

    Raises:
        StoreUnavailableError: the catalog was replaced, or forgot what it saw then, meanwhile.
    """
    count = None
    for _ in range(_ROUNDS):
        with catalog.snapshot():
            now, indexed = catalog.moment, catalog.counts().indexed
            why = catalog.history.why_not(since)
        if why:
            raise StoreUnavailableError(f"the engine can't be updated: {why}")
        if now == since:
            count = indexed
            break
        store.delete(catalog.removals.since(since.generation))
        for part in catalog.embeddings.since(since.generation):
            store.upsert(part.ids, part.comparable(store.label.metric))
        since = now
    if store.moment != since or store.filled:
        store.moment = since
    return count
