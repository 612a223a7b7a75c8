"""What searches cost here: by that ``auto`` chooses, and says why it searches as it does."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import perf_counter

import numpy as np

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.keeping import Keeper
from image_similarity_search.collection.ranking import Ranker
from image_similarity_search.errors import CollectionCorruptError
from image_similarity_search.stores.base import KeptStore
from image_similarity_search.stores.faiss_store import FLAT_LIMIT, ONE_BIT, FaissStore

_log = logging.getLogger(__name__)

_K = 10
_SAMPLE = 8192  # embeddings that are searched both ways, to know what all would take
_TIMES = 11
_FLAT_BYTES = 2**26  # of a process's memory that ``auto`` may take to compare in full
_QUICKER_FROM = 300_000  # images: with so many, lists in front of the bits are worth their training


def weigh_once(catalog: Catalog, keeper: Keeper) -> None:
    """``weigh``, where that was never done and there are not so many images that it is settled.

    So all that makes a collection grow does it when ``auto`` has just ceased to compare in full.
    """
    if catalog.identity.index != "auto" or catalog.identity.store or catalog.measured.costs():
        return
    if FLAT_LIMIT < catalog.counts().indexed <= _most(catalog):
        try:
            weigh(catalog, keeper)
        except CollectionCorruptError as error:
            _log.warning("%s", error)  # what was changed is kept all the same


def weigh(catalog: Catalog, keeper: Keeper) -> None:
    """Measure both ways of a search that ``auto`` has, remember it, and take the quicker one.

    Nothing is done where it has one way only. Within the writer lock; a fraction of a second.
    """
    with keeper.current() as store:
        if not isinstance(store, FaissStore) or not store.may_outgrow or len(store) <= FLAT_LIMIT:
            return
        costs = _measured(catalog, keeper, store)
        in_full = store.is_exact or len(store) <= costs["flat_limit"]
    with catalog.transaction():
        catalog.measured.set_costs(costs)
    if in_full:
        keeper.rebuild(None)  # it is to know up to how many it compares so
    else:
        keeper.refresh()


def _measured(catalog: Catalog, keeper: Keeper, store: FaissStore) -> dict[str, float]:
    """Milliseconds of a search in full and as it is; up to how many images the former pays."""
    ids = catalog.indexed_ids()
    drawn = np.random.default_rng(0).choice(ids, min(_SAMPLE, len(ids)), replace=False)
    found = catalog.embeddings.of(drawn)
    query, ranker = found.comparable(store.metric)[:1].copy(), Ranker(catalog, keeper)

    def ranked_ms(searched: FaissStore) -> float:
        return _ms(lambda: ranker.ranked(searched, query, _K, None))

    trial = FaissStore(store.dim, store.metric, "exact")
    trial.upsert(found.ids, found.comparable(store.metric))
    in_full = ranked_ms(trial)
    comparing = _ms(lambda: trial.search(query, trial.candidates(_K)))
    trial = FaissStore(store.dim, store.metric, flat_limit=0)
    trial.upsert(found.ids, found.comparable(store.metric))
    by_bits = ranked_ms(trial)
    break_even = len(drawn) * (1 + (by_bits - in_full) / comparing)
    return {
        "images": len(ids),
        "full_ms": in_full + comparing * (len(ids) / len(drawn) - 1),
        "search_ms": by_bits if store.is_exact else ranked_ms(store),
        "flat_limit": int(np.clip(break_even, FLAT_LIMIT, _most(catalog))),
    }


def flat_limit(catalog: Catalog) -> int:
    """Up to how many images ``auto`` compares with each of them in this collection."""
    return int(catalog.measured.costs().get("flat_limit", FLAT_LIMIT))


def why(catalog: Catalog, store: KeptStore) -> str:
    """Why ``auto`` searches as it does, in a line; empty for other kinds, and in an engine."""
    if not isinstance(store, FaissStore) or store.kind != "auto":
        return ""
    costs = catalog.measured.costs()
    if store.is_exact:
        if not store.may_outgrow:
            return f"exact search, since 1-bit codes are too coarse for {store.metric}"
        if len(store) <= FLAT_LIMIT:
            return f"exact search, fast enough up to {FLAT_LIMIT:,} images"
        return (
            f"exact search, as fast as a {ONE_BIT} up to {flat_limit(catalog):,} images"
            " (measured here)"
        )
    if not costs:
        return f"{ONE_BIT}, since there are more than {FLAT_LIMIT:,} images"
    if costs["full_ms"] < costs["search_ms"]:
        return f"{ONE_BIT}, since more than {_most(catalog):,} full embeddings take too much memory"
    text = (
        f"{ONE_BIT}, since {costs['images']:,} images take {costs['full_ms']:.1f} ms in full"
        f" and {costs['search_ms']:.1f} ms so (measured here)"
    )
    if len(store) < _QUICKER_FROM:
        return text
    return f"{text}; 'iss rebuild --index ivf-rabitq' is faster, with slightly lower recall"


def _most(catalog: Catalog) -> int:
    """How many embeddings fit the memory that ``auto`` may take to compare in full."""
    return max(FLAT_LIMIT, _FLAT_BYTES // (4 * catalog.identity.dim))


def _ms(act: Callable[[], object]) -> float:
    times = []
    for _ in range(_TIMES):
        begin = perf_counter()
        act()
        times.append(perf_counter() - begin)
    return 1e3 * min(times)  # what else runs only ever adds
