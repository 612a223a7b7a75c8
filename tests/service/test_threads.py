"""Threads for one kind of work: whose turn does not come, and who went."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from threading import Event

import pytest
from conftest import until

from image_similarity_search.service.problems import Refusal
from image_similarity_search.service.threads import Threads


@pytest.fixture
def one() -> Iterator[Threads]:
    """One thread, for which one request waits, for a tenth of a second."""
    threads = Threads("read", 1, most=1, seconds=0.1, retry=1)
    yield threads
    threads.close(5)


def test_whose_turn_does_not_come_is_told_so_and_nothing_is_done(one: Threads) -> None:
    done: list[int] = []

    def slowly(number: int) -> None:
        time.sleep(0.06)
        done.append(number)

    async def ask() -> list[BaseException | None]:
        asked = [asyncio.create_task(one.go_on(slowly, number)) for number in range(4)]
        await asyncio.sleep(0)
        one_too_many = one.do(slowly, 4)
        return await asyncio.gather(*asked, one_too_many, return_exceptions=True)

    told = asyncio.run(ask())
    assert told[:2] == [None, None]
    assert [refusal.kind.slug for refusal in told if isinstance(refusal, Refusal)] == ["busy"] * 3
    assert done == [0, 1]


def test_a_file_that_was_opened_for_who_went_is_closed_by_a_thread(one: Threads) -> None:
    closed: list[str] = []
    opened = Event()

    class File:
        def close(self) -> None:
            closed.append(threading.current_thread().name)

    def open_file() -> File:
        opened.set()
        return File()

    async def go_away() -> None:
        asking = asyncio.create_task(one.do(open_file))
        await asyncio.sleep(0)
        opened.wait(5)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    asyncio.run(go_away())
    until(lambda: bool(closed))
    assert closed == ["read"]
