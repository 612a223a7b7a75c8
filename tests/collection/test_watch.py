"""A collection that follows its folders: real files, and the real events of the system."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from conftest import MakePicture, until

from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.collection import Collection, folder_events, outage, watch
from image_similarity_search.collection.folder_events import FolderEvents
from image_similarity_search.errors import (
    CollectionLockedError,
    ConfigError,
    FolderNotFoundError,
    StoreUnavailableError,
)
from image_similarity_search.reports import SyncReport, WatchEvent


class Follower:
    """Follows folders in a thread, and keeps what it is told."""

    def __init__(self, collection: Collection, *folders: Path, **options: object) -> None:
        self.events: list[WatchEvent] = []
        self._stop = threading.Event()
        told = collection.watch(*folders, stop=self._stop, **options)  # type: ignore[arg-type]  # any
        self._thread = threading.Thread(target=lambda: self.events.extend(told))
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


@contextlib.contextmanager
def following(collection: Collection, *folders: Path, **options: object) -> Iterator[Follower]:
    """Follow folders, and look ten times as often as usual."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder_events, "_QUIET_MS", folder_events._QUIET_MS // 10)
        patch.setattr(watch, "_LOOK", watch._LOOK / 10)
        with contextlib.closing(Follower(collection, *folders, **options)) as follower:
            until(lambda: len(follower.events) >= len(folders))
            yield follower


@pytest.fixture
def folder(tmp_path: Path, make_picture: MakePicture) -> Path:
    """A folder of one picture."""
    return make_picture(tmp_path / "folder" / "first.png", 0).parent


def names(collection: Collection) -> list[str]:
    return sorted(Path(image.path).name for image in collection.images())


def test_new_moved_and_vanished_files_are_followed(
    collection: Collection, folder: Path, make_picture: MakePicture
) -> None:
    with following(collection, folder) as follower:
        assert follower.events[0].report
        assert follower.events[0].report.indexed == 1
        make_picture(folder / "new" / "second.png", 1)  # in a folder that was not there
        until(lambda: names(collection) == ["first.png", "second.png"])
        os.rename(folder / "new", folder / "moved")
        until(lambda: any(event.report and event.report.moved for event in follower.events))
        os.unlink(folder / "first.png")
        until(lambda: names(collection) == ["second.png"])
    assert {(event.folder, event.event) for event in follower.events} == {(str(folder), "synced")}


@pytest.mark.slow
def test_what_concerns_no_picture_is_not_told(tmp_path: Path, make_picture: MakePicture) -> None:
    """The collection's own files, when they lie in the folder, would make it sync for ever."""
    own, junk = tmp_path / "index", tmp_path / "@eaDir"
    made = tmp_path / "My.photoslibrary" / "resources"
    for folder in (own, junk, made):
        folder.mkdir(parents=True)
    with contextlib.closing(FolderEvents(str(own), threading.Event())) as events:
        events.watch([str(tmp_path)])
        for path in (own / "catalog.sqlite", junk / "a.jpg", made / "a.jpg", tmp_path / ".hidden"):
            path.write_bytes(b"")
        assert [events.wait() for _ in range(4)] == [set()] * 4
        make_picture(tmp_path / "first.png", 1)
        until(lambda: events.wait() == {str(tmp_path)})


@pytest.mark.parametrize("poll", [False, True])
def test_a_folder_that_is_gone_keeps_its_images_until_it_is_back(
    collection: Collection, folder: Path, make_picture: MakePicture, poll: bool
) -> None:
    with following(collection, folder, poll=poll, every=0.2 if poll else None) as follower:
        away = folder.rename(folder.with_name("away"))
        until(lambda: follower.events[-1].event == "unavailable")
        assert "nothing was changed" in follower.events[-1].reason
        assert names(collection) == ["first.png"]
        make_picture(away / "second.png", 1)
        away.rename(folder)
        until(lambda: names(collection) == ["first.png", "second.png"])
        make_picture(folder / "third.png", 2)
        until(lambda: len(collection) == 3)


