"""Work that is cheaper for several at once: whoever is free takes all that waits."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Batches(Generic[_T]):
    """Threads that call ``work`` with what waits, at most ``most`` of it at once.

    One of them always takes what there is. The others leave less than ``worth`` items alone as
    long as more is expected: these items would be done no sooner for being done one by one.
    ``work`` must not raise: those who wait for an answer would not know.
    """

    def __init__(
        self,
        name: str,
        threads: int,
        most: int,
        work: Callable[[list[_T]], object],
        *,
        worth: int = 1,
    ) -> None:
        self._most = most
        self._worth = worth
        self._work = work
        self._change = threading.Condition()
        self._waiting: deque[_T] = deque()  # these four are read and changed under it
        self._expected = 0
        self._at_work = 0
        self._closed = False
        self._threads = [
            threading.Thread(target=self._attend, name=name, daemon=True) for _ in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def expect(self) -> None:
        """Know of an item that will come: ``put(expected=True)``, or ``give_up``."""
        with self._change:
            self._expected += 1

    def put(self, item: _T, *, expected: bool = False) -> None:
        """Have it done; returns at once."""
        with self._change:
            self._expected -= expected
            self._waiting.append(item)
            self._change.notify()

    def give_up(self) -> None:
        """Know that an expected item will not come."""
        with self._change:
            self._expected -= 1
            self._change.notify()

    def close(self) -> None:
        """Have done what waits already, and wait for it."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        for thread in self._threads:
            thread.join()

    def _attend(self) -> None:
        while batch := self._next():
            self._work(batch)
            with self._change:
                self._at_work -= 1
                self._change.notify()

    def _next(self) -> list[_T]:
        """What to do next; nothing at the end."""
        with self._change:
            self._change.wait_for(self._is_time)
            batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            self._at_work += bool(batch)
            return batch

    def _is_time(self) -> bool:
        count = len(self._waiting)
        alone = not (self._at_work and self._expected)
        return self._closed or count >= self._worth or (count > 0 and alone)
