"""Close pairs are found through a store as they are by comparing each with each."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.values import FileStat, Identity, Picture
from image_similarity_search.collection import vectors_of
from image_similarity_search.collection.duplicates import candidates
from image_similarity_search.stores.faiss_store import FaissStore

_DIM = 64


@pytest.mark.parametrize("flat_limit", [10_000, 100])
def test_all_close_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flat_limit: int) -> None:
    monkeypatch.setattr(vectors_of, "FaissStore", partial(FaissStore, flat_limit=flat_limit))
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(900, _DIM))
    rows[300:600] = rows[:300] + 0.3 * rng.normal(size=(300, _DIM))  # a copy of each
    rows[600:650] = rows[0] + 0.05 * rng.normal(size=(50, _DIM))  # a heap, more than is looked at
    units, norms = vectors.pack(np.asarray(rows, dtype=np.float32))
    catalog = Catalog.create(str(tmp_path), Identity("e", "f", _DIM, "l1", "hnsw"))
    with catalog.transaction():
        for number in range(900):
            place = catalog.places.require_place(f"/p/{number}.jpg")
            picture = Picture("00" * 16, 1, 1, units[number], float(norms[number]))
            assert catalog.changes.put(place, FileStat(1, 1), picture) == number + 1
    unit = vectors.unpack(units, norms, "cosine")
    distances = 1 - unit @ unit.T
    ids = catalog.indexed_ids()
    told: list[int] = []
    found = candidates.Pairs.joined(candidates.close_pairs(catalog, ids, ids, 0.15, told.append))
    expected = {
        (one + 1, other + 1)
        for one, other in zip(*np.nonzero(distances <= 0.15), strict=True)
        if one < other
    }
    assert len(expected) > 1500
    assert [*map(tuple, found.ids.tolist())] == sorted(expected)
    left, right = found.ids.T - 1
    assert found.distances == pytest.approx(distances[left, right], abs=1e-4)
    assert sum(told) == 900
    some = candidates.close_pairs(catalog, ids[:10], ids[250:], 0.15, told.append)
    assert [*map(tuple, candidates.Pairs.joined(some).ids.tolist())] == sorted(
        pair for pair in expected if pair[0] <= 10 and pair[1] > 250
    )
    catalog.close()
