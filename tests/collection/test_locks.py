"""A second writer waits, or is told who writes; no lock outlives its process. Real processes."""

from __future__ import annotations

import errno
import json
import math
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import closing, contextmanager
from pathlib import Path

import faulty_drive
import pytest
from conftest import CountingEncoder, MakePicture

from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.collection import Collection
from image_similarity_search.collection.identity import created, identity_of
from image_similarity_search.errors import CollectionLockedError

_HOLD = """
import sys
from image_similarity_search.catalog.lock import writer_lock
with writer_lock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def index(tmp_path: Path, photos: Path) -> Path:
    with Collection.open(tmp_path / "i", encoder=CountingEncoder(), create=True) as collection:
        collection.sync(photos)
    return tmp_path / "i"


@contextmanager
def another_writer(index: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock until its standard input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(index)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_writer_is_told_who_writes(index: Path, photos: Path) -> None:
    with another_writer(index) as other, Collection.open(index) as collection:
        for change in (
            lambda: collection.sync(photos),
            lambda: collection.add(photos / "picture 0.jpg"),
            lambda: collection.remove(1),
            lambda: collection.rebuild(),
            lambda: collection.relocate(photos, photos),
            lambda: Collection.repair(index),
        ):
            with pytest.raises(CollectionLockedError) as caught:
                change()
            assert f"process {other.pid} (since 20" in str(caught.value)
            assert "--" not in str(caught.value)  # the command line says that it can wait
            assert str(index) in str(caught.value)
        command = [
            sys.executable,
            "-m",
            "image_similarity_search",
            "rebuild",
            "--index-dir",
            f"{index}",
        ]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        assert f"process {other.pid} (since 20" in told.stderr
        assert "add --wait to wait for it" in told.stderr


def test_a_second_writer_waits_if_it_is_told_to(
    index: Path, photos: Path, make_picture: MakePicture, caplog: pytest.LogCaptureFixture
) -> None:
    new = make_picture(photos / "new.png", 50)
    with another_writer(index) as other:
        timer = threading.Timer(0.6, other.kill)
        timer.start()
        started = time.monotonic()
        with Collection.open(index, encoder=CountingEncoder(), wait=math.inf) as collection:
            assert len(collection.add(new)) == 1
        assert time.monotonic() - started > 0.3
        timer.join()
    assert f"process {other.pid}" in caplog.text
    assert "waiting" in caplog.text


def test_it_gives_up_after_as_long_as_it_was_told(index: Path) -> None:
    with another_writer(index), Collection.open(index, wait=0.5) as collection:
        started = time.monotonic()
        with pytest.raises(CollectionLockedError):
            collection.remove(1)
        assert 0.4 < time.monotonic() - started < 5


def test_writers_that_wait_come_one_after_the_other(
    index: Path, tmp_path: Path, make_picture: MakePicture
) -> None:
    """Each adds pictures of its own; none is lost, and the answers are right afterwards."""
    folders = [tmp_path / f"of {number}" for number in range(4)]
    for number, folder in enumerate(folders):
        for seed in range(6):
            make_picture(folder / f"{seed}.png", 1000 + 10 * number + seed)
    arguments = [sys.executable, "-m", "image_similarity_search"]
    processes = [
        subprocess.Popen(
            [*arguments, "index", folder, "--index-dir", index, "--wait"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for folder in folders
    ]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    with Collection.open(index) as collection:
        assert len(collection) == 12 + 4 * 6
        assert not collection.verify(files=True).problems
        for folder in folders:
            for path in folder.iterdir():
                assert collection.search(path, k=1)[0].path == str(path)


@pytest.mark.unix
def test_the_lock_of_a_killed_process_does_not_stay(index: Path) -> None:
    with another_writer(index) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert (index / "writer.json").exists()  # which says nothing by itself
    with Collection.open(index) as collection:
        assert collection.remove(1) == 1
    assert not (index / "writer.json").exists()


def test_a_writer_on_another_computer_is_named_and_what_to_do_if_that_is_gone(index: Path) -> None:
    with writer_lock(str(index)):
        holder = {"process": 4711, "computer": "nas", "since": "2026-01-01 10:00:00 +0000"}
        (index / "writer.json").write_text(json.dumps(holder))
        with Collection.open(index) as collection, pytest.raises(CollectionLockedError) as caught:
            collection.remove(1)
    message = str(caught.value)
    assert "process 4711 on nas (since 2026-01-01 10:00:00 +0000)" in message
    assert f"its lock is left behind, delete {index / 'writer.lock'}" in message
    assert socket.gethostname() != "nas"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"process": 1}', "\0"])
def test_where_the_holder_is_not_known_it_is_another_process(index: Path, text: str) -> None:
    with writer_lock(str(index)):
        (index / "writer.json").write_text(text)
        with (
            Collection.open(index) as collection,
            pytest.raises(CollectionLockedError, match="another process is writing"),
        ):
            collection.remove(1)


_CHANGING = """
import sys
from pathlib import Path
from image_similarity_search import Collection
from image_similarity_search.encoders.colour_texture import ColourTextureEncoder
one, two = Path(sys.argv[2]), Path(sys.argv[3])
with Collection.open(sys.argv[1], encoder=ColourTextureEncoder()) as collection:
    print("ready", flush=True)
    while True:
        collection.add(one)
        collection.remove(two)
        collection.add(two)
        collection.remove(one)
