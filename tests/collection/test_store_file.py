"""The store's file is derived: whatever happens to it, the answers stay right."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import faiss
import pytest
from conftest import CountingEncoder, MakePicture

from image_similarity_search.collection import Collection


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
    assert "made anew" in caplog.text
    assert faiss.read_index(str(file)).ntotal == 12
    caplog.clear()
    with reopen(index) as collection:
        collection.search(photos / "picture 0.jpg")
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
