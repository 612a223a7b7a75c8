"""Work that is cheaper for several at once: whoever is free takes all that waits."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

_T = TypeVar("_T")

_PATIENCE = 0.05  # seconds: what is expected may be a picture that takes for ever


class Batches(Generic[_T]):
    """Threads that call ``work`` with what waits, at most ``most`` of it at once.

    They leave less than ``worth`` items alone for a moment as long as ``busy`` more are expected,
    which is what keeps all processors busy: these items would be done no sooner for being done one
    by one. ``work`` must not raise: those who wait for an answer would not know.
    """

    def __init__(
        self,
        name: str,
        threads: int,
        most: int,
        work: Callable[[list[_T]], object],
        *,
        worth: int = 1,
        busy: int = 1,
    ) -> None:
        self._most = most
        self._worth = worth
        self._busy = busy
        self._work = work
        self._change = threading.Condition()
        self._waiting: deque[_T] = deque()  # these four are read and changed under it
        self._expected = 0
        self._since = 0.0  # when the first of those that wait came
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
            if not self._waiting:
                self._since = monotonic()
            self._waiting.append(item)
            self._tell()

    def give_up(self) -> None:
        """Know that an expected item will not come."""
        with self._change:
            self._expected -= 1
            self._tell()

    def close(self, seconds: float | None = None) -> None:
        """Have done what waits already, and wait for it, so long at most."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        for thread in self._threads:
            thread.join(seconds)

    def _attend(self) -> None:
        while batch := self._next():
            self._work(batch)

    def _tell(self) -> None:
        # to begin, or to look at the clock; woken each time, a thread would often find too few
        if self._is_time() or len(self._waiting) == 1:
            self._change.notify()

    def _next(self) -> list[_T]:
        """What to do next; nothing at the end."""
        with self._change:
            while not self._is_time():
                self._change.wait(_PATIENCE if self._waiting else None)
            batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            self._since = monotonic()
            return batch

    def _is_time(self) -> bool:
        count = len(self._waiting)
        if self._closed or count >= self._worth:
            return True
        is_patient = self._expected >= self._busy and monotonic() - self._since < _PATIENCE
        return count > 0 and not is_patient
