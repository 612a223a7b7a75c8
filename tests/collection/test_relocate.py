"""Folders that are elsewhere now: paths change, nothing is read or encoded."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from conftest import CountingEncoder, MakePicture

from image_similarity_search.collection import Collection
from image_similarity_search.errors import ConfigError, FolderNotFoundError
from image_similarity_search.images import decode


@pytest.fixture
def indexed(collection: Collection, photos: Path, encoder: CountingEncoder) -> Collection:
    collection.sync(photos)
    encoder.count = 0
    return collection


def paths(collection: Collection) -> set[str]:
    return {record.path for record in collection}


def files(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*.*")}


def test_a_moved_folder_is_known_at_its_new_place(
    indexed: Collection,
    photos: Path,
    tmp_path: Path,
    encoder: CountingEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = {Path(record.path).name: record.id for record in indexed}
    found = [hit.score for hit in indexed.search(1, k=5)]
    new = tmp_path / "another mount" / "pictures"
    new.parent.mkdir()
    photos.rename(new)
    with monkeypatch.context() as patched:
        patched.setattr(decode, "read_file", lambda path: pytest.fail(f"{path} was read"))
        assert indexed.relocate(photos, new) == 12
        report = indexed.sync(new)
    assert paths(indexed) == files(new)
    assert {Path(record.path).name: record.id for record in indexed} == before
    assert [hit.score for hit in indexed.search(1, k=5)] == found
    assert indexed.roots() == [str(new)]
    assert (report.unchanged, report.indexed, report.removed) == (12, 0, 0)
    assert encoder.count == 0
    assert not indexed.verify(files=True).problems


def test_a_copy_on_another_drive_costs_no_encoding_either(
    indexed: Collection, photos: Path, tmp_path: Path, encoder: CountingEncoder
) -> None:
    """There the times of the files are others, as after a plain copy."""
    new = tmp_path / "new"
    shutil.copytree(photos, new, copy_function=shutil.copyfile)
    shutil.rmtree(photos)
    indexed.relocate(photos, new)
    assert indexed.sync(new).unchanged == 12
    assert encoder.count == 0


def test_all_roots_and_single_images_below_move_along(
    collection: Collection, tmp_path: Path, make_picture: MakePicture, encoder: CountingEncoder
) -> None:
    drive = tmp_path / "drive"
    for number, name in enumerate(["a/1.png", "a/x/2.png", "b/3.png", "c/d/4.png", "5.png"]):
        make_picture(drive / name, number)
    elsewhere = make_picture(tmp_path / "drive of others" / "6.png", 6)
    collection.sync(drive / "a")
    collection.sync(drive / "b")
    collection.sync(elsewhere.parent)
    collection.add(drive / "c" / "d" / "4.png", drive / "5.png")
    new = drive.rename(tmp_path / "mounted elsewhere")
    assert collection.relocate(drive, new) == 5
    assert paths(collection) == files(new) | {str(elsewhere)}
    assert collection.roots() == sorted(map(str, [new / "a", new / "b", elsewhere.parent]))
    assert not collection.verify(files=True).problems
    assert encoder.count == 6


def test_one_of_two_roots_moves_and_the_other_stays(
    indexed: Collection, photos: Path, tmp_path: Path, make_picture: MakePicture
) -> None:
    other = make_picture(tmp_path / "other" / "x.png", 50)
    indexed.sync(other.parent)
    new = photos.rename(tmp_path / "new")
    indexed.relocate(photos, new)
    assert paths(indexed) == files(new) | {str(other)}
    assert indexed.sync(other.parent).unchanged == 1
    assert indexed.sync(new).unchanged == 12


def test_folders_may_take_the_places_of_each_other(
    collection: Collection, tmp_path: Path, make_picture: MakePicture
) -> None:
    """One level deeper, so that one takes the place that the other leaves."""
    for number, name in enumerate(["a/1.png", "a/a/2.png", "a/a/a/3.png"]):
        collection.add(make_picture(tmp_path / name, number))
    os.rename(tmp_path / "a", tmp_path / "old")
    (tmp_path / "a").mkdir()
    os.rename(tmp_path / "old", tmp_path / "a" / "a")
    assert collection.relocate(tmp_path / "a", tmp_path / "a" / "a") == 3
    assert paths(collection) == files(tmp_path / "a")


def test_a_path_that_is_written_otherwise_is_the_same(
    indexed: Collection, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    photos.rename(tmp_path / "new")
    (tmp_path / "link").symlink_to(tmp_path / "new")
    assert indexed.relocate("photos/", "link/") == 12
    assert paths(indexed) == files(tmp_path / "new")


def unchanged(collection: Collection, photos: Path) -> bool:
    return collection.roots() == [str(photos)] and paths(collection) == files(photos)


def test_an_unknown_folder_is_refused_and_the_known_ones_are_named(
    indexed: Collection, photos: Path, tmp_path: Path
) -> None:
    with pytest.raises(FolderNotFoundError, match=f"indexed are: {photos}; nothing was changed"):
        indexed.relocate(tmp_path / "photo", tmp_path / "new")
    assert unchanged(indexed, photos)


def test_a_part_of_an_indexed_folder_is_for_sync(
    indexed: Collection, photos: Path, tmp_path: Path
) -> None:
    with pytest.raises(FolderNotFoundError, match=f"a part of the indexed folder {photos}"):
        indexed.relocate(photos / "holiday", tmp_path / "new")
    assert unchanged(indexed, photos)


def test_files_that_are_not_there_are_a_reason_to_refuse(
    indexed: Collection, photos: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new"
    with pytest.raises(FolderNotFoundError, match="12 of 12 checked files are missing"):
        indexed.relocate(photos, new)
    new.mkdir()
    with pytest.raises(FolderNotFoundError, match="--force"):
        indexed.relocate(photos, new)
    assert unchanged(indexed, photos)
    assert indexed.relocate(photos, new, force=True) == 12
    assert indexed.roots() == [str(new)]


def test_a_few_missing_files_are_for_the_next_sync(
    indexed: Collection, photos: Path, tmp_path: Path
) -> None:
    (photos / "picture 0.jpg").unlink()
    new = photos.rename(tmp_path / "new")
    assert indexed.relocate(photos, new) == 12
    assert indexed.sync(new).removed == 1


@pytest.mark.parametrize("where", [".", "below", "..", "single"])
def test_what_would_overlap_is_refused(
    indexed: Collection, photos: Path, tmp_path: Path, make_picture: MakePicture, where: str
) -> None:
    new = tmp_path / "x" / "new"
    shutil.copytree(photos, new / "below" if where == "below" else new)
    other = new / ".." if where == ".." else new
    if where == "single":
        indexed.add(make_picture(new / "one more.png", 60))
    else:
        indexed.sync(other)
    before = (indexed.roots(), paths(indexed))
    with pytest.raises(ConfigError, match="does not overlap with indexed folders"):
        indexed.relocate(photos, new / "below" if where == "below" else new)
    assert (indexed.roots(), paths(indexed)) == before


def test_a_path_of_another_system_can_be_named(
    indexed: Collection, photos: Path, tmp_path: Path
) -> None:
    """A collection that was made elsewhere has roots that no path here is like."""
    catalog = indexed._catalog
    with catalog.transaction():
        (root_id,) = catalog.places.roots()
        catalog.places.relocate({root_id: "C:\\Users\\me\\Pictures"}, {})
    assert indexed.relocate("C:\\Users\\me\\Pictures", photos) == 12
    assert unchanged(indexed, photos)


def test_bad_files_go_along_with_a_folder_that_is_indexed_at_its_new_place(
    collection: Collection, photos: Path, tmp_path: Path
) -> None:
    (photos / "bad.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (photos / "holiday" / "bad.jpg").write_bytes(b"\xff\xd8\xff no picture either")
    collection.sync(photos)
    before = {Path(record.path).name: record.id for record in collection.skipped()}
    new = photos.rename(tmp_path / "renamed")
    report = collection.sync(new)
    assert (report.moved, report.skipped, report.removed) == (12, 2, 0)
    assert collection.roots() == [str(new)]
    bad = list(collection.skipped())
    assert {record.path for record in bad} == {
        str(new / "bad.jpg"),
        str(new / "holiday" / "bad.jpg"),
    }
    assert {Path(record.path).name: record.id for record in bad} == before
    assert not collection.verify(files=True).problems


def test_a_bad_file_that_is_alone_moves_too(collection: Collection, photos: Path) -> None:
    bad = photos / "bad.jpg"
    bad.write_bytes(b"\xff\xd8\xff no picture")
    collection.sync(photos)
    bad.rename(photos / "holiday" / "worse.jpg")
    report = collection.sync(photos)
    assert (report.skipped, report.removed) == (1, 0)
    assert [Path(record.path).name for record in collection.skipped()] == ["worse.jpg"]


def test_a_folder_that_is_gone_and_seems_to_be_elsewhere_is_a_hint(
    indexed: Collection,
    photos: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    new = photos.rename(tmp_path / "renamed")
    (tmp_path / "other").mkdir()
    indexed.sync(tmp_path / "other")
    assert not caplog.messages
    monkeypatch.chdir(new)
    indexed.sync(".")
    (said,) = caplog.messages
    assert f"{photos} is gone, and its files seem to be in {new}" in said
    assert "iss relocate" in said
