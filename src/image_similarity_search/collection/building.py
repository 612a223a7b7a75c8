"""Making a store in this process's memory of all embeddings of a catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.values import Embeddings
from image_similarity_search.collection.costs import flat_limit
from image_similarity_search.errors import StoreUnavailableError
from image_similarity_search.stores.faiss_store import FaissStore
from image_similarity_search.types import FloatArray, IdArray, Moment

_SAMPLED_AT_ONCE = 4096  # embeddings: other threads read between two parts


def new_store(catalog: Catalog, kind: str | None = None) -> FaissStore:
    """An empty one, of the kind that the catalog names if no other is given."""
    made = catalog.identity
    kind = made.index if kind is None else kind
    return FaissStore(made.dim, made.metric, kind, flat_limit=flat_limit(catalog))


def built_store(
    catalog: Catalog, kind: str | None = None, go_on: Callable[[], None] = lambda: None
) -> FaissStore:
    """A store that holds all of the catalog, of the moment at which it is done.

    The caller need hold no snapshot: other threads search meanwhile, and the catalog may change.
    ``go_on`` is called before each part, and ends it where it raises.

    Raises:
        CollectionCorruptError: the catalog is damaged.
        StoreUnavailableError: the catalog was replaced meanwhile, or FAISS can't train the kind.
    """
    store = new_store(catalog, kind)
    with catalog.snapshot():
        then, ids = catalog.moment, catalog.indexed_ids()
    if size := store.sample_size(len(ids)):
        drawn = np.random.default_rng(0).choice(ids, size, replace=False)
        store.train(_comparable(catalog, drawn), len(ids))
    for part in catalog.embeddings.since(0):
        go_on()
        store.upsert(part.ids, part.comparable(store.metric))
    store.moment = then
    with catalog.snapshot():
        if why := catalog.history.why_not(then):
            raise StoreUnavailableError(f"the store that was being made is of no use: {why}")
        catch_up(store, catalog)
        catalog.check_count(len(store))
    return store


def catch_up(store: FaissStore, catalog: Catalog) -> int:
    """Apply what the catalog saw since the store's moment, however much; returns how much.

    The caller holds a snapshot.
    """
    return apply(store, catalog, catalog.embeddings.since(store.moment.generation), catalog.moment)


def apply(store: FaissStore, catalog: Catalog, new: Iterable[Embeddings], now: Moment) -> int:
    """Take out what was removed since the store's moment, put in ``new``; returns how many."""
    then, changes = store.moment.generation, 0
    if then:
        changes += store.delete(catalog.removals.since(then))
    for part in new:
        store.upsert(part.ids, part.comparable(store.metric))
        changes += len(part.ids)
    store.moment = now
    return changes


def _comparable(catalog: Catalog, ids: IdArray) -> FloatArray:
    """The vectors ``(n, dim)`` of these ids, those that there are."""
    parts = range(0, len(ids), _SAMPLED_AT_ONCE)
    found = (catalog.embeddings.of(ids[start : start + _SAMPLED_AT_ONCE]) for start in parts)
    return np.concatenate([part.comparable(catalog.identity.metric) for part in found])
