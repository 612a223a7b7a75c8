"""Real worker processes that answer, crash, hang and eat memory."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import children_of, until

from image_similarity_search.errors import WorkerUnavailableError
from image_similarity_search.workers.pool import Pool
from image_similarity_search.workers.worker import Answer, Failure, Worker

WORK = "tasks:answer"
MEMORY = 512 << 20
SECONDS = 30.0


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(WORK, 2, MEMORY)
    yield pool
    pool.close()


def ask(pool: Pool, request: str, seconds: float = SECONDS) -> Answer:
    return pool.submit(request.encode(), seconds).result()


_others: set[int] = set()  # processes of other tests, some of which last


@pytest.fixture(autouse=True)
def _know_others() -> None:
    _others.clear()
    _others.update(children_of(os.getpid()))


def children() -> set[int]:
    return children_of(os.getpid()) - _others


def test_each_request_gets_its_own_answer(pool: Pool) -> None:
    answers = [(number, pool.submit(b"echo %d" % number, SECONDS)) for number in range(200)]
    for number, answer in answers:
        assert answer.result() == Answer([b"%d" % number])


def test_an_answer_has_parts_of_any_size(pool: Pool) -> None:
    sizes = [0, 1, 65_536, 3_000_000, 0, 5]
    answer = ask(pool, "parts " + ",".join(map(str, sizes)))
    assert [len(part) for part in answer.parts] == [*sizes, 0]
    assert ask(pool, "parts ").failure == Failure("ended", 1)  # int("") raises
    assert ask(pool, "echo on").parts == [b"on"]


def test_few_requests_get_one_worker_and_many_get_all(pool: Pool) -> None:
    def workers(count: int) -> int:
        asked = [pool.submit(b"sleep 0.05", SECONDS) for _ in range(count)]
        for answer in asked:
            answer.result()
        return len(children())

    assert workers(1) == 1
    assert workers(6) == 1
    assert workers(40) == 2


@pytest.mark.unix
@pytest.mark.parametrize(
    ("request_", "failure"),
    [
        (f"crash {signal.SIGSEGV}", Failure("ended", -signal.SIGSEGV)),
        (f"crash {signal.SIGABRT}", Failure("ended", -signal.SIGABRT)),
        ("crash 9", Failure("ended", -9)),
        ("exit 3", Failure("ended", 3)),
        ("exit 0", Failure("ended", 0)),
        ("raise", Failure("ended", 1)),
    ],
)
def test_a_worker_that_ends_costs_its_request_and_no_other(
    pool: Pool, request_: str, failure: Failure
) -> None:
    requests = [f"echo {number}" for number in range(30)]
    requests[10] = request_
    answers = [pool.submit(text.encode(), SECONDS) for text in requests]
    assert answers.pop(10).result() == Answer([b"begun"], failure)
    for answer in answers:
        assert answer.result().failure is None


def test_what_a_request_left_behind_is_not_held_against_the_next(pool: Pool) -> None:
    assert ask(pool, "echo something").failure is None
    assert ask(pool, "crash_unless_fresh") == Answer([b"fresh"])


def test_what_fails_beside_others_is_tried_alone(pool: Pool, tmp_path: Path) -> None:
    def submit(name: str, count: int) -> list[Future[Answer]]:
        return [pool.submit(f"{name} {tmp_path}".encode(), SECONDS) for _ in range(count)]

    busy, hungry, more = submit("busy", 9), submit("crash_unless_alone", 1), submit("busy", 4)
    assert hungry[0].result().parts == [b"alone"]
    assert not more[-1].done()  # it had to wait for none but those at work
    assert all(answer.result().parts == [b"done"] for answer in (*busy, *more))


@pytest.mark.unix
def test_a_part_may_take_so_long_and_no_longer(pool: Pool) -> None:
    started = time.monotonic()
    assert ask(pool, "hang", 0.3) == Answer([b"begun"], Failure("late", -signal.SIGKILL))
    assert time.monotonic() - started < 5
    assert ask(pool, "sleep 0.4", 3).failure is None


@pytest.mark.linux
def test_memory_is_bounded(pool: Pool) -> None:
    answer = ask(pool, "eat")
    assert answer.parts == [b"begun"]
    assert answer.failure
    assert answer.failure.kind == "memory"
    assert ask(pool, "echo on").parts == [b"on"]


@pytest.mark.linux
def test_a_crash_leaves_no_core_and_want_of_memory_ends_a_worker_first(pool: Pool) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        assert ask(pool, "limits").parts == [b"0", b"1000"]
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)


def test_what_libraries_print_goes_nowhere(pool: Pool, capfd: pytest.CaptureFixture[str]) -> None:
    assert ask(pool, "shout noise").parts == [b"b''"]
    assert ask(pool, "echo on").parts == [b"on"]
    assert capfd.readouterr() == ("", "")


def test_closing_ends_what_is_under_way_at_once() -> None:
    pool = Pool(WORK, 2, MEMORY)
    answers = [pool.submit(b"hang", SECONDS) for _ in range(20)]
    until(lambda: len(children()) == 2)
    time.sleep(0.3)
    started = time.monotonic()
    pool.close()
    assert time.monotonic() - started < 3
    assert not children()
    assert all(answer.done() for answer in answers)
    pool.close()


def test_a_pool_that_is_forgotten_ends_its_workers() -> None:
    pool = Pool(WORK, 2, MEMORY)
    assert ask(pool, "echo on").parts == [b"on"]
    assert len(children()) == 1
    del pool
    gc.collect()
    until(lambda: not children())


def test_a_worker_can_start_ahead(pool: Pool) -> None:
    pool.prepare()
    pool.prepare()
    until(lambda: len(children()) == 1)
    (pid,) = children()
    assert ask(pool, "pid").parts == [b"%d" % pid]


@pytest.mark.linux
def test_nothing_is_left_open() -> None:
    def once() -> None:
        pool = Pool(WORK, 2, MEMORY)
        for request in (b"echo 1", b"exit 1", b"hang", b"echo 2"):
            pool.submit(request, 0.3).result()
        pool.close()

    once()
    before = sorted(os.listdir("/proc/self/fd")), sorted(os.listdir("/dev/shm"))
    for _ in range(3):
        once()
    assert (sorted(os.listdir("/proc/self/fd")), sorted(os.listdir("/dev/shm"))) == before
    assert not children()


def test_that_no_worker_can_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool("tasks:missing", 1, MEMORY)
    for _ in range(2):
        with pytest.raises(WorkerUnavailableError, match="ended with status 1 before"):
            ask(pool, "echo on")
    pool.close()
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    pool = Pool(WORK, 1, MEMORY)
    with pytest.raises(WorkerUnavailableError, match="No such file"):
        ask(pool, "echo on")
    pool.close()
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(WorkerUnavailableError, match="not a Python interpreter"):
        Worker(WORK, MEMORY)


@pytest.mark.parametrize("thread", ["ask", "listen"])
def test_that_no_thread_can_start_is_an_error_until_one_can(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, thread: str
) -> None:
    start = threading.Thread.start

    def refused(started: threading.Thread) -> None:
        if started.name == thread:
            raise RuntimeError("can't start new thread")
        start(started)

    monkeypatch.setattr(threading.Thread, "start", refused)
    pool.prepare()
    with pytest.raises(WorkerUnavailableError, match="new thread"):
        pool.submit(b"echo on", SECONDS).result(SECONDS)
    assert not children()
    monkeypatch.undo()
    assert pool.submit(b"echo on", SECONDS).result(SECONDS).parts == [b"on"]


def test_many_who_ask_at_once_get_no_more_workers_than_there_may_be() -> None:
    before, pools = sys.getswitchinterval(), [Pool("tasks:missing", 1, MEMORY) for _ in range(5)]
    others = set(threading.enumerate())
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as callers:
            for pool in pools:
                list(callers.map(lambda _, pool=pool: pool.prepare(), range(8)))
    finally:
        sys.setswitchinterval(before)
    started = [thread for thread in set(threading.enumerate()) - others if thread.name == "ask"]
    for pool in pools:
        pool.close()
    assert len(started) == len(pools)


def test_what_is_asked_of_a_closed_pool_is_cancelled(pool: Pool) -> None:
    assert ask(pool, "echo on").failure is None
    pool.close()
    assert pool.submit(b"echo on", SECONDS).cancelled()
