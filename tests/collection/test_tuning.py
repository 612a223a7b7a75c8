"""A recall that is asked for, and why ``auto`` searches as it does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import filling
import numpy as np
import pytest
from click.testing import CliRunner
from conftest import UnusedEncoder
from PIL import Image

from image_similarity_search import Tuning
from image_similarity_search.cli.app import app
from image_similarity_search.cli.output import tuning_in_words
from image_similarity_search.collection import Collection, costs, tuning
from image_similarity_search.collection.interchange.exporting import export_collection
from image_similarity_search.collection.interchange.importing import import_collection
from image_similarity_search.errors import ConfigError

_COUNT, _DIM = 2600, 32


def _opened(index: Path) -> Collection:
    return Collection.open(index, encoder=UnusedEncoder(_DIM))


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
        folder,
        [np.asarray(rows, dtype=np.float32)],
        index="ivf-rabitq",
        encoder=UnusedEncoder(_DIM),
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


def test_fewer_lists_are_searched_where_less_is_asked_for(index: Path, tmp_path: Path) -> None:
    copy = tmp_path / "index"
    shutil.copytree(index, copy)
    with _opened(copy) as collection:
        collection.rebuild("IVF8,SQ8")  # a deep search finds more in such lists than one has
        low, high = collection.tune(0.5), collection.tune(0.95)
        assert low.probed
        assert low.probed < 1
        assert low.reached
        assert high.reached
        few = collection.tune(0.05)
        assert few.probed
        assert few.probed * 2600 >= 2 * 75  # what is found in all lists for lack of these is no way


def test_what_can_t_be_reached_is_said(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "_DEPTHS", (0.02,))
    done = CliRunner().invoke(app, ["rebuild", "--index-dir", str(index), "--recall", "1"])
    assert "target recall 1, measured 0." in done.output
    assert "the target can't be reached" in done.output
    done = CliRunner().invoke(app, ["info", "--index-dir", str(index), "--json"])
    info = json.loads(done.stdout)
    assert info["tuning"]["target"] == 1
    assert info["tuning"]["recall"] < 1


def test_a_recall_that_was_measured_among_few_is_said_to_be_so() -> None:
    measured = Tuning(0.9, 0.95, 10, 60, 1000, None, 1.0)
    assert "rebuild" not in tuning_in_words(measured, 1999)
    assert "run 'iss rebuild' to measure it on the present 2,000 images" in tuning_in_words(
        measured, 2000
    )


def test_a_recall_is_taken_back(index: Path) -> None:
    with _opened(index) as collection:
        collection.rebuild()
        collection.untune()
        usual = collection.info()
        collection.tune(0.97)
        assert collection.info().store != usual.store
        collection.untune()
        assert (collection.info().tuning, collection.info().store) == (None, usual.store)
        collection.tune(0.97)
    done = CliRunner().invoke(app, ["rebuild", "--index-dir", str(index), "--recall", "default"])
    assert done.exit_code == 0, done.output
    assert "tuned" not in done.output
    with _opened(index) as collection:
        assert (collection.info().tuning, collection.info().store) == (None, usual.store)
    done = CliRunner().invoke(app, ["rebuild", "--index-dir", str(index), "--recall", "most"])
    assert "'most' is not a number or 'default'" in done.output


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
        assert info.why == "exact search, fast enough up to 5,000 images"
        assert info.tuning
        assert info.tuning.recall == 1
    monkeypatch.setattr(costs, "FLAT_LIMIT", 500)
    monkeypatch.setattr(costs, "_FLAT_BYTES", 0)
    times = iter([2.0, 1.9, 0.5, 0.6])  # in full, of that comparing, by bits, as it was
    monkeypatch.setattr(costs, "_ms", lambda act: next(times))
    words = "1-bit scan + exact re-rank, since"
    with _opened(index) as collection:
        collection.rebuild()
        taken = "2,600 images take 2.0 ms in full and 0.6 ms so (measured here)"
        assert collection.info().why == f"{words} {taken}"
        times = iter([0.2, 0.1, 0.5, 0.6])
        collection.rebuild()
        memory = "more than 500 full embeddings take too much memory"
        assert collection.info().why == f"{words} {memory}"


def test_auto_takes_what_is_quicker(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.3, 0.2, 2.0, 2.5])  # in full, of that comparing, by bits, as it was
    monkeypatch.setattr(costs, "FLAT_LIMIT", 500)
    monkeypatch.setattr(costs, "_ms", lambda act: next(times))
    with _opened(index) as collection:
        collection.rebuild("auto")
        info = collection.info()
        limit = int(2600 * (1 + 1.7 / 0.2))
        assert f"up to {limit:,} images (measured here)" in info.why
        assert info.store == "auto (FAISS Flat, exact)"
    with _opened(index) as collection:
        assert collection.info().store == info.store
        times = iter([0.3, 0.2, 0.25, 0.25])
        collection.rebuild()
        assert "1-bit" in collection.info().store


def test_auto_weighs_whatever_a_collection_grows_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costs, "FLAT_LIMIT", 10)
    times = iter([0.3, 0.2, 0.25, 0.25] * 2)
    monkeypatch.setattr(costs, "_ms", lambda act: next(times))
    files = [tmp_path / f"{number}.png" for number in range(12)]
    for number, file in enumerate(files):
        Image.new("RGB", (16, 16), (number * 17, 255 - number * 17, 99)).save(file)
    measured = "12 images take 0.3 ms in full and 0.2 ms so (measured here)"
    with Collection.open(tmp_path / "index", encoder="colour-texture", create=True) as collection:
        collection.add(*files[:10])
        assert "measured" not in collection.info().why
        collection.add(*files[10:])
        assert measured in collection.info().why
        collection.add(files[0])
    export_collection(tmp_path / "index", tmp_path / "export.npy")
    import_collection(tmp_path / "export.npy", tmp_path / "again")
    with Collection.open(tmp_path / "again") as collection:
        assert measured in collection.info().why
    assert not list(times)


def test_auto_weighs_once_when_it_ceases_to_be_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costs, "FLAT_LIMIT", 10)
    times = iter([0.3, 0.2, 0.25, 0.25])
    monkeypatch.setattr(costs, "_ms", lambda act: next(times))
    folder = tmp_path / "pictures"
    folder.mkdir()
    with Collection.open(tmp_path / "index", encoder="colour-texture", create=True) as collection:
        for count in (8, 12, 14):
            for number in range(count):
                colour = (number * 17, 255 - number * 17, 99)
                Image.new("RGB", (16, 16), colour).save(folder / f"{number}.png")
            collection.sync(folder)
            words = "exact" if count == 8 else "1-bit scan"
            assert words in collection.info().why
    assert not list(times)
