"""Work that is taken together: by whom, and when."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conftest import until

from image_similarity_search.collection.batches import Batches


class Work:
    """What the threads do: they note what they got, and wait until they may go on."""

    def __init__(self) -> None:
        self.got: list[list[int]] = []
        self.go_on = threading.Semaphore(0)

    def __call__(self, batch: list[int]) -> None:
        self.got.append(batch)
        assert self.go_on.acquire(timeout=30)


@contextmanager
def _open(work: Work, threads: int, worth: int, busy: int = 1) -> Iterator[Batches[int]]:
    batches = Batches("work", threads, 5, work, worth=worth, busy=busy)
    try:
        yield batches
    finally:
        for _ in range(20):
            work.go_on.release()
        batches.close()


def test_what_waits_is_taken_together() -> None:
    work = Work()
    with _open(work, threads=1, worth=1) as batches:
        batches.put(0)
        until(lambda: work.got == [[0]])
        for number in range(1, 8):
            batches.put(number)
        work.go_on.release()
        until(lambda: len(work.got) == 2)
        work.go_on.release()
        until(lambda: len(work.got) == 3)
    assert work.got == [[0], [1, 2, 3, 4, 5], [6, 7]]


@pytest.mark.parametrize("come", [True, False])
def test_few_are_left_alone_while_enough_are_expected(
    come: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("image_similarity_search.collection.batches._PATIENCE", 30.0)
    work = Work()
    with _open(work, threads=2, worth=3, busy=2) as batches:
        for _ in range(4):
            batches.expect()
        batches.put(0, expected=True)
        batches.put(1, expected=True)
        time.sleep(0.05)  # one that would take them has the time to
        assert work.got == []
        if come:
            batches.put(2, expected=True)
        else:
            batches.give_up()
        until(lambda: len(work.got) == 1)
    assert work.got == [[0, 1, 2] if come else [0, 1]]


def test_one_alone_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("image_similarity_search.collection.batches._PATIENCE", 30.0)
    work = Work()
    with _open(work, threads=1, worth=8) as batches:
        batches.expect()
        batches.put(0, expected=True)
        until(lambda: work.got == [[0]], 20)


def test_what_never_comes_is_not_waited_for() -> None:
    work = Work()
    with _open(work, threads=1, worth=2) as batches:
        batches.expect()
        batches.put(0)
        until(lambda: work.got == [[0]])


def test_enough_are_taken_whatever_is_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("image_similarity_search.collection.batches._PATIENCE", 30.0)
    work = Work()
    with _open(work, threads=2, worth=2) as batches:
        batches.expect()
        batches.put(0)
        batches.put(1)
        until(lambda: work.got == [[0, 1]], 20)
        batches.give_up()


def test_at_the_end_what_waits_is_done() -> None:
    work = Work()
    batches = Batches("work", 1, 5, work)
    batches.put(0)
    until(lambda: work.got == [[0]])
    batches.put(1)
    for _ in range(2):
        work.go_on.release()
    batches.close()
    assert work.got == [[0], [1]]
