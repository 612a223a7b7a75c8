from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_similarity_search import vectors
from image_similarity_search.stores import FaissStore, index_file, kinds
from image_similarity_search.stores.faiss_library import faiss_library
from image_similarity_search.stores.scan import Scan
from image_similarity_search.stores.turn import TurnInBlocks, quickest, random_turn, set_turn
from image_similarity_search.types import FloatArray


def _rows(count: int, dim: int) -> FloatArray:
    return np.random.default_rng(dim).normal(size=(count, dim)).astype(np.float32)


@pytest.mark.parametrize("dim", [1, 2, 127, 128, 129, 256, 257, 509])
def test_a_turn_in_blocks(dim: int) -> None:
    matrix, rows = random_turn(dim), _rows(3, dim)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(dim), atol=1e-5)
    rotation = faiss_library().RandomRotationMatrix(dim, dim)
    set_turn(rotation)
    dense = rotation.apply(rows)
    np.testing.assert_allclose(dense, rows @ matrix.T, atol=1e-4)

    quick = quickest(rotation)
    assert isinstance(quick, TurnInBlocks) is (dim > 128)
    for some in (rows, rows[:1]):
        turned = quick.apply(some)
        np.testing.assert_allclose(turned, dense[: len(some)], atol=1e-4)
        assert turned.dtype == np.float32
        assert turned.flags.c_contiguous


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(0, 2**32), st.booleans())
def test_only_what_is_in_blocks_is_multiplied_by_them(
    sizes: list[int], seed: int, spoilt: bool
) -> None:
    rng, dim = np.random.default_rng(seed), sum(sizes)
    matrix, first = np.zeros((dim, dim), dtype=np.float32), 0
    for size in sizes:
        block = slice(first, first + size)
        matrix[block, block] = rng.uniform(1, 2, (size, size))
        first += size
    matrix = matrix[:, rng.permutation(dim)]
    if spoilt:
        matrix[rng.integers(dim), rng.integers(dim)] = rng.choice([0, 3])
    rotation = faiss_library().RandomRotationMatrix(dim, dim)
    faiss_library().copy_array_to_vector(matrix.ravel(), rotation.A)
    rotation.is_trained = True
    rows = rng.normal(size=(2, dim)).astype(np.float32)
    quick = quickest(rotation)
    np.testing.assert_allclose(quick.apply(rows), rows @ matrix.T, atol=1e-4)
    if not spoilt:
        assert isinstance(quick, TurnInBlocks) is (len(sizes) > 1)


def test_a_turn_of_all_dimensions_together_is_left_as_it_is() -> None:
    faiss = faiss_library()
    rotation = faiss.RandomRotationMatrix(200, 200)
    rotation.init(1)
    assert quickest(rotation) is rotation
    narrower = faiss.RandomRotationMatrix(200, 150)
    set_turn(narrower)
    assert not narrower.is_trained
    plain = faiss.PCAMatrix(8, 4)
    assert quickest(plain) is plain


@pytest.mark.parametrize("kind", ["auto", "ivf-rabitq"])
def test_what_is_put_in_is_turned_as_queries_are(kind: str) -> None:
    rows = vectors.comparable(_rows(2600, 150), "cosine")
    store = FaissStore(150, "cosine", kind, flat_limit=0)
    if store.training_needed:
        store.train(rows, 2600)
    store.upsert(np.arange(2600), rows)
    whole = faiss_library().downcast_index(store.index.index)
    assert isinstance(quickest(kinds.transforms(whole)[0]), TurnInBlocks)
    quick = Scan(whole, whole=False).positions(rows[:9], 5, np.ones(2600, dtype=np.bool_))
    assert np.mean(quick == whole.search(rows[:9], 5)[1]) > 0.9  # by FAISS's own product
    assert quick[:, 0].tolist() == list(range(9))


def test_a_file_of_a_store_that_was_turned_as_a_whole_is_searched(tmp_path: Path) -> None:
    faiss = faiss_library()
    rows = vectors.comparable(_rows(600, 150), "cosine")
    scan = kinds.one_bit_scan(150, "cosine", by_codes=False)
    scan.train(rows)  # as FAISS does by itself
    former = FaissStore(150, "cosine", flat_limit=0)
    former.adopt(faiss.IndexIDMap(scan))
    former.upsert(np.arange(600), rows)
    path = str(tmp_path / "index")
    index_file.save(former, path, "id", {})
    read = index_file.load(path, dim=150, metric="cosine", kind="auto", identity="id", flat_limit=0)
    assert [int(found[0]) for found in read.search(rows[:50], 9)] == list(range(50))
