"""What searches cost here, and why ``auto`` searches as it does."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.keeping import Keeper, KeptStore
from image_similarity_search.collection.search import Searcher
from image_similarity_search.stores.faiss_store import FLAT_LIMIT, FaissStore

_SAMPLE = 8192  # embeddings that are compared in full, to know what all would take
_TIMES = 11
_QUICKER_FROM = 300_000  # images: with so many, lists in front of the bits are worth their training


def measure_costs(catalog: Catalog, searcher: Searcher, keeper: Keeper) -> None:
    """Measure a search as it is and one that compares in full, and have the catalog remember.

    Only where ``auto`` is not exact. Within the writer lock; a fraction of a second.
    """
    with keeper.current() as store:
        if not isinstance(store, FaissStore) or store.kind != "auto" or store.is_exact:
            return
        ids = catalog.indexed_ids()
        drawn = np.random.default_rng(0).choice(ids, min(_SAMPLE, len(ids)), replace=False)
        found = catalog.embeddings(drawn)
        rows = vectors.unpack(found.units, found.norms, catalog.identity.metric)
        full = FaissStore(store.dim, store.metric, "exact")
        full.upsert(found.ids, rows)
        query = rows[:1]
        in_full = _ms(lambda: full.search(query, 10)) * len(ids) / len(drawn)
        so = _ms(lambda: searcher.nearest(query[0], 10, None, None))
    with catalog.transaction():
        catalog.set_costs({"images": len(ids), "full_ms": in_full, "search_ms": so})
    keeper.refresh()


def why(catalog: Catalog, store: KeptStore) -> str:
    """Why ``auto`` searches as it does, in a line; empty for other kinds, and in an engine."""
    if not isinstance(store, FaissStore) or store.kind != "auto":
        return ""
    if store.is_exact:
        if not store.may_outgrow:
            return f"exact, since one bit tells too little of {store.metric}"
        return f"exact, since to compare with each of up to {FLAT_LIMIT:,} images is quick"
    costs, words = catalog.costs(), "1-bit scan + exact re-rank"
    if not costs:
        return f"{words}, since there are more than {FLAT_LIMIT:,} images"
    text = (
        f"{words}, since {costs['images']:,} images take {costs['full_ms']:.1f} ms in full and"
        f" {costs['search_ms']:.1f} ms so (measured here)"
    )
    if len(store) < _QUICKER_FROM:
        return text
    return f"{text}; 'iss rebuild --index ivf-rabitq' is quicker, and finds a little less"


def _ms(act: Callable[[], object]) -> float:
    times = []
    for _ in range(_TIMES):
        begin = perf_counter()
        act()
        times.append(perf_counter() - begin)
    return 1e3 * float(np.median(times))
