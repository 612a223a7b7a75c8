"""What a sync makes of new, changed, moved, vanished and bad files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import CountingEncoder, MakePicture, draw

from image_similarity_search.catalog.changes import Changes
from image_similarity_search.collection import Collection
from image_similarity_search.collection.other_files import OtherFiles, most_of
from image_similarity_search.errors import (
    CollectionNotFoundError,
    ConfigError,
    EncoderNotHereError,
    EncoderOutputError,
    FolderNotFoundError,
)
from image_similarity_search.reports import SyncInterrupted, SyncReport
from image_similarity_search.types import FloatArray, PixelArray, Progress


def counts(report: SyncReport) -> dict[str, int]:
    """The counts of a report that are not zero."""
    names = ("indexed", "updated", "unchanged", "moved", "removed", "skipped")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


def paths(collection: Collection) -> set[str]:
    return {record.path for record in collection}


def ids(collection: Collection) -> dict[str, int]:
    return {record.path: record.id for record in collection}


def test_new_pictures_are_indexed_with_what_is_known_of_them(
    collection: Collection, photos: Path
) -> None:
    report = collection.sync(photos)
    assert counts(report) == {"indexed": 12}
    record = collection.get(photos / "picture 0.jpg")
    assert (record.width, record.height) == (96, 72)
    assert record.size == (photos / "picture 0.jpg").stat().st_size
    assert record.mtime_ns == (photos / "picture 0.jpg").stat().st_mtime_ns
    assert record.state == "indexed"
    assert paths(collection) == {str(path) for path in photos.rglob("*.*")}


def test_indexing_twice_changes_nothing(
    collection: Collection, photos: Path, encoder: CountingEncoder
) -> None:
    collection.sync(photos)
    before = (ids(collection), collection.info())
    report = collection.sync(photos)
    assert counts(report) == {"unchanged": 12}
    assert encoder.count == 12
    assert (ids(collection), collection.info()) == before


def test_a_changed_file_is_encoded_again_under_its_id(
    collection: Collection, photos: Path, make_picture: MakePicture, encoder: CountingEncoder
) -> None:
    collection.sync(photos)
    before = ids(collection)
    changed = make_picture(photos / "picture 0.jpg", 99)
    assert counts(collection.sync(photos)) == {"updated": 1, "unchanged": 11}
    assert encoder.count == 13
    assert ids(collection) == before
    assert collection.search(changed, k=1)[0].score == 1.0


def test_a_touched_file_is_not_encoded_again(
    collection: Collection, photos: Path, encoder: CountingEncoder
) -> None:
    collection.sync(photos)
    os.utime(photos / "picture 0.jpg", ns=(1, 1))
    assert counts(collection.sync(photos)) == {"unchanged": 12}
    assert encoder.count == 12
    assert collection.get(photos / "picture 0.jpg").mtime_ns == 1


def test_a_moved_file_keeps_its_id_and_is_not_encoded_again(
    collection: Collection, photos: Path, encoder: CountingEncoder
) -> None:
    collection.sync(photos)
    old = photos / "picture 0.jpg"
    id_ = collection.get(old).id
    new = photos / "elsewhere" / "renamed.jpg"
    new.parent.mkdir()
    old.rename(new)
    assert counts(collection.sync(photos)) == {"moved": 1, "unchanged": 11}
    assert collection.get(new).id == id_
    assert str(old) not in paths(collection)
    assert encoder.count == 12


def test_two_equal_files_that_move_are_two_moves(
    collection: Collection, photos: Path, encoder: CountingEncoder
) -> None:
    shutil.copy(photos / "picture 0.jpg", photos / "copy.jpg")
    collection.sync(photos)
    assert encoder.count == 12
    (photos / "new").mkdir()
    (photos / "picture 0.jpg").rename(photos / "new" / "a.jpg")
    (photos / "copy.jpg").rename(photos / "new" / "b.jpg")
    assert counts(collection.sync(photos)) == {"moved": 2, "unchanged": 11}
    assert encoder.count == 12


def test_a_file_moved_onto_another_replaces_it(
    collection: Collection, photos: Path, encoder: CountingEncoder
) -> None:
    collection.sync(photos)
    old, new = photos / "picture 0.jpg", photos / "würfel & co" / "picture 3.jpg"
    id_ = collection.get(old).id
    old.replace(new)
    collection.sync(photos)
    assert len(collection) == 11
    assert collection.get(new).id == id_
    assert encoder.count == 12
    assert [hit.path for hit in collection.search(new, k=1)] == [str(new)]


def test_a_file_moved_onto_another_and_added_replaces_it(
    collection: Collection, photos: Path
) -> None:
    collection.sync(photos)
    moved, replaced = photos / "picture 0.jpg", photos / "picture 4.png"
    id_ = collection.get(moved).id
    moved.replace(replaced)
    assert collection.add(replaced)[0].id == id_
    assert len(collection) == 11
    assert not [hit for hit in collection.search(replaced, k=50) if "\0" in hit.path]


def test_a_copied_file_is_not_encoded_again(
    collection: Collection, photos: Path, encoder: CountingEncoder
) -> None:
    collection.sync(photos)
    shutil.copy(photos / "picture 0.jpg", photos / "copy.jpg")
    assert counts(collection.sync(photos)) == {"indexed": 1, "unchanged": 12}
    assert encoder.count == 12
    hits = collection.search(photos / "picture 0.jpg", k=2)
    assert [hit.score for hit in hits] == [1.0, 1.0]


def test_a_moved_folder_is_recognised_as_a_whole(
    collection: Collection, photos: Path, encoder: CountingEncoder
) -> None:
    collection.sync(photos)
    before = {Path(path).name: id_ for path, id_ in ids(collection).items()}
    pictures = photos.rename(photos.parent / "pictures")
    assert counts(collection.sync(pictures)) == {"moved": 12}
    assert encoder.count == 12
    assert {Path(path).name: id_ for path, id_ in ids(collection).items()} == before
    assert collection.roots() == [str(pictures)]


def test_copies_that_move_together_are_not_mixed_up(collection: Collection, photos: Path) -> None:
    names = ["picture 0.jpg", "copy.jpg", "another.jpg"]
    for name in names[1:]:
        shutil.copy(photos / names[0], photos / name)
    collection.sync(photos)
    before = {name: collection.get(photos / name).id for name in names}
    pictures = photos.rename(photos.parent / "pictures")
    assert counts(collection.sync(pictures)) == {"moved": 14}
    assert {name: collection.get(pictures / name).id for name in names} == before


def test_vanished_files_leave(collection: Collection, photos: Path) -> None:
    collection.sync(photos)
    (photos / "picture 0.jpg").unlink()
    shutil.rmtree(photos / "holiday")
    assert counts(collection.sync(photos)) == {"removed": 7, "unchanged": 5}
    assert paths(collection) == {str(path) for path in photos.rglob("*.*")}


def test_files_that_vanish_meanwhile_are_told_by_their_number(
    collection: Collection, photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def tidy_up(progress: Progress) -> None:
        if progress.phase == "indexing":
            shutil.rmtree(photos / "holiday", ignore_errors=True)

    assert counts(collection.sync(photos, progress=tidy_up)) == {"indexed": 6}
    assert "files that disappeared during the run: 6" in caplog.text


def test_a_missing_folder_empties_nothing(collection: Collection, photos: Path) -> None:
    collection.sync(photos)
    photos.rename(photos.parent / "unplugged")
    with pytest.raises(FolderNotFoundError, match="no such folder"):
        collection.sync(photos)
    assert len(collection) == 12


def test_a_bad_file_is_remembered_and_not_tried_again_until_it_changes(
    collection: Collection, photos: Path, make_picture: MakePicture
) -> None:
    bad = photos / "bad.jpg"
    bad.write_bytes(b"this is no picture")
    assert counts(collection.sync(photos)) == {"indexed": 12, "skipped": 1}
    (record,) = collection.skipped()
    assert (record.path, record.state) == (str(bad), "skipped")
    assert record.reason
    assert len(collection) == 12
    assert counts(collection.sync(photos)) == {"unchanged": 12, "skipped": 1}
    make_picture(bad, 50)
    assert counts(collection.sync(photos)) == {"unchanged": 12, "updated": 1}
    assert not list(collection.skipped())


def test_a_picture_that_goes_bad_is_not_found_any_more(
    collection: Collection, photos: Path
) -> None:
    collection.sync(photos)
    (photos / "picture 0.jpg").write_bytes(b"damaged")
    assert counts(collection.sync(photos)) == {"unchanged": 11, "skipped": 1}
    assert len(collection.search(photos / "picture 4.png", k=20)) == 11


def test_excluded_files_do_not_count(collection: Collection, photos: Path) -> None:
    assert counts(collection.sync(photos, exclude=["holiday"])) == {"indexed": 6}
    assert counts(collection.sync(photos, include=["*.png"])) == {
        "indexed": 2,
        "unchanged": 2,
        "removed": 4,
    }


def test_the_collections_own_folder_is_not_searched_for_pictures(
    photos: Path, encoder: CountingEncoder, make_picture: MakePicture
) -> None:
    index = photos / "index_data"
    make_picture(index / "thumbnail.jpg", 70)
    with Collection.open(index, encoder=encoder, create=True) as collection:
        assert counts(collection.sync(photos)) == {"indexed": 12}


def test_a_folder_below_a_known_one_is_part_of_it(collection: Collection, photos: Path) -> None:
    collection.sync(photos)
    assert counts(collection.sync(photos / "holiday")) == {"unchanged": 6}
    assert collection.roots() == [str(photos)]
    (photos / "holiday" / "picture 1.png").unlink()
    assert counts(collection.sync(photos / "holiday")) == {"unchanged": 5, "removed": 1}
    assert len(collection) == 11


def test_a_folder_above_a_known_one_takes_it_over(
    collection: Collection, photos: Path, encoder: CountingEncoder
) -> None:
    collection.sync(photos / "holiday")
    collection.add(photos / "picture 0.jpg")
    assert counts(collection.sync(photos)) == {"unchanged": 7, "indexed": 5}
    assert collection.roots() == [str(photos)]
    assert encoder.count == 12


def test_another_folder_is_left_alone(
    collection: Collection, photos: Path, tmp_path: Path, make_picture: MakePicture
) -> None:
    other = make_picture(tmp_path / "other" / "one.jpg", 40)
    collection.sync(photos)
    assert counts(collection.sync(other.parent)) == {"indexed": 1}
    assert len(collection) == 13
    assert collection.roots() == sorted([str(photos), str(other.parent)])


def test_progress_counts_every_file(collection: Collection, photos: Path) -> None:
    seen: list[Progress] = []
    collection.sync(photos, progress=seen.append)
    assert [step for step in seen if step.phase == "scanning"][-1].done == 12
    assert seen[-1] == Progress("indexing", 12, 12)


def test_an_empty_folder_is_no_failure(
    collection: Collection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "empty").mkdir()
    assert counts(collection.sync(tmp_path / "empty")) == {}
    with Collection.open(tmp_path / "index", encoder=CountingEncoder()) as again:
        assert again.info().indexed == 0
    assert not caplog.text
    assert len(collection) == 0
    assert not collection.roots()


def test_an_emptied_folder_may_be_an_unplugged_disk(collection: Collection, photos: Path) -> None:
    collection.sync(photos)
    away = photos.rename(photos.parent / "disk")
    photos.mkdir()
    report = collection.sync(photos)
    assert counts(report) == {}
    assert "it is empty" in report.unreadable_folders[0]
    assert len(collection) == 12
    photos.rmdir()
    away.rename(photos)
    assert counts(collection.sync(photos)) == {"unchanged": 12}


def test_a_bad_file_is_tried_again_when_that_is_asked(
    collection: Collection, photos: Path, make_picture: MakePicture
) -> None:
    bad = photos / "bad.jpg"
    bad.write_bytes(b"this is no picture")
    os.utime(bad, ns=(5, 5))
    collection.sync(photos)
    make_picture(bad, 50)
    with bad.open("r+b") as file:
        file.truncate(18)  # the size that it had
    os.utime(bad, ns=(5, 5))
    assert counts(collection.sync(photos)) == {"unchanged": 12, "skipped": 1}
    (before,) = collection.skipped()
    assert counts(collection.sync(photos, retry_skipped=True)) == {"unchanged": 12, "skipped": 1}
    (after,) = collection.skipped()
    assert before.reason != after.reason


def test_images_in_linked_folders_are_reached_by_that_path(
    collection: Collection, photos: Path, tmp_path: Path, make_picture: MakePicture
) -> None:
    make_picture(tmp_path / "elsewhere" / "linked.png", 90)
    (photos / "link").symlink_to(tmp_path / "elsewhere")
    assert counts(collection.sync(photos)) == {"indexed": 12}
    assert counts(collection.sync(photos, follow_symlinks=True)) == {"indexed": 1, "unchanged": 12}
    path = photos / "link" / "linked.png"
    assert collection.get(path).path == str(path)
    assert collection.add(path) == [collection.get(path)]
    assert len(collection) == 13
    assert collection.remove(path) == 1


def test_tags_of_a_link_go_to_the_file_that_counts(
    collection: Collection, photos: Path, tmp_path: Path, make_picture: MakePicture
) -> None:
    collection.sync(photos)
    real, below = photos / "picture 0.jpg", photos / "holiday" / "alias.jpg"
    outside = make_picture(tmp_path / "elsewhere" / "outside.png", 90)
    first, again = photos / "a.png", photos / "b.png"
    below.symlink_to(real)
    first.symlink_to(outside)
    again.symlink_to(outside)
    collection.add(below, first, again)
    collection.add_tags([real], "known")
    collection.add_tags([below], "beach")
    collection.add_tags([again], "sea")
    for _ in range(2):
        collection.sync(photos, forget=False)
        assert len(collection) == 15
    collection.sync(photos / "holiday")
    assert collection.get(real).metadata["tags"] == ["beach", "known"]
    assert counts(collection.sync(photos)) == {"unchanged": 13, "removed": 1}
    assert collection.get(first).metadata["tags"] == ["sea"]
    assert collection.tags() == {"beach": 1, "known": 1, "sea": 1}


def test_patterns_that_let_nothing_through_are_refused_while_the_files_are_there(
    collection: Collection, photos: Path
) -> None:
    found = collection.sync(photos, include="holiday/*").indexed
    collection.add_tags([photos], "beach")
    for include, exclude in ((["*.txt"], []), ([], ["*"])):
        with pytest.raises(ConfigError, match="patterns that leave at least one"):
            collection.sync(photos, include=include, exclude=exclude)
    assert collection.tags() == {"beach": found}
    shutil.rmtree(photos / "holiday")
    assert counts(collection.sync(photos, include=["holiday/*"])) == {"removed": found}


def test_a_link_stays_while_the_file_that_counts_is_not_known(
    collection: Collection, photos: Path, make_picture: MakePicture
) -> None:
    collection.sync(photos)
    new, alias = make_picture(photos / "new.png", 91), photos / "holiday" / "alias.png"
    alias.symlink_to(new)
    collection.add(alias)
    collection.add_tags([alias], "beach")
    assert not collection.sync(photos / "holiday").removed
    assert collection.get(alias).metadata["tags"] == ["beach"]
    collection.sync(photos)
    assert collection.get(new).metadata["tags"] == ["beach"]
    assert collection.tags() == {"beach": 1}


def test_tags_stay_when_a_copy_is_replaced_by_a_link(collection: Collection, photos: Path) -> None:
    real, copy = photos / "picture 0.jpg", photos / "copy.jpg"
    shutil.copy(real, copy)
    collection.sync(photos)
    collection.add_tags([copy], "beach")
    copy.unlink()
    copy.symlink_to(real)
    assert counts(collection.sync(photos)) == {"unchanged": 12, "removed": 1}
    assert collection.get(real).metadata["tags"] == ["beach"]


def shift(folder: Path, numbers: list[int], by: int) -> None:
    for number in numbers:
        (folder / f"{number}.png").rename(folder / f"{number + by}.png")


@pytest.mark.parametrize(("numbers", "by"), [([6, 5, 4, 3, 2, 1], 1), ([2, 3, 4, 5, 6], -1)])
def test_renumbered_files_are_moves(
    collection: Collection,
    tmp_path: Path,
    make_picture: MakePicture,
    encoder: CountingEncoder,
    numbers: list[int],
    by: int,
) -> None:
    folder = tmp_path / "numbered"
    for number in range(1, 7):
        make_picture(folder / f"{number}.png", number)
    collection.sync(folder)
    before = {record.content_hash: record.id for record in collection}
    if by < 0:
        (folder / "1.png").unlink()
    shift(folder, numbers, by)
    make_picture(folder / ("1.png" if by > 0 else "6.png"), 99)  # one more at the free end
    report = collection.sync(folder)
    assert (report.moved, report.encoded) == (len(numbers), 1)
    assert report.removed == (by < 0)
    assert len(collection) == len(list(folder.iterdir()))
    after = {record.content_hash: record.id for record in collection}
    assert {after[key] == before[key] for key in before.keys() & after.keys()} == {True}
    for path in folder.iterdir():
        assert collection.search(path, k=1)[0].path == str(path)


def test_swapped_files_are_moves(
    collection: Collection, photos: Path, encoder: CountingEncoder
) -> None:
    collection.sync(photos)
    one, other = photos / "picture 0.jpg", photos / "picture 8.webp"
    ids_before = collection.get(one).id, collection.get(other).id
    one.rename(photos / "aside")
    other.rename(one)
    (photos / "aside").rename(other)
    assert counts(collection.sync(photos)) == {"moved": 2, "unchanged": 10}
    assert (collection.get(other).id, collection.get(one).id) == ids_before
    assert encoder.count == 12


def test_a_touched_file_and_its_copy_both_stay(
    collection: Collection, photos: Path, encoder: CountingEncoder
) -> None:
    collection.sync(photos)
    one, other = photos / "picture 0.jpg", photos / "picture 8.webp"
    shutil.copy(one, other)
    os.utime(one, ns=(7, 7))
    collection.sync(photos)
    assert paths(collection) == {str(path) for path in photos.rglob("*.*")}
    assert encoder.count == 12
    assert counts(collection.sync(photos)) == {"unchanged": 12}


def test_a_moved_root_is_few_transactions(collection: Collection, photos: Path) -> None:
    collection.sync(photos)
    before = collection.info().generation
    collection.sync(photos.rename(photos.parent / "pictures"))
    assert collection.info().generation <= before + 3


def test_many_equal_files_are_looked_at_a_few_at_a_time(
    collection: Collection, tmp_path: Path, encoder: CountingEncoder
) -> None:
    folder = tmp_path / "placeholders"
    folder.mkdir()
    draw(1).save(folder / "0.png")
    for number in range(1, 300):
        shutil.copy(folder / "0.png", folder / f"{number}.png")
    assert counts(collection.sync(folder)) == {"indexed": 300}
    folder.rename(tmp_path / "moved")
    assert counts(collection.sync(tmp_path / "moved")) == {"moved": 300}
    assert encoder.count == 1


def test_a_bad_file_that_can_not_be_read_changes_nothing_twice(
    collection: Collection, photos: Path
) -> None:
    big = photos / "big.jpg"
    big.touch()
    os.truncate(big, 3 << 30)  # sparse: more than is ever read
    assert counts(collection.sync(photos)) == {"indexed": 12, "skipped": 1}
    before = collection.info().generation
    assert counts(collection.sync(photos)) == {"unchanged": 12, "skipped": 1}
    assert collection.info().generation == before


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_what_is_no_path_is_refused(collection: Collection, photos: Path, path: str) -> None:
    collection.sync(photos)
    for act in (collection.sync, collection.add, collection.remove, collection.search):
        with pytest.raises(ConfigError, match="path"):
            act(path)
    assert len(collection) == 12


def test_a_linked_root_is_removed_by_its_link(
    collection: Collection, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(photos)
    collection.sync(tmp_path / "link")
    assert collection.remove(tmp_path / "link") == 12


def test_a_deleted_index_folder_is_not_written_to(
    collection: Collection, photos: Path, tmp_path: Path
) -> None:
    collection.sync(photos)
    shutil.rmtree(tmp_path / "index")
    with pytest.raises(CollectionNotFoundError):
        collection.sync(photos)
    assert not (tmp_path / "index").exists()


def test_another_collection_in_its_place_is_not_written_to(
    collection: Collection, photos: Path, tmp_path: Path
) -> None:
    collection.sync(photos)
    (tmp_path / "index").rename(tmp_path / "moved")
    with Collection.open(tmp_path / "index", encoder="colour-texture", create=True) as other:
        with pytest.raises(CollectionNotFoundError):
            collection.sync(photos)
        assert len(other) == 0


def test_an_interrupt_within_a_transaction_counts_what_was_kept(
    collection: Collection, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, calls = Changes.put, iter(range(100))

    def interrupted(*arguments: Any) -> int:
        if next(calls) == 10:
            raise KeyboardInterrupt
        return put(*arguments)

    monkeypatch.setattr(Changes, "put", interrupted)
    with pytest.raises(SyncInterrupted) as caught:
        collection.sync(photos)
    assert caught.value.report.indexed == caught.value.report.encoded == len(collection) == 8


def test_an_encoder_that_fails_is_named_and_what_was_done_is_kept(
    tmp_path: Path, photos: Path
) -> None:
    class Failing(CountingEncoder):
        def encode(self, pixels: PixelArray) -> FloatArray:
            if self.count >= 8:
                raise ValueError("out of paint")
            return super().encode(pixels)

    with Collection.open(tmp_path / "f", encoder=Failing(), create=True) as collection:
        with pytest.raises(EncoderOutputError, match="out of paint"):
            collection.sync(photos)
        assert len(collection.search(1, k=20)) == 7


def test_names_need_not_be_text(
    collection: Collection, tmp_path: Path, make_picture: MakePicture
) -> None:
    folder = tmp_path / "odd names"
    for seed, name in enumerate(
        (b"new\nline.jpg", b"not utf-8 \xff\xfe.jpg", "ünï çode.jpg".encode())
    ):
        make_picture(folder / os.fsdecode(name), seed)
    assert counts(collection.sync(folder)) == {"indexed": 3}
    assert paths(collection) == {str(path) for path in folder.iterdir()}
    path = folder / os.fsdecode(b"not utf-8 \xff\xfe.jpg")
    assert collection.search(path, k=1)[0].path == str(path)


def _rot(path: Path) -> None:
    """Another content, of the same size and time."""
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_change_that_neither_size_nor_time_tell_is_found_by_content(
    collection: Collection, photos: Path, encoder: CountingEncoder
) -> None:
    collection.sync(photos)
    path = photos / "picture 4.png"
    before = collection.get(path)
    first, second = photos / "picture 0.jpg", photos / "picture 8.webp"
    _rot(path)
    assert counts(collection.sync(photos)) == {"unchanged": 12}
    report = collection.sync(photos, checksum=True)
    assert report.unchanged == 11
    assert report.updated + report.skipped == 1
    after = collection.get(path)
    assert after.id == before.id
    assert after.content_hash != before.content_hash
    assert encoder.count in (12, 13)
    assert collection.get(first).id != collection.get(second).id


def test_files_that_are_compared_by_content_and_are_the_same_change_nothing(
    collection: Collection, photos: Path, encoder: CountingEncoder
) -> None:
    (photos / "bad.jpg").write_bytes(b"this is no picture")
    shutil.copy(photos / "picture 0.jpg", photos / "a copy.jpg")
    collection.sync(photos)
    before = (ids(collection), collection.info())
    report = collection.sync(photos, checksum=True)
    assert counts(report) == {"unchanged": 13, "skipped": 1}
    assert (ids(collection), collection.info()) == before
    assert encoder.count == 12


def test_an_older_time_is_another_time(
    collection: Collection, photos: Path, make_picture: MakePicture
) -> None:
    """As when the clock went backwards, or an old version was restored."""
    collection.sync(photos)
    path = photos / "picture 4.png"
    old = path.stat().st_mtime_ns
    make_picture(path, 80)
    os.utime(path, ns=(old - 10**15, old - 10**15))
    assert counts(collection.sync(photos)) == {"unchanged": 11, "updated": 1}
    assert collection.search(path, k=1)[0].score == 1.0
    assert collection.get(path).mtime_ns == old - 10**15


def test_two_roots_are_each_synced_alone(
    collection: Collection, photos: Path, tmp_path: Path, make_picture: MakePicture
) -> None:
    other = make_picture(tmp_path / "other" / "one.jpg", 40).parent
    collection.sync(photos)
    collection.sync(other)
    make_picture(other / "two.jpg", 41)
    (photos / "picture 0.jpg").unlink()
    assert counts(collection.sync(other)) == {"indexed": 1, "unchanged": 1}
    assert len(collection) == 14
    assert counts(collection.sync(photos)) == {"removed": 1, "unchanged": 11}
    shutil.move(other / "one.jpg", photos / "from the other.jpg")
    assert counts(collection.sync(photos)) == {"moved": 1, "unchanged": 11}
    assert counts(collection.sync(other)) == {"unchanged": 1}
    assert paths(collection) == {
        str(path) for folder in (photos, other) for path in folder.rglob("*.*")
    }


def test_a_report_names_ten_kinds_of_other_files(collection: Collection, photos: Path) -> None:
    names = [f"{number}.k{kind}" for kind in range(12) for number in range(12 - kind)]
    for name in [*names, "v. 2", "none"]:
        (photos / name).write_bytes(b"no picture")
    report = collection.sync(photos)
    assert report.others == len(names) + 2
    assert list(report.other_kinds.items())[:2] == [(".k0", 12), (".k1", 11)]
    assert len(report.other_kinds) == 10


def test_endings_without_end_are_not_remembered() -> None:
    others = OtherFiles()
    for number in range(3_000):
        others.add(f"a.{number}")
    for name in ("a.0", "a.2999"):
        others.add(name)
    assert [number for number in others.most().values() if number > 1] == [2]
    assert most_of([others.most()] * 2)[".0"] == 4


class Own(CountingEncoder):
    """One that nobody else has."""

    name, fingerprint = "own", "own;1"


def test_a_folder_in_which_nothing_is_new_is_synced_without_the_encoder(
    tmp_path: Path, photos: Path, make_picture: MakePicture
) -> None:
    with Collection.open(tmp_path / "i", encoder=Own(), create=True) as collection:
        collection.sync(photos)
    with Collection.open(tmp_path / "i") as collection:
        assert collection.sync(photos).unchanged == 12
        vanishing, moving = sorted(paths(collection))[:2]
        os.rename(moving, photos / "moved.jpg")
        os.remove(vanishing)
        report = collection.sync(photos)
        assert (report.moved, report.removed, report.unchanged) == (1, 1, 10)
        make_picture(photos / "new.png", 61)
        (photos / "moved.jpg").unlink()
        with pytest.raises(EncoderNotHereError):
            collection.sync(photos)
        assert len(collection) == 11  # what is gone may be what could not be encoded