"""


def test_a_reader_sees_a_consistent_state_whatever_is_being_written(
    index: Path, tmp_path: Path, make_picture: MakePicture
) -> None:
    """One of two pictures goes when the other has come: there are always 13 or 14."""
    one, two = (make_picture(tmp_path / "more" / f"{n}.png", 300 + n) for n in (1, 2))
    with Collection.open(index, encoder=CountingEncoder()) as collection:
        collection.add(two)
    with subprocess.Popen(
        [sys.executable, "-c", _CHANGING, str(index), str(one), str(two)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        seen: Counter[frozenset[str]] = Counter()
        deadline = time.monotonic() + 60
        try:
            with Collection.open(index) as reader:
                while (len(seen) < 3 or seen.total() < 400) and time.monotonic() < deadline:
                    hits = reader.search(3, k=50)
                    paths = {hit.path for hit in hits}
                    assert len(paths) == len(hits)
                    assert paths & {str(one), str(two)}
                    assert len(hits) in (12, 13)
                    seen[frozenset(paths & {str(one), str(two)})] += 1
        finally:
            process.kill()
    assert len(seen) == 3  # one, the other, and both


_OPENED_WITHOUT_LOCKS = """
import sys
from image_similarity_search import Collection, ImageSearchError
from image_similarity_search.catalog import database
database._BUSY_SECONDS = 0.2
try:
    with Collection.open(sys.argv[1], encoder="colour-texture", create=True) as collection:
        collection.remove(1)
except ImageSearchError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("kind", ["record locks", "file locks"])
@pytest.mark.parametrize("error", [errno.ENOLCK, errno.EIO, errno.ENOSYS])
@pytest.mark.parametrize("new", [True, False], ids=["new", "known"])
def test_a_drive_without_locks_is_named_and_what_to_do(
    index: Path, tmp_path: Path, kind: str, error: int, new: bool
) -> None:
    fault = f"{kind} {error}"
    folder = tmp_path / "on a network drive" if new else index
    out = faulty_drive.run(tmp_path, fault, _OPENED_WITHOUT_LOCKS, folder)
    assert out.startswith("CollectionUnwritableError")
    assert "its drive does not support locks between processes" in out
    assert "keep the index on a local disk (--index-dir)" in out


def test_a_collection_that_another_process_just_made_and_fills_is_not_waited_for(
    index: Path,
) -> None:
    identity = identity_of(CountingEncoder(), None, None)
    with another_writer(index), closing(created(str(index), identity, thumbnails=True)) as found:
        assert found.counts().indexed == 12


def test_threads_that_write_are_alone_and_wait_if_told_to(index: Path) -> None:
    for wait in (0.0, math.inf):
        with Collection.open(index, wait=wait) as collection, ThreadPoolExecutor(1) as threads:
            with writer_lock(str(index)):
                other = threads.submit(collection.add_tags, 1, "beach")
                assert wait_for([other], timeout=0.5).done == (set() if wait else {other})
                assert len(collection.search(1, 3)) == 3
            if wait:
                assert other.result() == 1
            else:
                with pytest.raises(CollectionLockedError, match=r"^another thread .*from one"):
                    other.result()
