"""Threads that nobody waits for at the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

_T = TypeVar("_T")


class Background:
    """Does work in turn; what is under way ends with the process at the latest.

    The standard library's executors are waited for when the interpreter exits.
    """

    def __init__(self, name: str, threads: int = 1) -> None:
        """``name`` is that of each of the threads, which begin at the first work."""
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._closed = False
        self._name = name
        self._count = threads
        self._threads: list[Thread] = []

    def submit(self, work: Callable[..., _T], *args: object) -> Future[_T]:
        """What ``work`` will give or raise; cancelled where it is not begun before ``close``.

        To be called by one thread.
        """
        future: Future[_T] = Future()
        if self._closed:
            future.cancel()
            return future

        def do() -> None:
            if self._closed:
                future.cancel()
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = work(*args)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        while len(self._threads) < self._count:
            thread = Thread(target=self._run, name=self._name, daemon=True)
            thread.start()
            self._threads.append(thread)
        self._work.put(do)
        return future

    def close(self, seconds: float = 0.0) -> None:
        """Begin nothing more, and wait so long, and no longer, for what is under way."""
        self._closed = True
        self._work.put(None)
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _run(self) -> None:
        while do := self._work.get():
            do()
        self._work.put(None)  # for the other threads
