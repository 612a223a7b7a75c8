"""While a store is made anew, the former one serves: no search waits for that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import CountingEncoder, MakePicture

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection import Collection, building, store_keeper
from image_similarity_search.stores import FaissStore, faiss_store
from image_similarity_search.types import FloatArray, IdArray

_PATIENCE = 20.0  # seconds


@pytest.fixture
def index(tmp_path: Path, photos: Path) -> Path:
    """The folder of a closed collection of twelve pictures."""
    with reopen(tmp_path / "i", create=True) as collection:
        collection.sync(photos)
    return tmp_path / "i"


def reopen(index: Path, *, create: bool = False) -> Collection:
    return Collection.open(index, encoder=CountingEncoder(), create=create)


class Making:
    """Stops whoever puts vectors into a graph, until it is let go on; counts the stores made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.may_go_on, self.made = threading.Event(), threading.Event(), 0
        upsert, built_store = FaissStore.upsert, building.built_store

        def waiting(store: FaissStore, ids: IdArray, rows: FloatArray) -> None:
            if store.kind == "hnsw":
                self.begun.set()
                assert self.may_go_on.wait(_PATIENCE / 4)
            upsert(store, ids, rows)

        def counted(*arguments: object, **named: object) -> FaissStore:
            self.made += 1
            return built_store(*arguments, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(FaissStore, "upsert", waiting)
        monkeypatch.setattr(store_keeper, "built_store", counted)


@pytest.fixture
def making(monkeypatch: pytest.MonkeyPatch) -> Making:
    return Making(monkeypatch)


def begin(act: Callable[[], object], making: Making) -> threading.Thread:
    """Do it on another thread, which is stopped amid the making of a graph."""
    thread = threading.Thread(target=act)
    thread.start()
    assert making.begun.wait(_PATIENCE)
    return thread


def wait_for(kind: str, collection: Collection) -> None:
    end = time.monotonic() + _PATIENCE
    while not collection.info().store.startswith(kind):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_searches_of_other_threads_go_on_while_the_kind_is_changed(
    index: Path, making: Making
) -> None:
    with reopen(index) as collection:
        before = collection.search(1, k=20)
        rebuilding = begin(lambda: collection.rebuild("hnsw"), making)
        assert collection.search(1, k=20) == before
        assert collection.info().store.startswith("auto")
        assert rebuilding.is_alive()
        making.may_go_on.set()
        rebuilding.join()
        assert collection.info().store.startswith("hnsw")
        assert collection.search(1, k=20) == before


@pytest.mark.parametrize("small", [True, False])
def test_who_reads_takes_the_store_of_who_changed_the_kind(
    index: Path, making: Making, small: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not small:  # then it is read beside the searches
        monkeypatch.setattr(store_keeper, "_ALWAYS_SAVED", 0)
    with reopen(index) as reader, reopen(index) as writer:
        before = reader.search(1, k=20)
        rebuilding = begin(lambda: writer.rebuild("hnsw"), making)
        assert reader.search(1, k=20) == before
        making.may_go_on.set()
        rebuilding.join()
        assert reader.search(1, k=20) == before
        wait_for("hnsw", reader)
        assert reader.search(1, k=20) == before
    assert making.made == 1


def test_who_is_far_behind_takes_the_store_of_who_rebuilt(index: Path, making: Making) -> None:
    """What it would have to delete is not known any more."""
    making.may_go_on.set()
    with reopen(index) as reader, reopen(index) as writer:
        reader.search(1)
        writer.remove(2)
        writer.rebuild("hnsw")
        assert len(reader.search(1, k=20)) == 10
        assert reader.info().store.startswith("hnsw")
    assert making.made == 1


def test_after_removals_from_a_graph_who_reads_goes_on_and_takes_the_next_one(
    index: Path,
    photos: Path,
    making: Making,
    make_picture: MakePicture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    making.may_go_on.set()
    monkeypatch.setattr(store_keeper, "_ALWAYS_SAVED", 0)
    monkeypatch.setattr(faiss_store, "_BURIED_LEAST", 2)
    new = make_picture(photos / "new.png", 77)
    with reopen(index) as reader, reopen(index) as writer:
        writer.rebuild("hnsw")
        assert len(reader.search(1, k=20)) == 11
        wait_for("hnsw", reader)
        making.begun.clear()
        making.may_go_on.clear()
        removing = begin(lambda: writer.remove(2, 3, 4, 5, 6), making)
        assert {hit.id for hit in reader.search(1, k=20)} == {7, 8, 9, 10, 11, 12}
        assert removing.is_alive()
        making.may_go_on.set()
        removing.join()
        writer.add(new)
        assert reader.search(new, k=1)[0].score == 1.0
        assert len(reader.search(1, k=20)) == 7
    assert making.made == 2  # by the one who writes


@pytest.mark.parametrize("method", ["set_index", "read_identity"])
def test_a_change_of_kind_that_is_killed_leaves_right_answers(
    index: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between file and catalog, and when the catalog has just been told."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with reopen(index) as collection:
        before = collection.search(1, k=20)
        with monkeypatch.context() as patch:
            patch.setattr(Catalog, method, killed)
            with pytest.raises(KeyboardInterrupt):
                collection.rebuild("exact")
        assert collection.search(1, k=20) == before
    with reopen(index) as collection:
        assert collection.search(1, k=20) == before
        assert collection.info().store.startswith(collection.info().index)
        assert not collection.verify().problems


def test_a_collection_that_is_closed_ends_the_making(
    index: Path, making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = reopen(index)
    reader.search(1)
    with reopen(index) as writer:
        making.may_go_on.set()
        writer.rebuild("hnsw")
    making.may_go_on.clear()
    (index / "faiss.index").unlink()
    making.begun.clear()
    monkeypatch.setattr(store_keeper, "_ALWAYS_SAVED", 0)
    reader.search(1)  # it begins to make one
    assert making.begun.wait(_PATIENCE)
    closing = threading.Thread(target=reader.close)
    closing.start()
    making.may_go_on.set()
    closing.join(_PATIENCE)
    assert not closing.is_alive()


def test_who_rebuilds_after_another_changed_the_kind_keeps_that(index: Path) -> None:
    with reopen(index) as one, reopen(index) as other:
        one.search(1)
        other.rebuild("exact")
        one.rebuild()
        assert one.info().store.startswith("exact")
    with reopen(index) as collection:
        assert collection.info().store.startswith("exact")
