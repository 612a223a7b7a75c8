"""Doing something with duplicates, and undoing it, on real files."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import draw

from image_similarity_search import Collection, DuplicateGroup
from image_similarity_search.collection.duplicates import files, trash, undo_log
from image_similarity_search.duplicates import DUPLICATE_ACTIONS, ActionReport, DuplicateAction
from image_similarity_search.errors import (
    CollectionError,
    CollectionUnavailableError,
    CollectionUnwritableError,
    ConfigError,
)
from image_similarity_search.images import decode

_GONE: list[DuplicateAction] = ["trash", "move", "delete"]
_LINKS: list[DuplicateAction] = ["hardlink", "symlink"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trash of its own, on the disk of the pictures."""
    plat_other = pytest.importorskip("send2trash.plat_other", reason="the trash of other systems")
    data = tmp_path / "home" / ".local" / "share"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.setattr(plat_other, "XDG_DATA_HOME", os.fsencode(data))
    monkeypatch.setattr(plat_other, "HOMETRASH_B", os.fsencode(data / "Trash"))
    monkeypatch.setattr(plat_other, "HOMETRASH", str(data / "Trash"))
    monkeypatch.setattr(trash, "_trash", lambda: plat_other.send2trash)
    return tmp_path / "home"


@pytest.fixture
def pictures(tmp_path: Path, collection: Collection) -> Path:
    """A picture, two files of the same bytes, and a smaller version; and one like no other."""
    folder = tmp_path / "pictures"
    (folder / "below").mkdir(parents=True)
    picture = draw(1, (400, 300))
    picture.save(folder / "a.png")
    shutil.copy(folder / "a.png", folder / "copy.png")
    shutil.copy(folder / "a.png", folder / "below" / "copy.png")
    picture.resize((200, 150)).save(folder / "small.jpg")
    draw(2, (400, 300)).save(folder / "other.png")
    for number, path in enumerate(sorted(folder.rglob("*.*"))):
        os.utime(path, (1_600_000_000 + number,) * 2)
    collection.sync(folder)
    return folder


def _state(folder: Path) -> dict[str, tuple[bytes, int, int, bool]]:
    """What is in a folder: bytes, time and links of each file."""
    return {
        str(path.relative_to(folder)): (
            path.read_bytes(),
            path.lstat().st_mtime_ns,
            path.lstat().st_nlink,
            path.is_symlink(),
        )
        for path in sorted(folder.rglob("*"))
        if not path.is_dir()
    }


def _resolve(
    collection: Collection, action: DuplicateAction, to: Path | None = None, *, dry: bool = False
) -> ActionReport:
    groups = collection.duplicates().groups
    return collection.resolve_duplicates(groups, action, to=to, dry_run=dry)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("action", DUPLICATE_ACTIONS)
def test_nothing_is_done_until_it_is_said(
    collection: Collection, pictures: Path, tmp_path: Path, action: DuplicateAction
) -> None:
    before, count = _state(pictures), len(collection)
    report = _resolve(collection, action, tmp_path / "to" if action == "move" else None, dry=True)
    assert report.dry_run
    assert len(report.deeds) == 3
    assert len(report.done) == (2 if action in _LINKS else 3)
    assert (_state(pictures), len(collection)) == (before, count)
    assert not (tmp_path / "to").exists()
    with pytest.raises(ConfigError, match="undo"):
        collection.undo_duplicates()


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("action", _GONE)
def test_one_of_each_group_stays_and_the_rest_is_gone(
    collection: Collection, pictures: Path, tmp_path: Path, action: DuplicateAction
) -> None:
    before = _state(pictures)
    report = _resolve(collection, action, tmp_path / "to" if action == "move" else None)
    assert not report.left
    assert sorted(_state(pictures)) == ["a.png", "other.png"]
    assert {Path(record.path).name for record in collection} == {"a.png", "other.png"}
    assert all(deed.kept == str(pictures / "a.png") for deed in report.deeds)
    assert [deed.size > 0 for deed in report.deeds] == [True] * 3
    if action == "move":
        assert sorted(os.listdir(tmp_path / "to")) == ["copy (1).png", "copy.png", "small.jpg"]
    (pictures / "below").rmdir()  # somebody tidies up
    undone = collection.undo_duplicates()
    if action == "delete":
        assert len(undone.left) == 3
        assert "permanently" in undone.left[0].problem
        assert sorted(_state(pictures)) == ["a.png", "other.png"]
    else:
        assert not undone.left
        assert _state(pictures) == before
        collection.sync(pictures)
        assert len(collection) == 5
    with pytest.raises(ConfigError, match="undo"):
        collection.undo_duplicates()


