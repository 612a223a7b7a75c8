"""A thread that nobody waits for at the end."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

_T = TypeVar("_T")


class Background:
    """Does work in turn, in one thread; what is under way ends with the process at the latest.

    The standard library's executors are waited for when the interpreter exits.
    """

    def __init__(self, name: str) -> None:
        """``name`` is that of the thread."""
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._closed = False
        Thread(target=self._run, name=name, daemon=True).start()

    def submit(self, work: Callable[..., _T], *args: object) -> Future[_T]:
        """What ``work`` will give or raise; cancelled where it is not begun before ``close``."""
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

        self._work.put(do)
        return future

    def close(self) -> None:
        """Begin nothing more, and wait for nothing."""
        self._closed = True
        self._work.put(None)

    def _run(self) -> None:
        while do := self._work.get():
            do()
