from __future__ import annotations

import numpy as np
import pytest

from image_similarity_search.errors import ConfigError, StoreTrainingError
from image_similarity_search.stores import FaissStore, kinds
from image_similarity_search.types import FloatArray, IdArray, Metric


def _rows(count: int, dim: int = 8) -> FloatArray:
    return np.random.default_rng(5).normal(size=(count, dim)).astype(np.float32)


def _ids(count: int) -> IdArray:
    return np.arange(count, dtype=np.int64)


@pytest.mark.parametrize(
    ("kind", "metric", "reason"),
    [
        ("flatt", "cosine", "auto, exact, hnsw, ivf, ivf-pq, ivf-rabitq, or a FAISS factory"),
        ("", "cosine", "one of auto"),
        ("IVF8,PQ3", "cosine", "one of auto"),  # 3 does not divide 8
        ("IVF0,Flat", "l2", "numbers from 1"),
        *[(kind, "l2", "numbers from 1") for kind in ("PQ4x0", "RR0,Flat", "PCA0,Flat")],
        *[(kind, "l2", "2 to 1,024 links") for kind in ("HNSW1", "IVF4_HNSW1,Flat", "HNSW2000")],
        ("IVF99999999999,Flat", "l2", "1,048,576"),
        ("NSG32", "cosine", "IndexNSGFlat is not supported"),
        ("LSH", "l2", "IndexLSH is not supported"),
        ("IDMap,Flat", "l2", "IndexIDMap is not supported"),
        ("IVF8,Flat,RFlat", "l2", "not supported"),
        ("HNSW16_PQ8", "cosine", "supports cosine"),
        ("ivf-pq", "l1", "supports l1"),
        ("ivf-rabitq", "l1", "supports l1"),
        ("RaBitQ", "l1", "supports l1"),  # FAISS would end the process
        ("PCA4,Flat", "l1", "supports l1"),
    ],
)
def test_what_can_t_be_made_is_refused(kind: str, metric: Metric, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        FaissStore(8, metric, kind)


@pytest.mark.parametrize(
    ("kind", "needed"),
    [
        *[
            ("hnsw", 0),
            ("HNSW32", 0),
            ("Flat", 0),
            ("ivf", 2496),
            ("ivf-pq", 9984),
            ("ivf-rabitq", 2496),
        ],
        *[
            ("IVF1024,Flat", 39_936),
            ("IVF65536,Flat", 2_555_904),
            ("PQ4x4", 624),
            ("SQ8", 39),
            ("PCA4,Flat", 39),
        ],
    ],
)
def test_how_many_are_needed_to_train(kind: str, needed: int) -> None:
    store = FaissStore(8, "l2", kind)
    assert store.training_needed == needed
    assert store.sample_size(needed - 1) == 0
    assert needed <= store.sample_size(10_000_000) <= max(2 * needed, 2048 * 64)
    if needed:
        assert store.describe() == f"{kind} (FAISS Flat until {needed:,} vectors)"
        with pytest.raises(
            StoreTrainingError, match=f"at least {needed:,} images.*are 38"
        ) as caught:
            store.train(_rows(38), 38)
        assert (caught.value.kind, caught.value.needed, caught.value.given) == (kind, needed, 38)


def test_lists_grow_with_the_count() -> None:
    lists = [
        kinds.new_index("ivf", 8, "l2", n).nlist for n in (0, 2496, 6000, 20_000, 10**6, 10**8)
    ]
    assert lists == [64, 64, 128, 256, 1024, 2048]


@pytest.mark.parametrize(("dim", "parts"), [(1280, 160), (2048, 256), (7, 1), (1277, 1277), (6, 1)])
def test_bytes_of_a_product_quantiser(dim: int, parts: int) -> None:
    index = kinds.new_index("ivf-pq", dim, "l2")
    assert parts == index.pq.M


def test_it_says_when_it_should_be_made_anew() -> None:
    store = FaissStore(8, "l2", "IVF4,Flat")
    assert [store.outdated(count) for count in (0, 155, 156)] == [False, False, True]
    store.train(_rows(200), 200)
    assert [store.outdated(count) for count in (156, 799, 800)] == [False, False, True]
    assert store.describe() == "IVF4,Flat (FAISS IVFFlat, 4 of 4 lists searched)"


@pytest.mark.parametrize(
    ("kind", "removes"), [("hnsw", False), ("IVF4,Flat", False), ("SQ8", True)]
)
def test_deleted_vectors_that_can_t_be_removed(kind: str, removes: bool) -> None:
    store = FaissStore(8, "l2", kind)
    if store.training_needed:
        store.train(_rows(1000), 1000)
    store.upsert(_ids(1000), _rows(1000))
    assert not store.outdated(1000)
    store.delete(_ids(300))
    assert store.outdated(700) is not removes
    assert (len(store), store.index.ntotal) == (700, 700 if removes else 1000)
    found = store.search(_rows(300)[:5], 700)
    assert all(sorted(ids) == list(range(300, 1000)) for ids in found)


def test_a_search_that_meets_many_deleted_ones_still_finds_enough() -> None:
    """The nearest 900 are deleted: what a graph or a few lists lead to is not all."""
    rows = np.sort(np.abs(_rows(1000)), axis=0)
    for kind in ("hnsw", "IVF64,Flat", "IVF64,RaBitQfs"):
        store = FaissStore(8, "l2", kind)
        if store.training_needed:
            store.train(_rows(2496), 2496)
        store.upsert(_ids(1000), rows)
        store.delete(_ids(900))
        assert sorted(store.search(rows[:1], 100)[0]) == list(range(900, 1000))
        assert store.search(rows[:1], 9, np.array([5, 950, 999]))[0].tolist() == [950, 999]


def test_memory() -> None:
    rows = _rows(3000, 32)
    flat = 3000 * (32 * 4 + 8)
    sizes = {}
    for kind in ("exact", "hnsw", "ivf", "SQ8", "PCA16,Flat"):
        store = FaissStore(32, "l2", kind)
        if store.training_needed:
            store.train(rows, 3000)
        store.upsert(_ids(3000), rows)
        sizes[kind] = store.memory_bytes()
    assert sizes["exact"] == flat
    assert sizes["hnsw"] > flat + 3000 * 64 * 4
    assert sizes["ivf"] == flat + 3000 * 8 + 64 * 32 * 4
    assert sizes["SQ8"] == 3000 * (32 + 8)
    assert sizes["PCA16,Flat"] == 3000 * (16 * 4 + 8) + 16 * 32 * 4


def test_bits_of_a_one_bit_scan() -> None:
    by_codes = kinds.one_bit_scan(12, "cosine", by_codes=True)
    assert kinds.innermost(by_codes).pq.M == 3
    assert kinds.is_one_bit_scan(by_codes)
    assert kinds.keeps_codes(by_codes)
    by_signs = kinds.one_bit_scan(12, "cosine", by_codes=False)
    assert kinds.is_one_bit_scan(by_signs)
    assert not kinds.keeps_codes(by_signs)
    assert not kinds.is_one_bit_scan(kinds.new_index("IVF2,PQ3x4fs", 12, "cosine"))  # not turned
    assert not kinds.is_one_bit_scan(kinds.new_index("RR12,IVF2,PQ2x4fs", 12, "cosine"))  # by six


def test_auto_is_trained_on_a_sample_of_all_and_again_when_it_has_outgrown_that() -> None:
    rows = _rows(1000)
    store = FaissStore(8, "l2", flat_limit=100)
    assert [store.sample_size(count) for count in (100, 101, 10**6)] == [0, 101, 640]
    assert [store.outdated(count) for count in (399, 400)] == [False, True]
    store.upsert(_ids(101), rows[:101])  # it changes by itself
    assert (store.trained_for, store.is_exact) == (101, False)
    assert [store.outdated(count) for count in (403, 404)] == [False, True]
    store.train(rows[::2], 1000)
    assert (store.trained_for, len(store)) == (1000, 0)
    assert [store.outdated(count) for count in (3999, 4000)] == [False, True]
    store.train(rows[::2], 60_000)
    assert not store.outdated(10**7)  # enough is enough
    store.train(rows[::2], 1000)
    store.upsert(_ids(1000), rows)
    assert store.trained_for == 1000
    assert all(at in found for at, found in enumerate(store.search(rows[:9], 200)))
    with pytest.raises(StoreTrainingError):
        store.train(rows[:0], 0)
    former = FaissStore(8, "l2", flat_limit=100)
    former.adopt(store.index)  # of a file that does not say for how many
    assert not former.outdated(10**6)
