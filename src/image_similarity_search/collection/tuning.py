"""How much a search has to look at for a recall that somebody asked for, found by trying."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil, inf
from time import perf_counter

import numpy as np

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.keeping import Keeper
from image_similarity_search.collection.recall import measured_recall, nearest_in_full
from image_similarity_search.collection.search import Searcher
from image_similarity_search.errors import ConfigError
from image_similarity_search.reports import Tuning
from image_similarity_search.stores.base import KeptStore
from image_similarity_search.stores.faiss_store import FaissStore
from image_similarity_search.types import FloatArray, IdArray, number

_K, _SAMPLE = 10, 200
_DEPTHS = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)
_LEAST_SHARE = 1 / 64  # of the lists; then twice as many, until all


def checked_recall(target: float) -> float:
    """A recall that there can be.

    Raises:
        ConfigError: it is not above 0 and at most 1.
    """
    share = number(target)
    if not 0 < share <= 1:
        raise ConfigError("recall", target, "a share of the nearest, above 0 and at most 1")
    return share


def tuned(catalog: Catalog, searcher: Searcher, keeper: Keeper, target: float) -> Tuning:
    """Find the quickest way to search for ``target``, and have the store and the catalog know it.

    Tried on up to 200 of the images against all embeddings. Where the target can't be reached,
    the most thorough way is taken. Within the writer lock.
    """
    with keeper.current() as store:
        chosen = quickest(catalog, searcher, store, target)
        store.look_at(chosen.probed, chosen.depth)
    if chosen.queries:  # as a search is, ties and all
        chosen = replace(chosen, recall=measured_recall(catalog, searcher, _K, _SAMPLE).recall)
    with catalog.transaction():
        catalog.measured.set_tuning(chosen)
    keeper.refresh()
    return chosen


def quickest(catalog: Catalog, searcher: Searcher, store: KeptStore, target: float) -> Tuning:
    """The quickest of the ways to search ``store`` that reach the target, or what finds most.

    The store is left looking at something else.
    """
    ids = catalog.indexed_ids()
    asked = np.random.default_rng(0).choice(ids, min(_SAMPLE, len(ids)), replace=False)
    chosen = Tuning(target, 1.0, _K, len(asked), len(ids), None, 1.0)
    if not len(asked) or store.is_exact:
        return chosen
    rows = searcher.stored(asked.tolist())
    best = _best(catalog, searcher, asked, rows)
    if isinstance(store, FaissStore):
        store.forget_half_bytes()  # what is chosen is to be enough without them
    store.look_at(None, 1.0)
    usual = store.candidates(_K + 1)
    a_candidate = _seconds_of_one(searcher, rows[0], ids[:usual])
    least, most = inf, -1.0
    for probed in _shares(store):
        store.look_at(probed, _DEPTHS[-1])
        found, times = [], []
        for row in rows:
            started = perf_counter()
            found += store.search(row[None], store.candidates(_K + 1))
            times.append(perf_counter() - started)
        scan = float(np.percentile(times, 10))  # what else the machine does, tells in the others
        for depth in _DEPTHS:
            first = ceil(depth * usual)
            hits = [np.isin(near, some[:first]) for near, some in zip(best, found, strict=True)]
            recall = float(np.concatenate(hits).mean())
            cost = scan + first * a_candidate if recall >= target else inf
            if cost < least or (least == inf and recall > most):
                chosen = replace(chosen, probed=probed, depth=depth)
                least, most = cost, recall
            if recall >= target:
                break
    return chosen


def _shares(store: KeptStore) -> Iterator[float | None]:
    """Shares of the lists to try; None alone where there are no lists."""
    if not store.lists:
        yield None
        return
    share = max(_LEAST_SHARE, 1 / store.lists)
    while share < 1:
        yield share
        share *= 2
    yield 1.0


def _best(catalog: Catalog, searcher: Searcher, asked: IdArray, rows: FloatArray) -> list[IdArray]:
    """The ids of the exact nearest to each of the images, without itself."""
    answers = []
    for id_, row, some in zip(asked, rows, nearest_in_full(catalog, rows, _K + 1), strict=True):
        ids, _ = searcher.by_distance(row, some)
        answers.append(ids[ids != id_][:_K])
    return answers


def _seconds_of_one(searcher: Searcher, row: FloatArray, ids: IdArray) -> float:
    """What it takes to read one candidate and compare it exactly."""
    searcher.by_distance(row, ids, _K)
    started = perf_counter()
    searcher.by_distance(row, ids, _K)
    return (perf_counter() - started) / len(ids)
