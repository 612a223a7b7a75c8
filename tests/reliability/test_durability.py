"""What is kept when the power goes: what SQLite has brought to the file, and not what is logged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import whole
from conftest import CountingEncoder, draw

from image_similarity_search.catalog import catalog
from image_similarity_search.collection import Collection
from image_similarity_search.types import Progress


def without_log(index: Path, copy: Path) -> set[str]:
    """The images of a copy of the collection that lacks the write-ahead log."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(index, copy, ignore=shutil.ignore_patterns("*-wal", "*-shm"))
    return whole.committed(copy)


_CHANGES: dict[str, Callable[[Collection, Path], object]] = {
    "sync": lambda collection, photos: collection.sync(photos),
    "add": lambda collection, photos: collection.add(photos / "new.png"),
    "remove": lambda collection, photos: collection.remove(photos / "holiday"),
    "relocate": lambda collection, photos: collection.relocate(
        photos, photos.rename(photos.with_name("elsewhere"))
    ),
    "rebuild": lambda collection, _: collection.rebuild("hnsw"),
}


@pytest.mark.parametrize("change", _CHANGES)
def test_a_change_that_is_done_needs_no_log(tmp_path: Path, photos: Path, change: str) -> None:
    with Collection.open(tmp_path / "i", encoder=CountingEncoder(), create=True) as collection:
        collection.sync(photos)
        draw(50).save(photos / "new.png")
        before = {record.path for record in collection}
        _CHANGES[change](collection, photos)
        after = {record.path for record in collection}
        assert (after == before) == (change == "rebuild")
        assert without_log(tmp_path / "i", tmp_path / "copy") == after
        with Collection.open(tmp_path / "copy") as copy:
            assert copy.info().index == collection.info().index


def test_a_long_run_waits_for_the_disk_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most what was done in DURABLE_SECONDS is lost, and the batch under way."""
    folder, index = tmp_path / "p", tmp_path / "i"
    folder.mkdir()
    for seed in range(64):
        draw(seed, (32, 24)).save(folder / f"{seed}.png")
    monkeypatch.setattr(catalog, "DURABLE_SECONDS", 0.0)
    lost = []

    def look(progress: Progress) -> None:
        if progress.phase == "indexing" and 0 < progress.done < 64:
            lost.append(progress.done - len(without_log(index, tmp_path / "copy")))

    with Collection.open(index, encoder=CountingEncoder(), create=True) as collection:
        collection.sync(folder, progress=look)
    assert len(lost) > 4
    assert max(lost) == 0
