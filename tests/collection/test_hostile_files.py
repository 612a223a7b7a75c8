"""One picture that crashes, hangs or eats memory costs one picture."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import ISS, Iss
from conftest import (
    CountingEncoder,
    MakePicture,
    children_of,
    draw,
    hear_interrupts,
    is_zombie,
    slow_picture,
    until,
)
from lasting_pools import LastingPool
from PIL import Image

from image_similarity_search.cli import exits
from image_similarity_search.collection import Collection
from image_similarity_search.collection.pipeline import Decoders
from image_similarity_search.errors import (
    CollectionNotFoundError,
    ConfigError,
    EncoderOutputError,
    WorkerUnavailableError,
)
from image_similarity_search.processors import available_processors
from image_similarity_search.types import FloatArray, PixelArray

MEMORY = 512 << 20
LIMIT = 2.0  # seconds


@pytest.fixture(scope="module", autouse=True)
def pools() -> None:
    """Each collection has decoding processes of its own, as it has outside the tests."""
    LastingPool.end()


@pytest.fixture
def good(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(30):
        draw(seed).save(folder / f"good {seed:02}.png")
    return folder


@pytest.fixture
def hostile(collection: Collection) -> Collection:
    """A collection whose decoder does, at files of certain names, what a broken codec may do."""
    collection._decoders = Decoders("hostile_decoder:answer", MEMORY)
    return collection


def reasons(collection: Collection) -> dict[str, str | None]:
    return {os.path.basename(record.path): record.reason for record in collection.skipped()}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the memory of a process")
def test_one_that_crashes_one_that_hangs_and_one_that_eats_memory_cost_three(
    hostile: Collection, good: Path, make_picture: MakePicture, encoder: CountingEncoder
) -> None:
    for name in ("crash.png", "hang.png", "eat.png"):
        make_picture(good / name, 50)
    before = {str(path) for path in good.glob("good*")}
    report = hostile.sync(good, time_limit=LIMIT)
    assert (report.indexed, report.skipped, encoder.count) == (30, 3, 30)
    assert {record.path for record in hostile} == before
    assert reasons(hostile) == {
        "crash.png": "the decoder crashed (signal 11)",
        "hang.png": "decoding took more than 2 s",
        "eat.png": "decoding takes more memory than 512 MiB",
    }
    assert not children_of(os.getpid())
    for record in hostile:  # each with the embedding of its own picture
        assert hostile.search(record.path, k=1)[0].path == record.path


def test_what_was_skipped_is_tried_again_only_when_asked(
    hostile: Collection, good: Path, make_picture: MakePicture
) -> None:
    make_picture(good / "crash.png", 50)
    hostile.sync(good)
    (record,) = hostile.skipped()
    assert record.content_hash
    started = time.monotonic()
    assert hostile.sync(good).skipped == 1
    assert hostile.sync(good, retry_skipped=True).skipped == 1
    hostile._decoders = Decoders()
    assert hostile.sync(good).skipped == 1
    assert hostile.sync(good, retry_skipped=True).skipped == 0
    assert len(hostile) == 31
    assert time.monotonic() - started < 60


def test_one_that_cannot_be_read_in_time_is_tried_again(
    hostile: Collection, good: Path, make_picture: MakePicture
) -> None:
    bad = make_picture(good / "hang before it is read.png", 50)
    assert hostile.sync(good, time_limit=0.5).skipped == 1
    (record,) = hostile.skipped()
    assert (record.reason, record.content_hash) == ("reading took more than 0.5 s", None)
    hostile._decoders.close()
    hostile._decoders = Decoders()
    assert hostile.sync(good).updated == 1
    assert hostile.get(bad).state == "indexed"


@pytest.mark.unix
@pytest.mark.parametrize("name", ["crash.png", "killed.png", "hang.png"])
def test_add_skips_such_a_picture_and_adds_the_others(
    hostile: Collection, good: Path, make_picture: MakePicture, name: str
) -> None:
    bad = make_picture(good / name, 50)
    records = hostile.add(good / "good 00.png", bad, good / "good 01.png", time_limit=0.5)
    assert [record.state for record in records] == ["indexed", "skipped", "indexed"]
    assert records[1].reason in {
        "the decoder crashed (signal 11)",
        "the decoder was killed (signal 9), probably out of memory",
        "decoding took more than 0.5 s",
    }


def test_one_process_stays_for_the_next_picture_until_the_collection_is_closed(
    tmp_path: Path, good: Path, make_picture: MakePicture
) -> None:
    with Collection.open(tmp_path / "i", encoder="colour-texture", create=True) as collection:
        collection.add(good / "good 00.png")
        workers = children_of(os.getpid())
        assert len(workers) == 1
        collection.add(*(good / f"good {number:02}.png" for number in range(1, 9)))
        assert children_of(os.getpid()) == workers
        collection.sync(good)
        assert not children_of(os.getpid())
        collection.add(make_picture(tmp_path / "one more.png", 70))
        assert len(children_of(os.getpid())) == 1
    assert not children_of(os.getpid())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the memory of a process")
def test_a_picture_too_large_for_the_memory_is_skipped(collection: Collection, good: Path) -> None:
    collection._decoders = Decoders(memory=256 << 20)
    Image.new("1", (13_000, 13_000)).save(good / "large.png")
    assert collection.sync(good).skipped == 1
    assert reasons(collection) == {"large.png": "decoding takes more memory than 256 MiB"}


class FailingEncoder(CountingEncoder):
    def encode(self, pixels: PixelArray) -> FloatArray:
        raise RuntimeError("out of order")


def test_a_run_that_fails_leaves_no_decoder_at_work(
    tmp_path: Path, good: Path, make_picture: MakePicture
) -> None:
    make_picture(good / "hang.png", 50)
    with Collection.open(tmp_path / "i", encoder=FailingEncoder(), create=True) as collection:
        collection._decoders = Decoders("hostile_decoder:answer", MEMORY)
        with pytest.raises(EncoderOutputError, match="out of order"):
            collection.sync(good)
        assert not children_of(os.getpid())


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_time_limit_is_a_time(collection: Collection, good: Path, seconds: float) -> None:
    with pytest.raises(ConfigError, match=r"time_limit is .*more than 0"):
        collection.sync(good, time_limit=seconds)
    with pytest.raises(ConfigError, match=r"time_limit is .*more than 0"):
        collection.add(good / "good 00.png", time_limit=seconds)
    assert collection.sync(good, time_limit=float("inf")).indexed == 30


def test_that_no_process_can_be_started_is_an_error_that_loses_nothing(
    collection: Collection, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.add(good / "good 00.png")
    collection._decoders.close()
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(WorkerUnavailableError):
        collection.sync(good)
    monkeypatch.undo()
    assert collection.sync(good).unchanged == 1
    assert len(collection) == 30


# The command line


def iss(*arguments: str | Path) -> list[str]:
    return [*ISS, *(os.fspath(argument) for argument in arguments)]


@pytest.mark.slow
def test_a_picture_that_takes_too_long_is_skipped_and_may_be_given_more_time(
    good: Path, tmp_path: Path
) -> None:
    slow_picture(good / "slow.qoi", 4)
    run = Iss(tmp_path)
    assert (
        "indexed 30," in run("index", good, "--model", "colour-texture", "--time-limit", "0.7").out
    )
    assert run("info", "--skipped").out == f"{good / 'slow.qoi'}: decoding took more than 0.7 s\n"
    assert "skipped 1 " in run("index", good).out
    assert "updated 1," in run("index", good, "--retry-skipped").out
    run("index", good, "--time-limit", "0", status=exits.USAGE)


@pytest.mark.linux
def test_ctrl_c_in_a_terminal_ends_a_run_whose_decoders_hang(good: Path, tmp_path: Path) -> None:
    import pty

    for number in range(4):
        slow_picture(good / f"zz slow {number}.qoi")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        iss("index", good, "--index-dir", tmp_path / "i", "--model", "colour-texture"),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        start_new_session=True,
        preexec_fn=_take_terminal,
    ) as run:
        os.close(theirs)
        until(lambda: indexed(tmp_path / "i") > 0)
        time.sleep(0.5)
        kept = indexed(tmp_path / "i")
        assert kept < 30
        workers = children_of(run.pid)
        assert len(workers) == min(2, available_processors())
        started = time.monotonic()
        os.write(ours, b"\x03")  # as the key does: the terminal sends SIGINT to the whole group
        said = b""
        while b"run the command again" not in said:
            said += os.read(ours, 1 << 16)
        assert run.wait(20) == 130
        assert time.monotonic() - started < 3
        assert run.stdout
        assert run.stdout.read().startswith(f"indexed {kept}, ")
    os.close(ours)
    assert b"Traceback" not in said
    until(lambda: not any(is_alive(worker) for worker in workers))
    assert indexed(tmp_path / "i") == kept


def is_alive(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}") and not is_zombie(pid)


def indexed(index_dir: Path) -> int:
    try:
        with Collection.open(index_dir) as collection:
            return len(collection)
    except CollectionNotFoundError:
        return 0


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    hear_interrupts()


@pytest.mark.linux
def test_a_killed_run_leaves_no_process_behind(good: Path, tmp_path: Path) -> None:
    slow_picture(good / "zz slow.qoi")
    with subprocess.Popen(
        iss("index", good, "--index-dir", tmp_path / "i"), stderr=subprocess.DEVNULL
    ) as run:
        until(lambda: len(children_of(run.pid)) >= 1)
        workers = children_of(run.pid)
        run.send_signal(signal.SIGKILL)
    for worker in workers:
        until(lambda worker=worker: not is_alive(worker), 10)  # type: ignore[misc]
