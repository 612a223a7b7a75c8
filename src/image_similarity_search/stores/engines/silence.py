"""Whether an engine answers at all: who asks one that did not, a moment ago, waits no more."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable

SPARED_SECONDS = 5.0
"""For which an engine that did not answer is not asked again,"""

TRY_SECONDS = 5.0
"""and in which it must answer the one who tries it then; what fails later was not answered."""


class Silence:
    """That of one engine, as all threads know it that ask it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_silent = False
        self._next_try = 0.0

    def begin(self) -> None:
        """It has let somebody wait, for nothing."""
        self._is_silent = True
        self._next_try = time.monotonic() + SPARED_SECONDS

    def lasts(self, attempt: Callable[[], object]) -> bool:
        """Whether it is not to be asked; one caller at a time finds that out by ``attempt``."""
        if not self._is_silent:
            return False
        with self._lock:
            now = time.monotonic()
            if now < self._next_try:
                return True
            self._next_try = now + TRY_SECONDS + SPARED_SECONDS
        started = time.monotonic()
        try:
            attempt()
        except Exception:  # an answer, if it came in time
            if is_late(started):
                self.begin()
                return True
        self._is_silent = False
        return False


@functools.cache
def silence_of(server: str) -> Silence:
    """That of the engine at an address, in this process."""
    return Silence()


def is_late(started: float) -> bool:
    """Whether what began then, and failed now, failed for want of an answer."""
    return time.monotonic() - started >= 0.9 * TRY_SECONDS  # clocks differ a little
