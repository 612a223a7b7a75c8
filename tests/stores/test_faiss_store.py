from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from image_similarity_search import vectors
from image_similarity_search.errors import ConfigError, StoreUnavailableError
from image_similarity_search.stores import FaissStore, depths, faiss_store, kinds, scan
from image_similarity_search.stores.faiss_library import faiss_library
from image_similarity_search.types import METRICS, FloatArray, IdArray, Metric


def _clustered(count: int, dim: int, seed: int = 0) -> FloatArray:
    """Clusters that all lie in about the same direction, as embeddings of pictures do."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(count // 40, dim))
    rows = centres[rng.integers(0, len(centres), count)] + 0.6 * rng.normal(size=(count, dim))
    return np.asarray(rows + 6 * np.abs(rng.normal(size=dim)), dtype=np.float32)


def _ids(count: int, first: int = 0) -> IdArray:
    return np.arange(first, first + count, dtype=np.int64)


def test_importing_the_stores_does_not_import_faiss() -> None:
    program = "import sys, image_similarity_search.stores; print('faiss' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"False"


def test_without_faiss_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(StoreUnavailableError, match="pip install faiss-cpu"):
        FaissStore(4, "cosine")


def test_arguments_are_checked() -> None:
    with pytest.raises(ConfigError, match="auto, exact"):
        FaissStore(4, "cosine", "flatt")
    with pytest.raises(ConfigError, match="cosine, l2, l1, ip"):
        FaissStore(4, "euclid")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="dim"):
        FaissStore(0, "cosine")
    store = FaissStore(4, "cosine")
    with pytest.raises(ConfigError, match="rows"):
        store.upsert(_ids(4), np.zeros(4, dtype=np.float32))


def test_rows_of_any_layout_and_type_are_taken() -> None:
    rows = np.asfortranarray(_clustered(40, 6)[::2].astype(np.float64))
    store = FaissStore(6, "l2")
    store.upsert(_ids(20).astype(np.int32), rows)  # type: ignore[arg-type]
    assert [int(found[0]) for found in store.search(rows, 1)] == list(range(20))  # type: ignore[arg-type]


def test_auto_changes_to_one_bit_beyond_the_limit_and_not_back() -> None:
    flat, one_bit = "auto (FAISS Flat, exact)", "auto (RaBitQfs, 1-bit scan + exact re-rank)"
    rows = vectors.comparable(_clustered(120, 32), "cosine")
    store = FaissStore(32, "cosine", flat_limit=100)
    store.upsert(_ids(100), rows[:100])
    assert store.describe() == flat
    assert store.memory_bytes() == 100 * (32 * 4 + 8)

    store.upsert(_ids(100), rows[:100])  # the same ids: no more vectors than before
    assert store.describe() == flat

    store.delete(_ids(5))
    store.upsert(_ids(20, 100), rows[100:])
    assert store.describe() == one_bit
    rotation, centres = 32 * 32 * 4, 16 * 32 * 4
    assert rotation + centres < store.memory_bytes() < rotation + centres + 115 * 32
    assert sorted(store.search(rows[:1], 200)[0]) == list(range(5, 120))

    index = store.index
    store.delete(_ids(115))
    store.upsert(_ids(110, 200), rows[:110])
    store.delete(_ids(110, 200))
    assert store.describe() == one_bit
    assert store.index is index  # not made anew
    assert sorted(store.search(rows[:1], 200)[0]) == list(range(115, 120))


@pytest.mark.parametrize(("kind", "metric"), [("exact", "cosine"), ("auto", "l1"), ("auto", "ip")])
def test_what_stays_exact(kind: str, metric: Metric) -> None:
    store = FaissStore(8, metric, kind, flat_limit=10)
    store.upsert(_ids(80), _clustered(80, 8))
    assert store.is_exact
    assert kind in store.describe()


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_one_bit_recall(metric: Metric) -> None:
    # without the centre the bits of such vectors are nearly all alike: recall@10 is 0.82
    rows = vectors.comparable(_clustered(6000, 256), metric)
    queries = rows[-50:]
    store, exact = FaissStore(256, metric, flat_limit=500), FaissStore(256, metric, "exact")
    for start in range(0, 5950, 400):  # the centre is that of the first 800
        part = slice(start, min(start + 400, 5950))
        store.upsert(_ids(5950)[part], rows[part])
        exact.upsert(_ids(5950)[part], rows[part])
    assert not store.is_exact
    found = store.search(queries, 100)
    best = exact.search(queries, 10)
    hits = [len(np.intersect1d(a, b)) for a, b in zip(found, best, strict=True)]
    assert np.mean(hits) >= 9.9


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_one_bit_recall_where_few_dimensions_tell_most(metric: Metric) -> None:
    # without the random turn recall@10 is 0.92
    rng = np.random.default_rng(3)
    spread = np.exp(rng.normal(0, 2, 256))  # of most dimensions little, of some much
    rows = np.asarray(_clustered(6000, 256) * spread, dtype=np.float32)
    rows = vectors.comparable(rows, metric)
    store, exact = FaissStore(256, metric, flat_limit=500), FaissStore(256, metric, "exact")
    for one in (store, exact):
        one.upsert(_ids(5950), rows[:5950])
    found, best = store.search(rows[-50:], store.candidates(10)), exact.search(rows[-50:], 10)
    hits = [len(np.intersect1d(a, b)) for a, b in zip(found, best, strict=True)]
    assert np.mean(hits) >= 9.9


@pytest.mark.parametrize(
    ("groups", "dim", "metric", "bits"),
    [
        (3000, 256, "cosine", "PQfs"),
        (8, 256, "cosine", "RaBitQfs"),  # by codes recall@10 is 0.94
        (3000, 254, "cosine", "RaBitQfs"),
        (3000, 256, "l2", "RaBitQfs"),
    ],
)
def test_bits_are_codes_where_these_tell_enough(
    groups: int, dim: int, metric: Metric, bits: str
) -> None:
    rng = np.random.default_rng(0)
    inside = rng.normal(size=(12, dim)) / np.sqrt(dim)
    centres = rng.normal(size=(groups, 40)) @ rng.normal(size=(40, dim)) / np.sqrt(40 * dim)
    rows = centres[rng.integers(0, groups, 6000)] + 0.1 * rng.normal(size=(6000, 12)) @ inside
    rows = vectors.comparable(np.asarray(rows, dtype=np.float32), metric)
    store, exact = FaissStore(dim, metric, flat_limit=500), FaissStore(dim, metric, "exact")
    for one in (store, exact):
        one.upsert(_ids(6000), rows)
    assert store.describe() == f"auto ({bits}, 1-bit scan + exact re-rank)"
    found, best = store.search(rows[:50], store.candidates(10)), exact.search(rows[:50], 10)
    hits = [len(np.intersect1d(a, b)) for a, b in zip(found, best, strict=True)]
    assert np.mean(hits) >= 9.8


def test_candidates_of_codes_grow_slowly() -> None:
    assert depths.of_bits(10, 10**5, by_codes=True) == 240
    assert 420 < depths.of_bits(10, 10**6, by_codes=True) < 430


class _Ordering(FaissStore):
    """Has half bytes of all that it holds, which it is given again."""

    def upsert(self, ids: IdArray, rows: FloatArray) -> None:
        super().upsert(ids, rows)
        kept: dict[int, FloatArray] = self.__dict__.setdefault("kept", {})
        kept.update(zip(ids.tolist(), rows, strict=True))
        while self.wants_half_bytes:
            self.keep_half_bytes(lambda some: np.array([kept[id_] for id_ in some.tolist()]))


def test_half_bytes_leave_few_to_re_rank() -> None:
    rng = np.random.default_rng(3)
    spread = np.exp(rng.normal(0, 1, 255))  # an odd number; of some dimensions much
    rows = vectors.comparable(
        np.asarray(_clustered(6000, 255) * spread, dtype=np.float32), "cosine"
    )
    store, exact = _Ordering(255, "cosine", flat_limit=500), FaissStore(255, "cosine", "exact")
    for start in range(0, 5950, 850):
        part = slice(start, start + 850)
        store.upsert(_ids(5950)[part], rows[part])
        exact.upsert(_ids(5950)[part], rows[part])
    assert [store.candidates(k) for k in (1, 10, 100)] == [12, 30, 210]
    assert store.memory_bytes() > 5950 * (128 + 255 / 8)
    found, best = store.search(rows[-50:], 30), exact.search(rows[-50:], 10)
    hits = [len(np.intersect1d(a, b)) for a, b in zip(found, best, strict=True)]
    assert np.mean(hits) >= 9.9
    first = [len(np.intersect1d(a[:10], b)) for a, b in zip(found, best, strict=True)]
    assert np.mean(first) > 8  # by bits alone: 7

    store.look_at(None, 0.5)  # the scan finds less, half bytes don't
    assert store.candidates(10) == 30
    store.look_at(None, 2)
    assert store.candidates(10) == 60
    store.forget_half_bytes()
    assert store.candidates(10) == 480


def test_vectors_of_any_length_get_no_half_bytes() -> None:
    store = _Ordering(32, "l2", flat_limit=50)
    store.upsert(_ids(90), _clustered(90, 32))
    assert store.candidates(10) == 240
    assert not store.wants_half_bytes


def test_half_bytes_have_room_for_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faiss_store, "most", lambda dim: 100)
    rows = vectors.comparable(_clustered(120, 32), "cosine")
    store = _Ordering(32, "cosine", flat_limit=50)
    store.upsert(_ids(90), rows[:90])
    assert store.candidates(10) == 30
    store.upsert(_ids(90, 30), rows[30:])
    assert store.candidates(10) == 240
    assert not store.wants_half_bytes
    assert 119 in store.search(rows[-1:], 3)[0]


def test_candidates() -> None:
    exact = FaissStore(4, "cosine", "exact")
    assert 10 < exact.candidates(10) < 50
    assert FaissStore(4, "ip", flat_limit=0).candidates(10) == exact.candidates(10)
    store = FaissStore(4, "cosine", flat_limit=0)
    store.upsert(_ids(1), np.ones((1, 4), dtype=np.float32))
    assert [store.candidates(k) for k in (1, 10, 100)] == [186, 240, 780]
    other_codes = FaissStore(4, "cosine", "SQ4")
    other_codes.train(_clustered(80, 4), 80)
    assert [other_codes.candidates(k) for k in (1, 10, 100)] == [300, 300, 2000]


def test_candidates_grow_with_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    store = FaissStore(4, "cosine", flat_limit=0)
    store.upsert(_ids(1), np.ones((1, 4), dtype=np.float32))
    monkeypatch.setattr(FaissStore, "__len__", lambda self: 1_000_000)
    assert 750 < store.candidates(10) < 765


def test_deleted_vectors_are_buried_and_later_removed() -> None:
    store = FaissStore(8, "cosine")
    store.upsert(_ids(600), vectors.comparable(_clustered(600, 8), "cosine"))
    assert store.delete(_ids(200)) == 200
    assert (len(store), store.index.ntotal) == (400, 600)
    assert store.delete(_ids(200)) == 0
    assert store.delete(_ids(100, 200)) == 100
    assert (len(store), store.index.ntotal) == (300, 300)


def test_a_scan_of_bits_asks_to_be_made_anew_when_many_are_buried() -> None:
    store = FaissStore(8, "cosine", flat_limit=0)
    store.upsert(_ids(600), vectors.comparable(_clustered(600, 8), "cosine"))
    assert store.delete(_ids(200)) == 200
    assert (len(store), store.index.ntotal) == (400, 600)
    assert not store.outdated(400)
    assert store.delete(_ids(100, 200)) == 100
    assert store.outdated(300)


def test_filters_and_many_queries_are_answered_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = vectors.comparable(_clustered(400, 16), "cosine")
    store = FaissStore(16, "cosine", flat_limit=0)
    store.upsert(_ids(400), rows)
    whole = store.search(rows, 7, _ids(20, 100))
    monkeypatch.setattr(faiss_store, "_LABELS_AT_ONCE", 500)
    parts = store.search(rows, 7, _ids(20, 100))
    assert [list(ids) for ids in parts] == [list(ids) for ids in whole]
    assert {len(ids) for ids in parts} == {7}


@pytest.mark.parametrize("kind", ["auto", "hnsw", "IVF4,Flat", "IVF4,SQ8"])
def test_a_shallow_search_has_candidates_for_all_hits(kind: str) -> None:
    store = FaissStore(16, "cosine", kind, flat_limit=0)
    store.upsert(_ids(400), vectors.comparable(_clustered(400, 16), "cosine"))
    store.look_at(0.01, 0.25)
    assert all(store.candidates(k) >= k for k in (1, 10, 100, 400))


def test_ids_far_apart_are_let_through_as_others_are() -> None:
    rows = vectors.comparable(_clustered(600, 16), "cosine")
    near, far = FaissStore(16, "cosine", flat_limit=0), FaissStore(16, "cosine", flat_limit=0)
    for store, step in [(near, 1), (far, 2**40)]:
        store.upsert(_ids(600) * step, rows)
        store.delete(_ids(10) * step)
        found = store.search(rows[:20], 400, np.array([0, 5, 11, 500, 599, 600, 7000]) * step)
        assert {tuple(sorted(ids // step)) for ids in found} == {(11, 500, 599)}


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_a_filtered_search_looks_through_the_codes_once(
    monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    count, fetched = 20_000, list[int]()
    drawn = np.random.default_rng(0).normal(size=(count, 16)).astype(np.float32)
    rows = vectors.comparable(drawn, "cosine")
    store = FaissStore(16, "cosine", flat_limit=0)
    store.upsert(_ids(count), rows)
    positions = scan.Scan.positions

    def counted(
        one: scan.Scan, queries: FloatArray, fetch: int, wanted: NDArray[np.bool_]
    ) -> IdArray:
        fetched.append(fetch)
        return positions(one, queries, fetch, wanted)

    monkeypatch.setattr(scan.Scan, "positions", counted)
    allowed = np.random.default_rng(1).choice(count, int(share * count), replace=False)
    for row in rows[:40]:
        assert len(store.search(row[None], 200, allowed)[0]) == 200
    assert len(fetched) <= 42
    assert max(fetched[:1]) < 1.3 * 200 / share


def test_searching_leaves_the_number_of_threads_alone() -> None:
    faiss = faiss_library()
    before = faiss.omp_get_max_threads()
    store = FaissStore(4, "l1")
    store.upsert(_ids(3), np.eye(3, 4, dtype=np.float32))
    faiss.omp_set_num_threads(3)
    try:
        store.search(np.ones((1, 4), dtype=np.float32), 1)
        assert faiss.omp_get_max_threads() == 3
    finally:
        faiss.omp_set_num_threads(before)


@pytest.mark.parametrize("flat_limit", [0, 5000])
def test_searches_from_many_threads(flat_limit: int) -> None:
    rows = vectors.comparable(_clustered(800, 32), "cosine")
    store = FaissStore(32, "cosine", flat_limit=flat_limit)
    store.upsert(_ids(800), rows)

    def first(at: int) -> list[int]:
        return [int(id_) for id_ in store.search(rows[at : at + 1], 5, _ids(400))[0]]

    alone = [first(at) for at in range(100)]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(first, range(100))) == alone


# a change is (delete?, ids); the rows that go in are drawn from a small grid, so that ties and
# zero vectors happen
_CHANGES = st.lists(
    st.tuples(st.booleans(), st.lists(st.integers(0, 40), max_size=25), st.integers(0, 2**31)),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(_CHANGES, st.sampled_from(METRICS), st.sampled_from([0, 15, 1000]))
def test_against_a_dict(
    changes: list[tuple[bool, list[int], int]], metric: Metric, flat_limit: int
) -> None:
    _live(FaissStore(5, metric, flat_limit=flat_limit), changes, metric)
    _live(_Ordering(5, metric, flat_limit=flat_limit), changes, metric)


@pytest.mark.parametrize("kind", ["hnsw", "HNSW8_SQ8", "IVF2,Flat", "IVF2,SQ8", "SQ8", "RaBitQ"])
@settings(max_examples=25, deadline=None)
@given(_CHANGES, st.sampled_from(METRICS))
def test_every_kind_against_a_dict(
    kind: str, changes: list[tuple[bool, list[int], int]], metric: Metric
) -> None:
    if metric == "l1" and kind not in ("hnsw", "IVF2,Flat"):
        metric = "l2"
    store = FaissStore(5, metric, kind)
    if store.training_needed:
        grid = np.random.default_rng(3).integers(-2, 3, (100, 5))
        store.train(vectors.comparable(grid.astype(np.float32), metric), 100)
    _live(store, changes, metric)


def _live(store: FaissStore, changes: list[tuple[bool, list[int], int]], metric: Metric) -> None:
    """Lead a store through these changes beside a dict."""
    held: dict[int, FloatArray] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faiss_store, "_BURIED_LEAST", 4)
        for is_delete, numbers, seed in changes:
            ids = np.array(numbers, dtype=np.int64)
            if is_delete:
                assert store.delete(ids) == len(held.keys() & set(numbers))
                held = {id_: row for id_, row in held.items() if id_ not in numbers}
            else:
                grid = np.random.default_rng(seed).integers(-2, 3, (len(ids), store.dim))
                rows = vectors.comparable(grid.astype(np.float32), metric)
                store.upsert(ids, rows)
                held.update(zip(numbers, rows, strict=True))
            assert len(store) == len(held)
            _agree(store, held, metric)


def _agree(store: FaissStore, held: dict[int, FloatArray], metric: Metric) -> None:
    queries = vectors.comparable(np.array([[1, 2, -1, 0, 1], [-2, 1, 1, 3, 1]], np.float32), metric)
    for allowed in (None, np.arange(0, 41, 3, dtype=np.int64)):
        among = [id_ for id_ in held if allowed is None or id_ % 3 == 0]
        rows = np.array([held[id_] for id_ in among], dtype=np.float32).reshape(-1, store.dim)
        for query in queries:
            best = np.sort(vectors.distances(query, rows, metric))[:4]
            found = store.search(query[None], store.candidates(4), allowed)[0]
            assert set(found.tolist()) <= set(among)
            assert len(found) == min(store.candidates(4), len(among))
            got = np.array([held[id_] for id_ in found.tolist()], dtype=np.float32)
            ranked = np.sort(vectors.distances(query, got.reshape(-1, store.dim), metric))[:4]
            np.testing.assert_allclose(ranked, best, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("threads", "queries", "implem"), [(2, 1, 14), (2, 2, 0), (1, 1, 0)])
def test_a_scan_of_bits_looks_at_every_list_by_several_threads_where_queries_are_fewer(
    threads: int, queries: int, implem: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faiss_library(), "omp_get_max_threads", lambda: threads)
    store = FaissStore(8, "cosine", flat_limit=0)
    store.upsert(_ids(600), vectors.comparable(_clustered(600, 8), "cosine"))
    store.search(np.ones((queries, 8), dtype=np.float32), 5)
    inner = kinds.innermost(faiss_library().downcast_index(store.index.index))
    assert (inner.nprobe, inner.nlist, inner.implem) == (16, 16, implem)
