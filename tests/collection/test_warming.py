"""What a process that searches often does once."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import filling
import numpy as np
import pytest
from conftest import UnusedEncoder

from image_similarity_search.collection import Collection, costs, warming
from image_similarity_search.errors import CollectionCorruptError
from image_similarity_search.types import FloatArray

_COUNT, _DIM = 2600, 32


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A collection that is searched by bits, and warm after five searches."""
    monkeypatch.setattr(costs, "FLAT_LIMIT", 500)
    monkeypatch.setattr(warming, "_OFTEN", 5)
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(_COUNT // 40, _DIM))
    rows = centres[rng.integers(0, len(centres), _COUNT)] + 0.6 * rng.normal(size=(_COUNT, _DIM))
    filling.fill(
        tmp_path / "index", [np.asarray(rows, dtype=np.float32)], encoder=UnusedEncoder(_DIM)
    )
    return tmp_path / "index"


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not until():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_after_some_searches_the_store_keeps_half_bytes(index: Path) -> None:
    with Collection.open(index, encoder=UnusedEncoder(_DIM)) as collection:
        memory = collection.info().memory_bytes
        before = [collection.search(id_) for id_ in range(1, 6)]
        warm = memory + _COUNT * (_DIM // 2 + 4)
        _wait(lambda: collection.info().memory_bytes == warm)
        assert [collection.search(id_) for id_ in range(1, 6)] == before
        assert collection.measure_recall(sample=100).recall > 0.99
        collection.remove(before[0][0].id, before[1][0].id)
        gone = [hit.id for hit in collection.search(1)]
        assert gone[:9] == [hit.id for hit in before[0] if hit.id != before[1][0].id][1:10]
        assert collection.info().memory_bytes > memory  # they are kept


def test_closing_ends_it(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "_PAUSE", 60)
    with Collection.open(index, encoder=UnusedEncoder(_DIM)) as collection:
        for id_ in range(1, 8):
            collection.search(id_)
        began = time.monotonic()
    assert time.monotonic() - began < 30


def test_where_it_can_t_be_done_searches_go_on(
    index: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def damaged(*_: object) -> FloatArray:
        raise CollectionCorruptError("catalog.sqlite", "an image has no embedding")

    monkeypatch.setattr(warming.Warmer, "_vectors", damaged)
    caplog.set_level("INFO")
    with Collection.open(index, encoder=UnusedEncoder(_DIM)) as collection:
        for _ in range(10):
            collection.info()  # which is no search
        assert all(len(collection.search(id_)) == 10 for id_ in range(1, 5))
        time.sleep(0.1)
        assert "not warmed up" not in caplog.text
        assert all(len(collection.search(id_)) == 10 for id_ in range(5, 8))
        _wait(lambda: "searches were not warmed up" in caplog.text)
        caplog.clear()
        assert all(len(collection.search(id_)) == 10 for id_ in range(1, 8))
        assert "not warmed up" not in caplog.text  # it is not tried again
