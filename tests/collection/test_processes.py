"""Several processes, and processes that end: with real ones."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import CountingEncoder, MakePicture, draw, hear_interrupts
from privileges import as_anybody

from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.collection import Collection
from image_similarity_search.errors import CollectionLockedError, CollectionUnwritableError

# slow enough a picture that a signal finds it at work
_INDEX = """
import sys, time
from image_similarity_search import Collection
from image_similarity_search.encoders.colour_texture import ColourTextureEncoder

class Slow(ColourTextureEncoder):
    def encode(self, pixels):
        time.sleep(0.1)
        return super().encode(pixels)

with Collection.open(sys.argv[2], encoder=Slow(), create=True) as collection:
    print("ready", flush=True)
    collection.sync(sys.argv[1], progress=lambda step: print(step.done, flush=True))
"""


def start(folder: Path, index: Path) -> subprocess.Popen[str]:
    """A process that indexes, stopped at its first batch or later."""
    process = subprocess.Popen(
        [sys.executable, "-c", _INDEX, str(folder), str(index)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,
    )
    assert process.stdout
    for line in process.stdout:
        if line.strip() in ("32", "64", "96"):
            break
    return process


@pytest.fixture
def many(tmp_path: Path) -> Path:
    folder = tmp_path / "many"
    folder.mkdir()
    for seed in range(400):
        draw(seed, (32, 32)).save(folder / f"{seed:03}.bmp")
    return folder


@pytest.mark.unix
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_ended_run_keeps_what_was_done_and_the_next_goes_on(
    many: Path, tmp_path: Path, how: signal.Signals
) -> None:
    with start(many, tmp_path / "i") as process:
        process.send_signal(how)
        process.communicate(timeout=30)
    assert process.returncode != 0
    encoder = CountingEncoder()
    with Collection.open(tmp_path / "i", encoder=encoder) as collection:
        done = len(collection)
        assert 32 <= done < 400
        assert len(collection.search(next(iter(collection)).id, k=500)) == done - 1
        report = collection.sync(many)
        assert (report.unchanged, report.indexed) == (done, 400 - done)
        assert encoder.count == 400 - done
        assert len({record.path for record in collection}) == len(collection) == 400


def test_a_second_writer_fails_clearly_and_a_reader_searches(many: Path, tmp_path: Path) -> None:
    with start(many, tmp_path / "i") as process:
        with Collection.open(tmp_path / "i", encoder=CountingEncoder()) as collection:
            with pytest.raises(
                CollectionLockedError, match=f"process {process.pid} .*is writing to"
            ):
                collection.sync(many)
            before = len(collection.search(many / "000.bmp", k=500))
            assert before >= 32
            deadline = time.monotonic() + 20
            while len(collection.search(many / "000.bmp", k=500)) == before:
                assert time.monotonic() < deadline, "what was committed is not seen"
        process.kill()
        process.communicate()


_CREATE = """
import sys
from image_similarity_search import ImageSimilaritySearch
with ImageSimilaritySearch(sys.argv[1], sys.argv[2], model="colour-texture") as searcher:
    print(len(searcher.collection))
"""


def test_processes_that_make_the_same_collection_at_once_all_get_it(
    photos: Path, tmp_path: Path
) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _CREATE, str(photos), str(tmp_path / "same")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    with Collection.open(tmp_path / "same") as collection:
        assert len(collection) == 12


def test_making_a_collection_waits_for_another_that_is_being_made(tmp_path: Path) -> None:
    (tmp_path / "i").mkdir()
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with writer_lock(str(tmp_path / "i")):
            held.set()
            let_go.wait(10)

    other = threading.Thread(target=hold)
    other.start()
    held.wait(10)
    threading.Timer(0.5, let_go.set).start()
    Collection.open(tmp_path / "i", encoder="colour-texture", create=True).close()
    other.join()


def test_a_killed_writers_lock_does_not_stay(many: Path, tmp_path: Path) -> None:
    with start(many, tmp_path / "i") as process:
        process.kill()
        process.communicate()
    with writer_lock(str(tmp_path / "i")):
        pass


_READ_ONLY = """
import sys
from image_similarity_search import Collection
from image_similarity_search.errors import CollectionUnwritableError
with Collection.open(sys.argv[2]) as collection:
    print(len(collection.search(sys.argv[1], k=50)))
    try:
        collection.remove(1)
    except CollectionUnwritableError as error:
        print("refused")
"""


def test_a_read_only_index_can_be_searched_but_not_changed(
    tmp_path: Path, make_picture: MakePicture
) -> None:
    query = make_picture(tmp_path / "p" / "a.png", 1)
    index = tmp_path / "i"
    with Collection.open(index, encoder="colour-texture", create=True) as collection:
        collection.sync(query.parent)
    (index / "writer.lock").unlink(missing_ok=True)
    index.chmod(0o555)
    result = subprocess.run(
        [*as_anybody(), sys.executable, "-c", _READ_ONLY, str(query), str(index)],
        capture_output=True,
        text=True,
        check=False,
    )
    index.chmod(0o755)
    assert result.stdout.split() == ["1", "refused"], result.stderr


_WATCH = """
import sys
from image_similarity_search import Collection
with Collection.open(sys.argv[1]) as collection:
    for line in sys.stdin:
        print(len(collection.search(int(line), k=50)), flush=True)
"""


def test_a_reader_that_may_not_write_sees_what_the_owner_does(
    tmp_path: Path, photos: Path, make_picture: MakePicture
) -> None:
    index = tmp_path / "i"
    with Collection.open(index, encoder="colour-texture", create=True) as collection:
        collection.sync(photos)
    index.chmod(0o555)
    with subprocess.Popen(
        [*as_anybody(), sys.executable, "-c", _WATCH, str(index)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert _asked(reader) == 11
        index.chmod(0o755)
        with Collection.open(index) as owner:  # whose changes stay in the write-ahead log
            for count in (12, 13):
                make_picture(photos / f"new {count}.png", 100 + count)
                owner.sync(photos)
                index.chmod(0o555)
                assert _asked(reader) == count
                index.chmod(0o755)
        assert reader.stdin
        reader.stdin.close()


def _asked(reader: subprocess.Popen[str]) -> int:
    assert reader.stdin
    assert reader.stdout
    reader.stdin.write("1\n")
    reader.stdin.flush()
    return int(reader.stdout.readline())


def test_where_nothing_can_be_made_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CollectionUnwritableError, match="not a directory"):
        Collection.open(tmp_path / "file" / "index", encoder="colour-texture", create=True)
