"""The store's file is derived: whatever happens to it, the answers stay right."""

from __future__ import annotations

import io
import logging
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import faiss
import pytest
from conftest import CountingEncoder, MakePicture

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection import Collection, building, store_keeper
from image_similarity_search.collection.store_keeper import StoreKeeper
from image_similarity_search.errors import ConfigError, StoreTrainingError
from image_similarity_search.stores import FaissStore, index_file, kinds
from image_similarity_search.types import METRICS, FloatArray, IdArray, Metric, Progress


@pytest.fixture
def index(tmp_path: Path, photos: Path) -> Path:
    """The folder of a closed collection of twelve pictures."""
    with Collection.open(tmp_path / "i", encoder=CountingEncoder(), create=True) as collection:
        collection.sync(photos)
    return tmp_path / "i"


def reopen(index: Path) -> Collection:
    return Collection.open(index, encoder=CountingEncoder())


def test_it_is_a_plain_faiss_file(index: Path) -> None:
    assert faiss.read_index(str(index / "faiss.index")).ntotal == 12


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1000])


def _flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def _zero(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


@pytest.mark.parametrize(
    "damage", [Path.unlink, _truncate, _flip, _zero], ids=["missing", "truncated", "bit", "zeroed"]
)
def test_a_missing_or_damaged_file_is_made_anew_and_that_is_said(
    index: Path, photos: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    file = index / "faiss.index"
    damage(file)
    with reopen(index) as collection, caplog.at_level(logging.WARNING):
        assert len(collection.search(photos / "picture 0.jpg", k=20)) == 12
    assert "rebuilding it" in caplog.text
    assert caplog.text.count(file.name) == 1
    assert faiss.read_index(str(file)).ntotal == 12
    caplog.clear()
    with reopen(index) as collection:
        collection.search(photos / "picture 0.jpg")
    assert not caplog.text


def test_of_a_new_collection_nothing_is_said_to_be_missing(
    tmp_path: Path, photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for thumbnails in (True, False):
        new = Collection.open(
            tmp_path / f"i{thumbnails}",
            encoder=CountingEncoder(),
            create=True,
            thumbnails=thumbnails,
        )
        with new as collection, caplog.at_level(logging.WARNING):
            collection.sync(photos)
    assert not caplog.text


def test_another_collections_file_is_not_believed(
    index: Path, photos: Path, tmp_path: Path, make_picture: MakePicture
) -> None:
    other = make_picture(tmp_path / "other" / "x.png", 60).parent
    with Collection.open(tmp_path / "o", encoder=CountingEncoder(), create=True) as collection:
        collection.sync(other)
    shutil.copy(tmp_path / "o" / "faiss.index", index / "faiss.index")
    with reopen(index) as collection:
        assert len(collection.search(photos / "picture 0.jpg", k=20)) == 12


def test_a_stale_file_is_caught_up(
    index: Path, photos: Path, make_picture: MakePicture, caplog: pytest.LogCaptureFixture
) -> None:
    old = (index / "faiss.index").read_bytes()
    new = make_picture(photos / "new.png", 61)
    (photos / "picture 0.jpg").unlink()
    changed = make_picture(photos / "picture 4.jpg", 62)
    with reopen(index) as collection:
        collection.sync(photos)
        expected = collection.search(changed, k=20)
    (index / "faiss.index").write_bytes(old)
    with reopen(index) as collection, caplog.at_level(logging.WARNING):
        assert collection.search(changed, k=20) == expected
        assert not caplog.text  # caught up, not made anew
        assert collection.search(new, k=1)[0].score == 1.0
        assert len(expected) == 13


def test_a_file_from_the_future_of_a_restored_catalog_is_not_believed(
    index: Path, photos: Path, make_picture: MakePicture
) -> None:
    backup = (index / "catalog.sqlite").read_bytes()
    make_picture(photos / "new.png", 61)
    with reopen(index) as collection:
        collection.sync(photos)
    (index / "catalog.sqlite").write_bytes(backup)
    with reopen(index) as collection:
        assert len(collection.search(photos / "picture 0.jpg", k=20)) == 12


def test_another_process_may_change_the_kind(index: Path, photos: Path) -> None:
    with reopen(index) as one, reopen(index) as other:
        before = one.search(photos / "picture 0.jpg")
        other.rebuild("exact")
        assert one.search(photos / "picture 0.jpg") == before
        assert one.info().store.startswith("exact")


def test_a_move_from_an_engine_that_is_killed_changes_nothing_and_goes_on(
    index: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url = "milvus://127.0.0.1:1/pictures"  # where nobody listens, nor is asked
    with closing(Catalog(str(index))) as catalog, catalog.transaction():
        catalog.set_store(url)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(index_file, "save", killed)
        with pytest.raises(KeyboardInterrupt), reopen(index) as collection:
            collection.move("embedded", index="ivf-rabitq")
    with closing(Catalog(str(index))) as catalog:
        assert (catalog.identity.store, catalog.identity.index) == (url, "auto")
        made_with = catalog.made_with()
    with reopen(index) as collection:
        collection.move("embedded", index="ivf-rabitq")
    changed = {"store": "", "index": "ivf-rabitq"}
    assert index_file.saved_made_with(index / "faiss.index") == made_with | changed
    caplog.clear()
    with reopen(index) as collection:
        assert len(collection.search(1, k=50)) == 11
        assert collection.info().index == "ivf-rabitq"
        assert not caplog.messages


def test_who_is_behind_a_rebuild_makes_the_store_anew_without_alarm(
    index: Path, photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What it would have to delete is not known any more, which is no contradiction."""
    old = (index / "faiss.index").read_bytes()
    with reopen(index) as one, reopen(index) as other:
        one.search(1)
        other.remove(2)
        other.rebuild()
        assert len(one.search(1, k=50)) == 10
    (index / "faiss.index").write_bytes(old)
    with reopen(index) as collection:
        assert not collection.verify().problems
        assert len(collection.search(1, k=50)) == 10
    assert not caplog.text


def test_a_restored_catalog_that_caught_up_is_not_mixed_with_the_old_store(
    index: Path, photos: Path, make_picture: MakePicture
) -> None:
    for seed in range(500, 550):  # more than a search for one has candidates
        make_picture(photos / f"{seed}.png", seed)
    with reopen(index) as collection:
        collection.sync(photos)
    backup = (index / "catalog.sqlite").read_bytes()
    for history in (1000, 2000):  # two different futures of the same backup
        for number, path in enumerate(sorted(photos.rglob("*.*"))):
            make_picture(path, history + number)
        with reopen(index) as collection:
            collection.sync(photos)
        if history == 1000:
            (index / "catalog.sqlite").write_bytes(backup)
    with reopen(index) as collection:
        for path in photos.rglob("*.*"):
            assert collection.search(path, k=1)[0].path == str(path)


def test_rebuilding_decodes_no_picture(index: Path, photos: Path) -> None:
    query = (photos / "picture 0.jpg").read_bytes()
    shutil.rmtree(photos)
    encoder = CountingEncoder()
    with Collection.open(index, encoder=encoder) as collection:
        collection.rebuild("exact")
        assert encoder.count == 0
        assert collection.info().index == "exact"
        assert len(collection.search(query, k=20)) == 12
    with reopen(index) as collection:
        assert collection.info().store.startswith("exact")


@pytest.mark.parametrize("kind", ["hnsw", "ivf", "ivf-pq", "ivf-rabitq", "Flat", "exact", "auto"])
def test_every_kind_has_the_same_answers(index: Path, photos: Path, kind: str) -> None:
    with reopen(index) as collection:
        before = collection.search(photos / "picture 0.jpg", k=12)
        collection.rebuild(kind)
        assert collection.info().index == kind
        assert collection.search(photos / "picture 0.jpg", k=12) == before
        (photos / "picture 0.jpg").unlink()
        collection.sync(photos)
        assert collection.search(before[0].id + 1, k=20)
        assert before[0].id not in {hit.id for hit in collection.search(before[1].path, k=20)}
    with reopen(index) as collection:
        assert len(collection.search(before[1].path, k=20)) == 11


def test_what_can_t_be_trained_or_made_is_refused_and_changes_nothing(index: Path) -> None:
    files = {file.name: file.read_bytes() for file in index.iterdir()}
    with reopen(index) as collection:
        with pytest.raises(StoreTrainingError) as caught:
            collection.rebuild("IVF65536,Flat")
        with pytest.raises(ConfigError, match="hnsw"):
            collection.rebuild("nonsense")
        assert collection.info().index == "auto"
    assert (caught.value.needed, caught.value.given) == (65536 * 39, 12)
    assert {file.name: file.read_bytes() for file in index.iterdir()} == files


@pytest.mark.parametrize(
    ("kind", "expected", "first", "last"),
    [
        ("IVF2,Flat", [(10, 10), (16, 40)], "FAISS Flat until 10 vectors", "2 of 2 lists searched"),
        ("auto", [(9, 9), (39, 39)], "1-bit scan", "1-bit scan"),
    ],
)
def test_it_is_trained_on_all_when_there_are_enough_and_again_when_it_has_outgrown_that(
    tmp_path: Path,
    make_picture: MakePicture,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    expected: list[tuple[int, int]],
    first: str,
    last: str,
) -> None:
    monkeypatch.setattr(kinds, "_PER_CENTROID", 5)
    monkeypatch.setattr(kinds, "_SAMPLED_PER_CENTROID", 8)
    for module in (building, store_keeper):
        monkeypatch.setattr(module, "flat_limit", lambda catalog: 2)
    trained: list[tuple[int, int]] = []
    original = FaissStore.train

    def train(self: FaissStore, sample: FloatArray, count: int) -> None:
        trained.append((len(sample), count))
        original(self, sample, count)

    monkeypatch.setattr(FaissStore, "train", train)
    folder = tmp_path / "growing"
    with Collection.open(
        tmp_path / "g", encoder=CountingEncoder(), index=kind, create=True
    ) as collection:
        for seed in range(48):
            picture = make_picture(folder / f"{seed}.png", seed)
            if seed in (8, 9, 38, 39, 40):
                collection.sync(folder)
                assert collection.search(picture, k=1)[0].score == 1.0
            if seed == 8:
                assert first in collection.info().store
        collection.sync(folder)
        assert trained == expected
        assert last in collection.info().store
    with reopen(tmp_path / "g") as collection:
        assert len(collection.search(picture, k=60)) == 48
    assert trained == expected


def test_an_index_with_many_deleted_ones_is_made_anew(
    index: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("image_similarity_search.stores.faiss_store._BURIED_LEAST", 2)
    with reopen(index) as collection:
        collection.rebuild("hnsw")
        for number in (0, 4, 8):
            (gone,) = photos.rglob(f"picture {number}.*")
            gone.unlink()
        collection.sync(photos)
        assert len(collection.search(1 + len(photos.name), k=20)) == 8
    assert faiss.read_index(str(index / "faiss.index")).ntotal == 9


def test_a_collection_that_is_closed_does_not_read_its_file_to_the_end(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a search fails while the file is being read: its error is not to wait."""
    monkeypatch.setattr(index_file, "_CHUNK", 100)
    reading, ended = threading.Event(), threading.Event()
    read: list[int] = []

    class SlowFile(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            read.append(size or 0)
            if read.count(100) == 3:
                reading.set()
                ended.wait(60)
            return super().read(size)

    monkeypatch.setattr(index_file, "open", lambda path, _: SlowFile(path), raising=False)
    with closing(Catalog(str(index))) as catalog:
        keeper = StoreKeeper(catalog, str(index))
        keeper.begin_to_load(after="json")
        reading.wait(60)
        closing_it = threading.Thread(target=keeper.close)
        closing_it.start()
        while not keeper._closed:
            time.sleep(0.001)
        ended.set()
        closing_it.join(60)
    assert read.count(100) == 3


@pytest.mark.parametrize("metric", METRICS)
def test_recall_is_measured_on_the_images_themselves(
    tmp_path: Path, photos: Path, metric: Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Collection.open(
        tmp_path / "m", encoder=CountingEncoder(), metric=metric, create=True
    ) as collection:
        assert collection.measure_recall().queries == 0
        collection.sync(photos)
        report = collection.measure_recall(k=3, sample=7)
        assert (report.k, report.queries, report.recall) == (3, 7, 1.0)
        assert report.seconds > 0 < report.exact_seconds
        with pytest.raises(ConfigError, match="sample"):
            collection.measure_recall(sample=0)

        original = FaissStore.search

        def forgetful(
            self: FaissStore, queries: FloatArray, k: int, allowed: None = None
        ) -> list[IdArray]:
            return [ids[ids % 2 == 0] for ids in original(self, queries, k, allowed)]

        monkeypatch.setattr(FaissStore, "search", forgetful)
        assert 0 < collection.measure_recall(k=11, sample=12).recall < 0.6


_SEARCH = """
import logging, sys
from image_similarity_search import Collection
logging.basicConfig(level=logging.WARNING)
with Collection.open(sys.argv[1]) as collection:
    print(len(collection.search(next(iter(collection)).id, k=20)))
"""


def test_a_file_that_is_not_written_yet_is_nothing_to_warn_of(photos: Path, tmp_path: Path) -> None:
    """To another process, during the very first indexing, which writes the file at its end."""
    said: list[tuple[str, str]] = []

    def search(step: Progress) -> None:
        if step.phase == "indexing" and step.done and not said:
            command = [sys.executable, "-c", _SEARCH, str(tmp_path / "i")]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            said.append((done.stdout, done.stderr))

    with Collection.open(tmp_path / "i", encoder="colour-texture", create=True) as collection:
        collection.sync(photos, progress=search)
    ((found, warned),) = said
    assert int(found) > 1
    assert not warned
