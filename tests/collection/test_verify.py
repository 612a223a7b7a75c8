"""What verify finds wrong with a collection, and what it does not."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import damage
import numpy as np
import pytest
from conftest import CountingEncoder, MakePicture

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection import Collection
from image_similarity_search.collection.verify import verified
from image_similarity_search.errors import CollectionCorruptError, CollectionNotFoundError
from image_similarity_search.reports import VerifyReport
from image_similarity_search.stores import FaissStore, index_file, kinds
from image_similarity_search.types import METRICS, Metric


@pytest.fixture
def index(tmp_path: Path, make_picture: MakePicture) -> Path:
    return damage.make(tmp_path / "pictures", make_picture)


def problems(index: Path, *, files: bool = False) -> list[str]:
    return [f"{found.part}: {found.text}" for found in verified(str(index), files=files).problems]


def test_a_whole_collection_has_no_problems(index: Path) -> None:
    with Collection.open(index) as collection:
        report = collection.verify(files=True)
    assert not report.problems
    assert not report.damaged
    assert report.checked == {
        "pages": (index / "catalog.sqlite").stat().st_size // 16_384,
        "roots": 2,
        "folders": 4,
        "images": 24,
        "embeddings": 23,
        "vectors": 23,
        "compared": 23,
        "files": 23,
    }


def test_nothing_is_changed(index: Path) -> None:
    before = {path.name: path.read_bytes() for path in index.iterdir()}
    verified(str(index), files=True)
    assert {path.name: path.read_bytes() for path in index.iterdir()} == before


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["auto", "hnsw", "IVF2,Flat", "HNSW8,SQ8"])
def test_a_store_of_any_kind_is_compared(
    tmp_path: Path, photos: Path, kind: str, metric: Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "_PER_CENTROID", 5)  # so that twelve are enough to train it
    if kind == "HNSW8,SQ8" and metric == "l1":
        pytest.skip("FAISS has no such index")
    with Collection.open(
        tmp_path / "i", encoder=CountingEncoder(), metric=metric, index=kind, create=True
    ) as collection:
        collection.sync(photos)
        collection.remove(2)
        collection.sync(photos)
        assert not collection.info().store.startswith("IVF2,Flat (FAISS Flat until")
    report = verified(str(tmp_path / "i"))
    assert not report.problems
    assert report.checked["vectors"] == 12
    assert report.checked["compared"] == (0 if kind == "HNSW8,SQ8" else 12)


def test_a_store_that_was_not_written_lately_is_no_problem(
    index: Path, tmp_path: Path, make_picture: MakePicture
) -> None:
    old = (index / "faiss.index").read_bytes()
    folder = tmp_path / "pictures" / "one"
    make_picture(folder / "new.png", 60)
    make_picture(folder / "picture 4.png", 61)
    (folder / "below" / "picture 1.png").unlink()
    with Collection.open(index, encoder=CountingEncoder()) as collection:
        collection.sync(folder)
    (index / "faiss.index").write_bytes(old)
    assert not problems(index)
    (index / "faiss.index").unlink()
    assert not problems(index)


@pytest.mark.parametrize("seed", range(10))
def test_a_damaged_store_is_found(index: Path, seed: int) -> None:
    damage.flip(index / "faiss.index", seed)
    (problem,) = problems(index)
    assert problem.startswith("store: ")
    assert verified(str(index)).damaged


def _rewritten(index: Path, change: str) -> None:
    """Write a store whose checksums are right and which is wrong all the same."""
    catalog = Catalog(str(index))
    moment = catalog.moment
    identity = catalog.identity
    store = FaissStore(identity.dim, identity.metric, identity.index)
    for part in catalog.embeddings.since(0):
        rows = part.units.astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        ids = part.ids.copy()
        if change == "vector":
            rows[3] = rows[4]
        elif change == "id":
            ids[3] = 99
        store.upsert(ids, rows)
    store.moment = moment._replace(generation=moment.generation + (change == "future"))
    if change == "fewer":
        store.delete(store.search(rows[:1], 1)[0])
    index_file.save(store, index / "faiss.index", identity.id)
    catalog.close()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("none", []),
        ("vector", ["holds another vector of image {fourth}"]),
        ("id", ["holds image 99, which is not in the catalog", "lacks image {fourth}"]),
        ("fewer", ["lacks image {first}"]),
        ("future", ["is of generation {next}, the catalog of {now}"]),
    ],
)
def test_a_store_that_contradicts_the_catalog_is_found(
    index: Path, change: str, found: list[str]
) -> None:
    with Collection.open(index) as collection:
        ids = [record.id for record in collection]
        generation = collection.info().generation
    _rewritten(index, change)
    known = {"first": ids[0], "fourth": ids[3], "now": generation, "next": generation + 1}
    assert len(problems(index)) == len(found)
    for problem, words in zip(problems(index), found, strict=True):
        assert words.format(**known) in problem


def test_every_damage_that_a_search_meets_is_found(index: Path, tmp_path: Path) -> None:
    expected = damage.answers(index)
    met = 0
    for seed, copy in zip(range(100), damage.copies(index, tmp_path / "copy"), strict=False):
        damage.flip(copy / "catalog.sqlite", seed)
        try:
            assert damage.answers(copy) == expected
        except CollectionCorruptError:
            met += 1
            assert verified(str(copy)).counts["catalog"] > 0
    assert met > 30


def test_a_missing_catalog_is_said(index: Path, tmp_path: Path) -> None:
    with pytest.raises(CollectionNotFoundError):
        verified(str(tmp_path / "none"))
    (index / "catalog.sqlite").unlink()
    with pytest.raises(CollectionCorruptError, match="it is missing or empty"):
        verified(str(index))


def test_files_that_are_not_as_indexed_are_found(index: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures" / "two"
    gone, changed, rotten = (folder / f"picture {number}.png" for number in (2, 6, 10))
    gone.unlink()
    changed.write_bytes(b"something else")
    status = rotten.stat()
    data = bytearray(rotten.read_bytes())
    data[len(data) // 2] ^= 1
    rotten.write_bytes(data)
    os.utime(rotten, ns=(status.st_mtime_ns, status.st_mtime_ns))
    assert not problems(index)
    report = verified(str(index), files=True)
    assert not report.damaged
    assert sorted(problem.text for problem in report.problems) == [
        f"{rotten}: content changed, with the same size and time",
        f"{gone}: no such file",
        f"{changed}: changed since it was indexed",
    ]


def test_a_folder_that_is_away_is_told_once(index: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    (folder / "one").rename(tmp_path / "unplugged")
    changed = folder / "two" / "picture 6.png"
    changed.write_bytes(b"something else")
    report = verified(str(index), files=True)
    assert [problem.text for problem in report.problems] == [
        f"{folder / 'one'}: not on this computer, or empty; its files were not checked",
        f"{changed}: changed since it was indexed",
    ]
    assert report.checked["files"] == 12  # those of the other one


def test_it_holds_while_another_thread_writes(
    index: Path, tmp_path: Path, make_picture: MakePicture
) -> None:
    stop = threading.Event()

    def write() -> None:
        with Collection.open(index, encoder=CountingEncoder()) as collection:
            for number in range(1000):
                if stop.is_set():
                    return
                new = make_picture(tmp_path / "pictures" / "two" / "busy.png", 100 + number)
                collection.add(new)
                collection.remove(new)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(15):
            assert not problems(index, files=False)
    finally:
        stop.set()
        writer.join()


def test_problems_are_counted_beyond_those_that_are_kept() -> None:
    report = VerifyReport()
    for number in range(1500):
        report.add("files", str(number))
    assert len(report.problems) == 1000
    assert report.counts == {"catalog": 0, "store": 0, "notes": 0, "files": 1500}
    assert not report.damaged
    report.add("catalog", "x")
    assert report.damaged


def test_a_copy_of_the_folder_is_whole_too(index: Path, tmp_path: Path) -> None:
    shutil.copytree(index, tmp_path / "copy")
    assert not problems(tmp_path / "copy")


def test_an_index_of_another_program_is_no_lost_collection(tmp_path: Path) -> None:
    (tmp_path / "faiss.index").write_bytes(b"IxF2 of another program")
    with pytest.raises(CollectionNotFoundError):
        verified(str(tmp_path))
