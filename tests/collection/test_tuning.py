"""A recall that is asked for, and why ``auto`` searches as it does."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import filling
import numpy as np
import pytest
from click.testing import CliRunner

from image_similarity_search import Preprocessing
from image_similarity_search.cli.app import app
from image_similarity_search.collection import Collection, store_keeper, tuning
from image_similarity_search.errors import ConfigError
from image_similarity_search.stores import FaissStore
from image_similarity_search.types import FloatArray, PixelArray

_COUNT, _DIM = 2600, 32


class _Unused:
    """An encoder that no picture is given to."""

    name, fingerprint, dim, thread_safe = "unused", "unused", _DIM, True
    preprocessing = Preprocessing(resize=8, crop=8)

    def encode(self, pixels: PixelArray) -> FloatArray:
        raise AssertionError


def _opened(index: Path) -> Collection:
    return Collection.open(index, encoder=_Unused())


@pytest.fixture(autouse=True)
def _few_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "_SAMPLE", 60)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection with an index of lists, in which the usual share of them misses some."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(_COUNT // 20, _DIM))
    rows = centres[rng.integers(0, len(centres), _COUNT)] + 2 * rng.normal(size=(_COUNT, _DIM))
    folder = tmp_path_factory.mktemp("tuning") / "index"
    filling.fill(
        folder, [np.asarray(rows, dtype=np.float32)], index="ivf-rabitq", encoder=_Unused()
    )
    return folder


def test_a_recall_is_reached_and_remembered(index: Path) -> None:
    with _opened(index) as collection:
        collection.rebuild()
        assert collection.info().tuning is None
        assert collection.measure_recall(sample=60).recall < 0.9
        low, high = collection.tune(0.4), collection.tune(0.97)
        assert low.reached
        assert high.reached
        assert low.recall < 0.97 <= high.recall
        assert low.probed is not None
        assert high.probed is not None
    with _opened(index) as collection:
        info = collection.info()
        assert info.tuning == high
        assert f"{round(64 * high.probed)} of 64 lists searched" in info.store
        assert collection.measure_recall(sample=60).recall == high.recall
        collection.rebuild()  # tries again
        again = collection.info().tuning
        assert again is not None
        assert again.target == 0.97
        assert again.reached


def test_what_can_t_be_reached_is_said(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "_DEPTHS", (0.02,))
    done = CliRunner().invoke(app, ["rebuild", "--index-dir", str(index), "--recall", "1"])
    assert "recall 1 asked for, 0." in done.output
    assert "this is the best there is" in done.output
    done = CliRunner().invoke(app, ["info", "--index-dir", str(index), "--json"])
    info = json.loads(done.output)
    assert info["tuning"]["target"] == 1
    assert info["tuning"]["recall"] < 1


@pytest.mark.parametrize("recall", [0, 1.01, -1, float("nan")])
def test_no_such_recall(index: Path, recall: float) -> None:
    with _opened(index) as collection:
        before = collection.info()
        with pytest.raises(ConfigError, match="recall"):
            collection.tune(recall)
        with pytest.raises(ConfigError, match="recall"):
            collection.rebuild("exact", recall=recall)
        assert collection.info() == before


def test_auto_says_why(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _opened(index) as collection:
        assert collection.info().why == ""
        collection.rebuild("auto", recall=0.9)
        info = collection.info()
        assert info.why == "exact, since to compare with each of up to 20,000 images is quick"
        assert info.tuning
        assert info.tuning.recall == 1
    monkeypatch.setattr(store_keeper, "FaissStore", partial(FaissStore, flat_limit=500))
    with _opened(index) as collection:
        collection.rebuild()
        why = collection.info().why
    assert why.startswith("1-bit scan + exact re-rank, since 2,600 images take ")
    assert why.endswith(" ms so (measured here)")
