"""The contract suite, over every kind and metric; and that the suite catches broken stores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from image_similarity_search import vectors
from image_similarity_search.errors import ConfigError
from image_similarity_search.stores import FaissStore, Store
from image_similarity_search.testing import check_store
from image_similarity_search.types import METRICS, FloatArray, IdArray, Metric


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["exact", "auto"])
def test_few_vectors(kind: str, metric: Metric) -> None:
    check_store(lambda dim, metric: FaissStore(dim, metric, kind), metrics=[metric])


@pytest.mark.parametrize("flat_limit", [0, 500])
@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_one_bit_scan(metric: Metric, flat_limit: int) -> None:
    made: list[FaissStore] = []

    def make(dim: int, metric: Metric) -> Store:
        made.append(FaissStore(dim, metric, flat_limit=flat_limit))
        return made[-1]

    check_store(make, exact=False, metrics=[metric])
    assert not made[0].is_exact


@pytest.mark.parametrize("metric", ["ip", "l1"])
def test_metrics_that_stay_exact(metric: Metric) -> None:
    check_store(lambda dim, metric: FaissStore(dim, metric, flat_limit=0), metrics=[metric])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    "kind",
    [
        *("hnsw", "ivf", "SQ8", "PQ24x4fs", "PCA40,IVF8,PQ20x4", "ivf-rabitq"),
        *(
            pytest.param(kind, marks=pytest.mark.slow)
            for kind in (
                *("PCA40,HNSW32", "IVF8,Flat", "IVF8,SQ8", "PCA32,Flat"),
                *("HNSW16_SQ8", "IVF16_HNSW8,Flat", "PQ24x4", "IVF8,PQ24x4", "IVF8,PQ24x4fs"),
                *("RaBitQ", "IVF8,RaBitQ", "IVF8,RaBitQfs"),
            )
        ),
    ],
)
def test_other_kinds(kind: str, metric: Metric) -> None:
    flat_codes = ("hnsw", "ivf", "IVF8,Flat")
    if metric == "l1" and kind not in flat_codes:
        with pytest.raises(ConfigError, match="one of auto"):
            FaissStore(48, metric, kind)
        return
    made: list[FaissStore] = []

    def make(dim: int, metric: Metric) -> Store:
        store = FaissStore(dim, metric, kind)
        if store.training_needed:
            rng = np.random.default_rng(7)  # the clusters of the suite itself
            count = store.training_needed
            raw = rng.normal(size=(40, dim))[rng.integers(0, 40, count)]
            raw += 0.4 * rng.normal(size=raw.shape)
            store.train(vectors.comparable(raw.astype(np.float32), metric), count)
        made.append(store)
        return store

    check_store(make, exact=False, metrics=[metric])
    assert not made[0].is_exact


@pytest.mark.parametrize("kind", ["ivf", "ivf-pq", "IVF8,Flat"])
def test_what_is_not_trained_is_exact(kind: str) -> None:
    check_store(lambda dim, metric: FaissStore(dim, metric, kind), metrics=["cosine", "l2"])


class _DuplicatesKept(FaissStore):
    def upsert(self, ids: IdArray, rows: FloatArray) -> None:
        if len(ids):
            self.index.add_with_ids(np.ascontiguousarray(rows), ids)


class _CountsAllDeleted(FaissStore):
    def delete(self, ids: IdArray) -> int:
        super().delete(ids)
        return len(ids)


class _IgnoresAllowed(FaissStore):
    def search(self, queries: FloatArray, k: int, allowed: IdArray | None = None) -> list[IdArray]:
        return super().search(queries, k)


class _FiltersAfterwards(FaissStore):
    def search(self, queries: FloatArray, k: int, allowed: IdArray | None = None) -> list[IdArray]:
        found = super().search(queries, k)
        return found if allowed is None else [ids[np.isin(ids, allowed)] for ids in found]


class _FarthestFirst(FaissStore):
    def search(self, queries: FloatArray, k: int, allowed: IdArray | None = None) -> list[IdArray]:
        return [ids[::-1] for ids in super().search(queries, k, allowed)]


class _PadsWithMinusOne(FaissStore):
    def search(self, queries: FloatArray, k: int, allowed: IdArray | None = None) -> list[IdArray]:
        found = super().search(queries, k, allowed)
        return [np.append(ids, np.full(k - len(ids), -1)) for ids in found]


class _MissesSome(FaissStore):
    def search(self, queries: FloatArray, k: int, allowed: IdArray | None = None) -> list[IdArray]:
        found = super().search(queries, k + 2, allowed)
        return [ids[2:] if len(ids) == k + 2 else ids[:k] for ids in found]


class _AnyDimension(FaissStore):
    def search(self, queries: FloatArray, k: int, allowed: IdArray | None = None) -> list[IdArray]:
        wide = np.zeros((len(queries), self.dim), dtype=np.float32)
        wide[:, : queries.shape[1]] = queries
        return super().search(wide, k, allowed)


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (_DuplicatesKept, "len is"),
        (_CountsAllDeleted, "deleted something"),
        (_IgnoresAllowed, "not there|found for"),
        (_FiltersAfterwards, "found for"),
        (_FarthestFirst, "nearest are at"),
        (_PadsWithMinusOne, "found for"),
        (_MissesSome, "nearest are at"),
        (_AnyDimension, "StoreDimensionError"),
    ],
)
def test_broken_stores_are_caught(broken: Callable[[int, Metric], Store], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_store(broken, metrics=["cosine"])


def test_an_inexact_store_that_misses_too_much_is_caught() -> None:
    class Forgetful(FaissStore):
        def candidates(self, k: int) -> int:
            return k

    with pytest.raises(AssertionError, match="among the candidates"):
        check_store(
            lambda dim, metric: Forgetful(dim, metric, flat_limit=0),
            exact=False,
            metrics=["cosine"],
        )
