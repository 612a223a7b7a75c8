"""How much a search has to look at for a recall that somebody asked for, found by trying."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from math import ulp
from time import perf_counter
from typing import NamedTuple

import numpy as np

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.keeping import Keeper
from image_similarity_search.collection.recall import measured_recall, nearest_in_full
from image_similarity_search.collection.search import Searcher
from image_similarity_search.reports import Tuning
from image_similarity_search.stores.base import KeptStore
from image_similarity_search.stores.faiss_store import FaissStore
from image_similarity_search.types import FloatArray, IdArray, checked_number

_K, _SAMPLE = 10, 200
_DEPTHS = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)
_DEEPER = (11.0, 16.0, 22.0, 32.0)  # where there are no lists to look at more of
_SPARE = 2  # times as many vectors in the lists that are looked through as are wanted of them
_LEAST_SHARE = 1 / 64  # of the lists; then twice as many, until all


class _Way(NamedTuple):
    """A way to search, the share of the nearest that it finds, and the seconds that it takes."""

    probed: float | None
    depth: float
    recall: float
    seconds: float


def checked_recall(target: float) -> float:
    """A recall that there can be.

    Raises:
        ConfigError: it is not above 0 and at most 1.
    """
    expected = "a share of the nearest, above 0 and at most 1"
    return checked_number("recall", target, ulp(0.0), 1, expected)


def tuned(catalog: Catalog, searcher: Searcher, keeper: Keeper, target: float) -> Tuning:
    """Find the quickest way to search for ``target``, and have the store and the catalog know it.

    Tried on up to 200 of the images against all embeddings. Where the target can't be reached,
    what finds most is taken. Within the writer lock.
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
    exact = Tuning(target, 1.0, _K, len(asked), len(ids), None, 1.0)
    if not len(asked) or store.is_exact:
        return exact
    rows = searcher.stored(asked.tolist())
    best = _best(catalog, searcher, asked, rows)
    if isinstance(store, FaissStore):
        store.forget_half_bytes()  # what is chosen is to be enough without them
    store.look_at(None, 1.0)
    usual = store.candidates(_K + 1)
    a_candidate = _seconds_of_one(searcher, rows[0], ids[:usual])
    trial = partial(_tried, store, rows, best, a_candidate)
    depths = _DEPTHS if store.lists else _DEPTHS + _DEEPER
    ways: list[_Way] = []
    least = None
    for probed in _shares(store):
        held = [depth for depth in depths if _holds(store, probed, depth * usual)]
        if not held:
            continue
        some = _of_one_share(trial, probed, held, target)
        ways += some
        enough = (way for way in ways if way.recall >= target)
        least = min(enough, key=lambda way: way.seconds, default=None)
        if least and least.seconds < some[0].seconds:
            break  # more lists would only take longer
    way = least or max(ways, key=lambda way: way.recall)
    return replace(exact, recall=way.recall, probed=way.probed, depth=way.depth)


def _of_one_share(
    trial: Callable[[float | None, float], _Way],
    probed: float | None,
    depths: Sequence[float],
    target: float,
) -> list[_Way]:
    """Ways to look at this share of the lists, among them the least deep that reaches the target.

    The first is the shallowest. That one is found by halving: what is deeper finds no less.
    """
    ways: list[_Way] = []

    def recall(depth: float) -> float:
        ways.append(trial(probed, depth))
        return ways[-1].recall

    if recall(depths[0]) < target and len(depths) > 1 and recall(depths[-1]) >= target:
        bisect_left(depths[1:-1], target, key=recall)
    return ways


def _holds(store: KeptStore, probed: float | None, count: float) -> bool:
    """Whether this share of the lists is sure to hold so many candidates, as they are spread.

    Otherwise a search looks through all lists, until the collection has grown a little.
    """
    return probed is None or probed == 1 or probed * len(store) >= _SPARE * count


def _tried(
    store: KeptStore,
    rows: FloatArray,
    best: list[IdArray],
    a_candidate: float,
    probed: float | None,
    depth: float,
) -> _Way:
    """Search ``store`` so for each row ``(q, dim)``, whose exact nearest are the ``best``."""
    store.look_at(probed, depth)
    count, times, found = store.candidates(_K + 1), [], []
    for row, near in zip(rows, best, strict=True):
        started = perf_counter()
        some = store.search(row[None], count)[0]
        times.append(perf_counter() - started)
        found.append(np.isin(near, some))
    scan = float(np.percentile(times, 10))  # what else the machine does, tells in the others
    right = np.concatenate(found)
    recall = float(right.mean()) if len(right) else 1.0
    return _Way(probed, depth, recall, scan + count * a_candidate)


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
