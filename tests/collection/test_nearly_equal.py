"""Embeddings that float32 can hardly tell apart, or not at all, are ranked as the promise is."""

from __future__ import annotations

from pathlib import Path

import filling
import numpy as np
import pytest
from conftest import UnusedEncoder

from image_similarity_search import Collection
from image_similarity_search.types import METRICS, FloatArray, HalfArray, Metric

_DIM, _K = 1280, 10


def _filled(folder: Path, rows: FloatArray, index: str, metric: Metric = "cosine") -> Collection:
    filling.fill(folder, [rows], index=index, metric=metric, encoder=UnusedEncoder(_DIM))
    return Collection.open(folder, encoder=UnusedEncoder(_DIM))


@pytest.mark.parametrize(
    ("index", "count"), [("exact", 1000), pytest.param("auto", 6000, marks=pytest.mark.slow)]
)
def test_frames_of_a_still_scene(tmp_path: Path, index: str, count: int) -> None:
    rng = np.random.default_rng(0)
    scene = np.abs(rng.normal(size=_DIM))
    rows = np.asarray(scene + 1e-3 * rng.normal(size=(count, _DIM)), dtype=np.float32)
    halves: HalfArray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)
    units = halves.astype(np.float64)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    with _filled(tmp_path / "index", rows, index) as collection:
        for id_ in range(1, 400, 40):
            near = np.square(units - units[id_ - 1]).sum(axis=1) / 2
            hits = collection.search(id_, _K)
            assert id_ not in (hit.id for hit in hits)
            far = np.partition(near, _K)[_K]  # the image itself is among these
            assert max(near[hit.id - 1] for hit in hits) <= far * (1 + 1e-3)
        assert collection.measure_recall(_K, 30).recall == 1


@pytest.mark.parametrize("metric", METRICS)
def test_equal_embeddings_are_equally_far(tmp_path: Path, metric: Metric) -> None:
    rows = np.asarray(np.random.default_rng(0).normal(size=(63, _DIM)), dtype=np.float32)
    equal = [4, 11, 12, 21, 34, 48, 59, 61, 62, 63]
    rows[[id_ - 1 for id_ in equal]] = rows[0]
    with _filled(tmp_path / "index", rows, "exact", metric) as collection:
        asked = [id_ for id_ in range(2, 64) if id_ not in equal]
        together = collection.search_many(asked, 63)
        for id_, hits in zip(asked, together, strict=True):
            assert hits == collection.search(id_, 63)
            found = [hit for hit in hits if hit.id in (1, *equal)]
            assert [hit.id for hit in found] == [1, *equal]
            assert len({hit.score for hit in found}) == 1