def test_a_folder_that_does_not_answer_holds_up_no_other(
    collection: Collection,
    folder: Path,
    make_picture: MakePicture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one on a network drive whose server is away: the system waits for it, and says nothing."""
    identity, hanging, back = watch._identity, threading.Event(), threading.Event()

    def looked_at(path: str) -> tuple[str, int, int] | None:
        if path == str(folder) and hanging.is_set():
            back.wait(60)
        return identity(path)

    monkeypatch.setattr(watch, "_identity", looked_at)
    monkeypatch.setattr(watch, "_LONGEST_LOOK", 0.1)
    other = make_picture(folder.with_name("other") / "one.png", 1).parent
    with following(collection, folder, other, poll=True, every=0.2) as follower:
        hanging.set()
        until(lambda: follower.events[-1].event == "unavailable")
        assert "no answer" in follower.events[-1].reason
        make_picture(folder / "second.png", 2)
        make_picture(other / "two.png", 3)
        until(lambda: names(collection) == ["first.png", "one.png", "two.png"])
        back.set()
        until(lambda: "second.png" in names(collection))


def test_another_folder_in_the_same_place_is_followed(
    collection: Collection, folder: Path, make_picture: MakePicture
) -> None:
    with following(collection, folder):
        shutil.copytree(folder, folder.with_name("other"))
        folder.rename(folder.with_name("away"))
        folder.with_name("other").rename(folder)
        make_picture(folder / "second.png", 1)
        until(lambda: names(collection) == ["first.png", "second.png"])
        make_picture(folder / "third.png", 2)
        until(lambda: len(collection) == 3)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
@pytest.mark.slow
def test_names_that_are_no_text_are_followed(
    collection: Collection, folder: Path, make_picture: MakePicture
) -> None:
    with following(collection, folder):
        odd = os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png")
        shutil.copy(make_picture(folder.with_name("elsewhere.png"), 1), odd)
        until(lambda: len(collection) == 2)
        make_picture(folder / "third.png", 2)
        until(lambda: len(collection) == 3)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
def test_where_nothing_is_told_it_is_looked_for(
    collection: Collection,
    tmp_path: Path,
    make_picture: MakePicture,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A folder whose own name is no text can't be watched."""
    monkeypatch.setattr(watch, "EVERY_POLLED", 0.2)
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    make_picture(folder / "first.png", 0)
    with following(collection, folder):
        make_picture(folder / "second.png", 1)
        until(lambda: len(collection) == 2)
    assert caplog.text.count("polling instead") == 1


def test_another_writer_is_waited_for(
    tmp_path: Path,
    collection: Collection,
    folder: Path,
    make_picture: MakePicture,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with following(collection, folder):
        with writer_lock(str(tmp_path / "index"), wait=60):  # not held between syncs
            make_picture(folder / "second.png", 1)
            until(lambda: "waiting for it" in caplog.text)
            assert len(collection) == 1
        until(lambda: len(collection) == 2)
        until(lambda: "continuing" in caplog.text)
    assert "--wait" not in caplog.text  # there is none


def test_a_folder_that_never_was_is_refused(collection: Collection, tmp_path: Path) -> None:
    with pytest.raises(FolderNotFoundError):
        collection.watch(tmp_path / "misspelt")
    with pytest.raises(ConfigError):
        collection.watch()
    with pytest.raises(ConfigError):
        collection.watch(tmp_path, every=0)


def test_without_the_package_it_says_how_to_install_it(
    collection: Collection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(ConfigError, match=r"pip install 'image-similarity-search\[watch\]'"):
        collection.watch(folder)
    with following(collection, folder, poll=True):
        assert len(collection) == 1


@pytest.mark.parametrize("poll", [False, True])
def test_a_picture_that_moves_between_watched_folders_keeps_its_tags(
    collection: Collection, folder: Path, make_picture: MakePicture, *, poll: bool
) -> None:
    """To the later one, which is synced after its first place was seen empty, and back."""
    other = make_picture(folder.parent / "other" / "more.png", 1).parent
    make_picture(folder / "stays.png", 2)
    every = {"poll": True, "every": 0.2} if poll else {}
    with following(collection, folder, other, **every) as follower:
        collection.add_tags([folder / "first.png"], "word")
        id_ = collection.get(folder / "first.png").id

        def is_at(place: Path) -> bool:
            return collection.get(id_).path == str(place / "first.png")

        for source, target in ((folder, other), (other, folder)):
            os.rename(source / "first.png", target / "first.png")
            until(partial(is_at, target))
        assert collection.get(id_).metadata["tags"] == ["word"]
        os.unlink(folder / "first.png")
        until(lambda: len(collection) == 2)
    assert sum(event.report.removed for event in follower.events if event.report) == 1


def no_disks(folder: str) -> set[str]:
    return set()


class Hurried(threading.Event):
    """Ends a watch at its fourth wait, and waits for nothing."""

    waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is None or timeout > 0
        self.waits += 1
        if self.waits == 4:
            self.set()
        return self.is_set()


@pytest.mark.parametrize("problem", ["locked", "gone", "no engine"])
def test_what_vanished_is_not_looked_for_in_a_hurry_where_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: str
) -> None:
    """Each round but the first is waited for, however long it goes on."""
    first, other = str(tmp_path / "first"), str(tmp_path / "other")
    errors = {
        "locked": CollectionLockedError(str(tmp_path), "another process"),
        "gone": FolderNotFoundError(first, "no such folder"),
        "no engine": StoreUnavailableError("milvus", "no answer"),
    }
    synced: list[str] = []

    def sync(path: str, forget: bool) -> SyncReport:
        synced.append(path)
        if len(synced) > 2:
            raise errors[problem]
        assert not forget
        return SyncReport(vanished=int(path == first))

    def looked_at(folder: str) -> tuple[str, int, int]:
        looks.append(folder)
        assert looks.count(folder) <= 2 + stop.waits  # once a round
        return (folder, 0, 0)

    stop, looks = Hurried(), list[str]()
    monkeypatch.setattr(watch, "_identity", looked_at)
    list(watch.Watch(sync, no_disks, [first, other], None, 3600.0, stop).run())
    assert stop.waits == 4


def test_a_disk_that_is_mounted_during_a_sync_is_synced_and_looked_at_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, stop = Clock(), threading.Event()
    monkeypatch.setattr(watch, "time", clock)
    monkeypatch.setattr(stop, "wait", clock.wait)
    disk = str(tmp_path / "disk")
    mounted, looks, synced = set[str](), list[float](), list[float]()

    def is_mount(path: str) -> bool:
        looks.append(clock.now - 1000.0)
        return path in mounted

    def sync(path: str, forget: bool) -> SyncReport:
        synced.append(clock.now - 1000.0)
        mounted.add(disk)  # after the scan of the first, while pictures are encoded
        if clock.now >= 1040.0:
            stop.set()
        return SyncReport()

    monkeypatch.setattr(os.path, "ismount", is_mount)
    list(watch.Watch(sync, lambda _: {disk}, [str(tmp_path)], None, 30.0, stop).run())
    assert synced == [0, 5, 35, 65]
    assert looks == sorted([*synced, *range(5, 66, 5)])


class Clock:
    """Goes on by itself when it is waited for."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wait(self, timeout: float) -> None:
        self.now += timeout


def test_a_table_or_bucket_is_not_looked_through_for_each_picture_that_vanishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has its time, and until then what vanished elsewhere is not forgotten."""
    clock, stop = Clock(), threading.Event()
    monkeypatch.setattr(watch, "time", clock)
    monkeypatch.setattr(stop, "wait", clock.wait)
    bucket, folder, other = "s3://bucket", str(tmp_path / "folder"), str(tmp_path / "other")
    synced: list[tuple[str, bool, float]] = []

    def sync(path: str, forget: bool) -> SyncReport:
        synced.append((path, forget, clock.now - 1000.0))
        if len(synced) == 6:
            stop.set()
        return SyncReport(vanished=int(path == folder and not forget))

    list(watch.Watch(sync, no_disks, [bucket, folder, other], None, 40.0, stop).run())
    assert synced == [
        *((path, False, 0.0) for path in (bucket, folder, other)),
        *((path, path == folder, 40.0) for path in (bucket, other, folder)),
    ]


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """It has its port, and refuses all until it listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


def test_a_server_that_is_away_is_asked_ever_more_seldom_and_at_once_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: socket.socket
) -> None:
    clock, stop = Clock(), threading.Event()
    monkeypatch.setattr(watch, "time", clock)
    monkeypatch.setattr(outage, "time", clock)
    monkeypatch.setattr(stop, "wait", clock.wait)
    folders = [str(tmp_path / "first"), str(tmp_path / "other")]
    tried: list[tuple[float, str]] = []

    def sync(path: str, forget: bool) -> SyncReport:
        tried.append((clock.now - 1000.0, path))
        if len(tried) > 2 and not back:
            raise StoreUnavailableError("no answer")
        return SyncReport()

    back = False
    url = f"milvus://127.0.0.1:{server.getsockname()[1]}/pictures"
    events = watch.Watch(sync, no_disks, folders, None, 40.0, stop, [url]).run()
    assert [next(events).event for _ in range(2)] == ["synced", "synced"]
    assert next(events).event == "unavailable"  # it is said once: the next is that it is back

    def wait_until_back(timeout: float) -> None:
        clock.wait(timeout)
        nonlocal back
        if clock.now >= 1300.0 and not back:
            server.listen()
            back = True

    monkeypatch.setattr(stop, "wait", wait_until_back)
    event = next(events)
    assert (event.folder, event.event) == (folders[0], "synced")
    times = [time for time, path in tried if path == folders[0]]
    assert times == [0, 40, 41, 43, 47, 55, 71, 103, 163, 223, 283, 300]
    server.close()
    stop.set()
    assert not list(events)
    assert tried[-1][0] == 300