def test_what_could_not_be_undone_is_tried_again(
    collection: Collection, pictures: Path, tmp_path: Path
) -> None:
    before = _state(pictures)
    _resolve(collection, "move", tmp_path / "first")
    (pictures / "again.png").write_bytes((pictures / "a.png").read_bytes())
    collection.sync(pictures)
    _resolve(collection, "move", tmp_path / "second")
    (tmp_path / "second").rename(tmp_path / "unplugged")
    (deed,) = collection.undo_duplicates().left
    assert deed.problem == f"{tmp_path / 'second' / 'again.png'}: no such file"
    (tmp_path / "unplugged").rename(tmp_path / "second")
    (deed,) = collection.undo_duplicates().done
    assert Path(deed.path).name == "again.png"
    (tmp_path / "first" / "copy.png").rename(tmp_path / "copy.png")
    report = collection.undo_duplicates()
    assert (len(report.done), len(report.left)) == (2, 1)
    (tmp_path / "copy.png").rename(tmp_path / "first" / "copy.png")
    assert len(collection.undo_duplicates().done) == 1
    (pictures / "again.png").unlink()
    assert _state(pictures) == before
    with pytest.raises(ConfigError, match="nothing to undo"):
        collection.undo_duplicates()


def test_what_can_never_be_undone_is_given_up(
    collection: Collection, pictures: Path, tmp_path: Path
) -> None:
    _resolve(collection, "move", tmp_path / "first")
    for moved in (tmp_path / "first").iterdir():
        moved.unlink()
    for _ in range(2):
        assert len(collection.undo_duplicates().left) == 3
    with pytest.raises(ConfigError, match="nothing to undo"):
        collection.undo_duplicates()


@pytest.mark.parametrize("action", _LINKS)
def test_only_the_same_bytes_become_links(
    collection: Collection, pictures: Path, action: DuplicateAction
) -> None:
    before = _state(pictures)
    report = _resolve(collection, action)
    assert {Path(deed.path).name: bool(deed.problem) for deed in report.deeds} == {
        "copy.png": False,
        "small.jpg": True,
    }
    for copy in (pictures / "copy.png", pictures / "below" / "copy.png"):
        assert copy.samefile(pictures / "a.png")
        assert copy.is_symlink() == (action == "symlink")
        assert copy.read_bytes() == before["a.png"][0]
    again = _resolve(collection, action)
    assert not again.done
    assert not collection.undo_duplicates().left
    assert _state(pictures) == before


def _spoil_kept(pictures: Path) -> None:
    (pictures / "a.png").write_bytes(b"changed")


def _lose_kept(pictures: Path) -> None:
    (pictures / "a.png").unlink()


def _link_kept(pictures: Path) -> None:
    os.rename(pictures / "a.png", pictures / "elsewhere.png")
    os.symlink(pictures / "elsewhere.png", pictures / "a.png")


def _link_folder(pictures: Path) -> None:
    os.rename(pictures, pictures.with_name("moved"))
    os.symlink(pictures.with_name("moved"), pictures)


@pytest.mark.parametrize("spoil", [_spoil_kept, _lose_kept, _link_kept, _link_folder])
def test_without_the_one_to_keep_nothing_is_done(
    collection: Collection, pictures: Path, spoil: object
) -> None:
    groups = collection.duplicates().groups
    spoil(pictures)  # type: ignore[operator]
    before = _state(pictures)
    report = collection.resolve_duplicates(groups, "delete", dry_run=False)
    assert len(report.left) == 3
    assert all("the file to keep" in deed.problem for deed in report.left)
    assert _state(pictures) == before


def test_the_one_to_keep_is_looked_at_before_each_file(
    collection: Collection, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink, kept = os.unlink, pictures / "a.png"

    def and_then_lose_the_kept(path: str) -> None:
        unlink(path)
        monkeypatch.setattr(os, "unlink", unlink)
        kept.write_bytes(b"changed")

    groups = collection.duplicates().groups
    monkeypatch.setattr(os, "unlink", and_then_lose_the_kept)
    report = collection.resolve_duplicates(groups, "delete", dry_run=False)
    assert (len(report.done), len(report.left)) == (1, 2)


def test_what_was_changed_or_linked_since_is_left(collection: Collection, pictures: Path) -> None:
    groups = collection.duplicates().groups
    (pictures / "copy.png").unlink()
    os.symlink(pictures / "a.png", pictures / "copy.png")
    (pictures / "small.jpg").write_bytes(b"my only notes")
    (pictures / "below" / "copy.png").unlink()
    os.link(pictures / "a.png", pictures / "below" / "copy.png")
    before = _state(pictures)
    report = collection.resolve_duplicates(groups, "delete", dry_run=False)
    assert not report.done
    assert _state(pictures) == before


def test_what_lies_in_the_library_of_an_application_is_left(
    collection: Collection, pictures: Path
) -> None:
    library = pictures / "My.photoslibrary" / "originals"
    library.mkdir(parents=True)
    (pictures / "copy.png").rename(library / "copy.png")
    collection.sync(pictures)
    report = _resolve(collection, "delete")
    assert len(report.done) == 2
    assert [(deed.path, "My.photoslibrary" in deed.problem) for deed in report.left] == [
        (str(library / "copy.png"), True)
    ]
    assert (library / "copy.png").exists()


def test_hard_links_of_what_stays_are_not_counted(collection: Collection, pictures: Path) -> None:
    (pictures / "copy.png").unlink()
    os.link(pictures / "a.png", pictures / "copy.png")
    collection.sync(pictures)
    report = collection.duplicates("exact")
    (other,) = report.groups[0].others
    assert (Path(other.image.path).parent.name, report.linked) == ("below", 1)
    assert not collection.resolve_duplicates(report.groups, "hardlink", dry_run=False).left
    report = collection.duplicates("exact")
    assert (report.groups, report.linked) == ([], 2)


def test_a_link_between_two_folders_stays_and_keeps_no_copy_beside_it(
    collection: Collection, pictures: Path
) -> None:
    os.link(pictures / "a.png", pictures / "below" / "link.png")
    collection.sync(pictures)
    report = collection.duplicates("exact", between=(pictures, pictures / "below"))
    told = [
        (one.goes, [Path(other.image.path).name for other in one.others]) for one in report.groups
    ]
    assert told[0] == (True, ["copy.png"])
    assert (False, ["link.png"]) in told


def test_what_could_not_be_moved_is_nothing_to_undo(
    collection: Collection, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _state(pictures)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    exact = collection.duplicates("exact").groups
    first = collection.resolve_duplicates(exact, "move", to=tmp_path / "to", dry_run=False)
    monkeypatch.setattr(os, "replace", full)
    failed = _resolve(collection, "move", tmp_path / "to")
    assert [deed.problem for deed in failed.deeds] == ["no space left on device"]
    monkeypatch.undo()
    undone = collection.undo_duplicates()  # the first run: the other one did nothing
    assert {deed.path for deed in undone.done} == {deed.path for deed in first.done}
    assert _state(pictures) == before
    with pytest.raises(ConfigError, match="nothing to undo"):
        collection.undo_duplicates()


@pytest.mark.parametrize("size", [0, 1000, 10**9])
@pytest.mark.parametrize("amid", ["move", "undo"])
def test_what_a_killed_process_left_is_deleted_by_the_next(
    collection: Collection,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    amid: str,
    size: int,
) -> None:
    before, to = _state(pictures), tmp_path / "to"

    def killed(path: str, place: str) -> None:
        """Copy so many bytes to another disk, and tidy nothing up."""
        Path(place).write_bytes(Path(path).read_bytes()[:size])
        shutil.copystat(path, place)
        monkeypatch.setattr(os, "unlink", lambda *_: None)
        raise KeyboardInterrupt

    if amid == "undo":
        assert len(_resolve(collection, "move", to).done) == 3
    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        _resolve(collection, "move", to) if amid == "move" else collection.undo_duplicates()
    monkeypatch.undo()
    target = to if amid == "move" else pictures
    left = {min(size, len(content)) for content, *_ in before.values()}
    assert left.intersection(path.stat().st_size for path in target.rglob("*.*"))
    if amid == "move":
        assert len(_resolve(collection, "move", to).done) == 3
        assert sorted(os.listdir(to)) == ["copy (1).png", "copy.png", "small.jpg"]
    assert len(collection.undo_duplicates().done) == 3
    assert (_state(pictures), os.listdir(to)) == (before, [])


@pytest.mark.parametrize("action", _LINKS)
@pytest.mark.parametrize("amid", ["action", "undo"])
def test_what_a_process_left_that_was_killed_while_it_put_a_link_is_deleted_by_the_next(
    collection: Collection,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    action: DuplicateAction,
    amid: str,
) -> None:
    before = _state(pictures)
    if amid == "undo":
        assert len(_resolve(collection, action).done) == 2

    def killed(*_: object) -> None:
        """Tidy nothing up."""
        monkeypatch.setattr(shutil, "rmtree", lambda *_: None)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        _resolve(collection, action) if amid == "action" else collection.undo_duplicates()
    monkeypatch.undo()
    (beside,) = pictures.rglob(".iss-*")
    assert len(list(beside.iterdir())) == 1
    own = beside.with_name(".iss-own")
    shutil.copytree(beside, own)
    (own / "more.png").touch()  # which nobody but the user put there
    assert collection.sync(pictures).indexed == 0
    if amid == "action":
        assert len(_resolve(collection, action).done) == 2
    assert len(collection.undo_duplicates().done) == 2
    assert list(pictures.rglob(".iss-*")) == [own]
    assert (own / "more.png").exists()
    shutil.rmtree(own)
    assert _state(pictures) == before


def test_what_a_killed_process_did_not_move_is_told_as_that(
    collection: Collection, pictures: Path, tmp_path: Path
) -> None:
    place = tmp_path / "a.png"
    place.touch()  # which it kept
    log = undo_log.UndoLog(collection.info().index_dir)
    log.write(undo_log.Entry("r", "move", str(pictures / "a.png"), str(place), size=1))
    (deed,) = collection.undo_duplicates().left
    assert deed.problem == "it was never moved"
    assert not place.exists()
    with pytest.raises(ConfigError, match="nothing to undo"):
        collection.undo_duplicates()


def test_a_folder_that_can_not_be_made_is_one_error(
    collection: Collection, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _state(pictures)
    to = pictures.with_name("readonly") / "to"
    to.parent.mkdir()

    def refused(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "mkdir", refused)
    with pytest.raises(ConfigError, match=r"it can't be made \(read-only file system\)"):
        _resolve(collection, "move", to)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ConfigError, match=f"nothing can be written to {to.parent}"):
        _resolve(collection, "move", to, dry=True)
    monkeypatch.undo()
    assert _state(pictures) == before


def test_a_file_met_by_a_linked_folder_is_not_its_own_duplicate(
    collection: Collection, pictures: Path, tmp_path: Path
) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    os.symlink(pictures, linked / "here")
    collection.sync(linked, follow_symlinks=True)
    before = _state(pictures)
    report = _resolve(collection, "delete")
    assert all(not Path(deed.path).is_relative_to(linked) for deed in report.done)
    assert (pictures / "a.png").read_bytes() == before["a.png"][0]
    assert (pictures / "other.png").read_bytes() == before["other.png"][0]


def test_similar_images_are_never_touched(collection: Collection, pictures: Path) -> None:
    before = _state(pictures)
    groups = collection.duplicates("similar", score=0.5).groups
    report = collection.resolve_duplicates(groups, "delete", dry_run=False)
    (deed,) = report.left
    assert deed.problem.startswith("it is not a copy")
    assert _state(pictures) == {name: before[name] for name in ("a.png", "other.png")}


def test_undo_goes_back_run_by_run_and_never_over_a_file(
    collection: Collection, pictures: Path, tmp_path: Path
) -> None:
    groups = collection.duplicates().groups
    exact = [
        DuplicateGroup(one.keep, one.why, [other for other in one.others if other.level == "exact"])
        for one in groups
    ]
    collection.resolve_duplicates(exact, "move", to=tmp_path / "to", dry_run=False)
    _resolve(collection, "move", tmp_path / "to")
    assert sorted(_state(pictures)) == ["a.png", "other.png"]
    assert not collection.undo_duplicates().left
    assert sorted(_state(pictures)) == ["a.png", "other.png", "small.jpg"]
    (pictures / "copy.png").write_bytes(b"something new")
    (problem,) = collection.undo_duplicates().left
    assert problem.problem == f"there is a file; the moved file is {problem.to}"
    assert (pictures / "copy.png").read_bytes() == b"something new"
    assert (pictures / "below" / "copy.png").exists()
    assert len(os.listdir(tmp_path / "to")) == 1


def test_what_can_not_be_written_down_is_not_done(
    collection: Collection, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, log = _state(pictures), Path(collection.info().index_dir) / undo_log.FILE_NAME

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def refuses(error: type[CollectionError]) -> None:
        for action, to in (("delete", None), ("move", tmp_path / "to")):
            with pytest.raises(error):
                _resolve(collection, action, to)  # type: ignore[arg-type]
            assert _state(pictures) == before

    monkeypatch.setattr(os, "fsync", full)
    refuses(CollectionUnwritableError)
    assert not os.listdir(tmp_path / "to")
    log.unlink()
    log.mkdir()  # it can't be read, either
    refuses(CollectionUnavailableError)


def test_a_move_to_another_disk_is_whole_or_not_at_all(
    collection: Collection, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Path("/dev/shm")
    if not disk.is_dir() or disk.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other disk")
    before = _state(pictures)
    to = disk / f"iss-test-{os.getpid()}"
    try:
        monkeypatch.setattr(files, "same_bytes", lambda *_: False)
        assert len(_resolve(collection, "move", to).left) == 3
        assert (_state(pictures), os.listdir(to)) == (before, [])
        monkeypatch.undo()
        assert len(_resolve(collection, "move", to).done) == 3
        assert len(os.listdir(to)) == 3
        collection.undo_duplicates()  # the run that did nothing is before it
        assert {name: state[:2] for name, state in _state(pictures).items()} == {
            name: state[:2] for name, state in before.items()
        }
    finally:
        shutil.rmtree(to, ignore_errors=True)


@pytest.mark.usefixtures("home")
def test_from_the_trash_of_another_disk_a_file_comes_back(
    collection: Collection, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _state(pictures)
    assert len(_resolve(collection, "trash").done) == 3

    def other_disk(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    for name in ("rename", "replace"):
        monkeypatch.setattr(os, name, other_disk)
    assert not collection.undo_duplicates().left
    assert _state(pictures) == before


def test_wrong_wishes_are_named(
    collection: Collection, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong, name in ((("burn", None), "action"), (("move", None), "to"), (("trash", "x"), "to")):
        with pytest.raises(ConfigError) as caught:
            collection.resolve_duplicates([], wrong[0], to=wrong[1])  # type: ignore[arg-type]
        assert caught.value.name == name
    monkeypatch.setitem(sys.modules, "send2trash", None)
    with pytest.raises(ConfigError, match="pip install"):
        collection.resolve_duplicates([], "trash")


def test_tags_of_what_goes_are_put_to_what_stays(
    pictures: Path, collection: Collection, tmp_path: Path
) -> None:
    collection.add_tags([pictures / "copy.png"], "beach")
    collection.add_tags([pictures / "small.jpg"], ["beach", "sea"])
    group = collection.duplicates().groups[0]
    collection.add_tags([group.keep.path], "mine")
    _resolve(collection, "move", tmp_path / "twice")
    assert [image.path for image in collection] == [group.keep.path, str(pictures / "other.png")]
    assert collection.get(group.keep.path).metadata["tags"] == ["beach", "mine", "sea"]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("action", ["trash", "move"])
def test_undo_gives_tags_back(
    collection: Collection, pictures: Path, tmp_path: Path, action: DuplicateAction
) -> None:
    kept, copy = pictures / "a.png", pictures / "copy.png"
    collection.add_tags([kept], "own")
    collection.add_tags([copy], ["own", "word"])
    _resolve(collection, action, tmp_path / "to" if action == "move" else None)
    assert collection.get(kept).metadata["tags"] == ["own", "word"]
    assert not collection.undo_duplicates().left
    assert collection.get(kept).metadata["tags"] == ["own"]
    assert collection.get(copy).metadata["tags"] == ["own", "word"]
    assert collection.tags() == {"own": 2, "word": 1}


@pytest.mark.parametrize("below", [False, True])
def test_what_can_not_be_a_folder_to_move_to_is_refused_before_it_is_promised(
    collection: Collection, pictures: Path, *, below: bool
) -> None:
    file = pictures / "other.png"
    with pytest.raises(ConfigError, match=r"other\.png is not a folder"):
        _resolve(collection, "move", file / "folder" if below else file, dry=True)


@pytest.mark.parametrize("inner", ["", "below", "below/new"])
def test_nothing_is_moved_to_where_it_would_be_found_again(
    collection: Collection, pictures: Path, inner: str
) -> None:
    before = _state(pictures)
    for dry in (True, False):
        with pytest.raises(ConfigError, match="outside of") as caught:
            _resolve(collection, "move", pictures / inner, dry=dry)
        assert str(pictures) in caught.value.expected
    assert _state(pictures) == before
    (pictures.parent / "link").symlink_to(pictures)
    with pytest.raises(ConfigError, match="outside of"):
        _resolve(collection, "move", pictures.parent / "link" / inner)


@pytest.mark.parametrize("name", ["pictures/.twice", "pictures and more", "pictures/.a/b"])
def test_what_a_sync_passes_over_may_be_moved_to(
    collection: Collection, pictures: Path, name: str
) -> None:
    assert len(_resolve(collection, "move", pictures.parent / name).done) == 3
    collection.sync(pictures)
    assert {Path(image.path).name for image in collection} == {"a.png", "other.png"}


def _tags(collection: Collection, *files: Path) -> list[list[str]]:
    return [collection.get(file).metadata.get("tags", []) for file in files]


@pytest.mark.parametrize("lose", ["forgotten", "bad"])
def test_what_can_not_have_its_tags_again_keeps_no_other_from_them(
    collection: Collection,
    pictures: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    lose: str,
) -> None:
    """Such as for an image to take them from that is forgotten, or a file that fails."""
    copy, small = pictures / "copy.png", pictures / "small.jpg"
    collection.add_tags([copy], "word")
    collection.add_tags([small], "small")
    _resolve(collection, "move", tmp_path / "to")
    if lose == "forgotten":
        collection.remove(pictures / "a.png")
    else:
        (tmp_path / "to" / "small.jpg").unlink()  # comes back as what is no picture
        log = undo_log.UndoLog(collection.info().index_dir)
        entry = next(one for one in log.last_run() if one.path == str(small))
        (tmp_path / "to" / "bad.jpg").write_bytes(b"no picture")
        content = decode.content_hash(b"no picture")
        log.write(replace(entry, to=str(tmp_path / "to" / "bad.jpg"), content_hash=content))
    collection.undo_duplicates()
    assert _tags(collection, copy) == [["word"]]
    if lose == "forgotten":
        assert _tags(collection, small) == [["small"]]
        assert not caplog.records
    else:
        assert "small.jpg was restored, but not its tags: small" in caplog.text
        assert _tags(collection, pictures / "a.png") == [["small"]]  # the word is not lost


def test_the_word_of_a_file_that_does_not_come_back_stays(
    collection: Collection, pictures: Path, tmp_path: Path
) -> None:
    kept, copy, small = (pictures / name for name in ("a.png", "copy.png", "small.jpg"))
    collection.add_tags([copy, small], "both")
    collection.add_tags([copy], "one")
    _resolve(collection, "move", tmp_path / "to")
    (tmp_path / "to" / "small.jpg").unlink()
    assert len(collection.undo_duplicates().left) == 1
    assert _tags(collection, kept, copy) == [["both"], ["both", "one"]]


def test_undo_does_not_take_what_the_user_put_there(
    collection: Collection, pictures: Path, tmp_path: Path
) -> None:
    """Before it was done, but after the duplicates were found; or since, though it was there."""
    kept, copy = pictures / "a.png", pictures / "copy.png"
    collection.add_tags([copy], ["before", "since", "word"])
    groups = collection.duplicates().groups
    collection.add_tags([kept], "before")
    collection.resolve_duplicates(groups, "move", to=tmp_path / "to", dry_run=False)
    collection.add_tags([pictures], "since")
    assert not collection.undo_duplicates().left
    assert _tags(collection, kept, copy) == [["before", "since"], ["before", "since", "word"]]
