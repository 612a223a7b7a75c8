"""Threads for one kind of work: a bounded number of requests waits for them, for a bounded time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, ParamSpec, TypeVar

from image_similarity_search.errors import SourceUnavailableError
from image_similarity_search.service.background import Background
from image_similarity_search.service.kinds import KINDS, Kind
from image_similarity_search.service.problems import Refusal

_log = logging.getLogger(__name__)

_AWAY = KINDS[SourceUnavailableError]
_NO_ANSWER = "the drive or object storage of these pictures does not answer"

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Threads:
    """Has ``count`` threads, for which at most ``most`` requests wait, each ``seconds`` long.

    A drive may hang a thread for as long as it likes. Where all are hung so, nobody waits.
    """

    def __init__(self, name: str, count: int, *, most: int, seconds: float, retry: int) -> None:
        """``name`` says what they do; after ``retry`` seconds one too many may come again."""
        self._name = name
        self._count = count
        self._most = most
        self._seconds = seconds
        self._busy = Kind(503, "busy", "Service busy", retry)
        self._threads = Background(name, count)
        self._since: dict[object, float] = {}  # of what is under way, when it began
        self._waiting = 0

    async def do(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """What ``work`` gives or raises; it is not begun where nobody waits for it any more.

        Raises:
            Refusal: too many wait, its turn did not come in time, or it was not done in time. What
                is under way goes on.
        """
        if self._waiting >= self._most:
            raise Refusal(self._busy, f"too many requests to {self._name} are waiting")
        return await self.go_on(work, *args, **kwargs)

    async def go_on(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """The same for who was let in before, however many wait."""
        if self._are_hung(self._seconds):
            raise Refusal(_AWAY, _NO_ANSWER)
        begun = object()

        def timed() -> _T:
            self._since[begun] = time.monotonic()
            try:
                return work(*args, **kwargs)
            finally:
                del self._since[begun]

        coming = self._threads.submit(timed)
        answer = asyncio.wrap_future(coming)
        self._waiting += 1
        try:
            await asyncio.wait([answer], timeout=self._seconds)
            if not answer.done() and coming.cancel() and not self._are_hung(self._seconds / 2):
                detail = f"timed out waiting to {self._name}; nothing was done"
                raise Refusal(self._busy, detail)
            if since := self._since.get(begun):  # what began late has as long
                left = since + self._seconds - time.monotonic()
                await asyncio.wait([answer], timeout=max(0, left))
            if answer.done() and not answer.cancelled():
                return answer.result()
        except asyncio.CancelledError:
            self._drop(coming)
            raise
        finally:
            self._waiting -= 1
            answer.cancel()
        self._drop(coming)
        _log.warning("a request to %s waited for %g s: %s", self._name, self._seconds, _NO_ANSWER)
        raise Refusal(_AWAY, _NO_ANSWER)

    def later(self, work: Callable[[], object]) -> None:
        """Have something done when there is a thread for it; nobody waits for that."""
        self._threads.submit(work)

    def close(self, seconds: float = 0.0) -> None:
        """Begin nothing more, and wait so long, and no longer, for what is under way."""
        self._threads.close(seconds)

    def _drop(self, coming: Future[Any]) -> None:
        """Not begin what nobody waits for, or close what it gives, by a thread that may hang."""
        if coming.done():
            self.later(partial(_let_go, coming))
        elif not coming.cancel():
            coming.add_done_callback(_let_go)

    def _are_hung(self, seconds: float) -> bool:
        """Whether all have been at one thing for longer than this."""
        since, now = list(self._since.values()), time.monotonic()
        return len(since) == self._count and all(now - then > seconds for then in since)


def _let_go(late: Future[Any]) -> None:
    """Close what nobody waits for any more, such as a file."""
    if not late.cancelled() and late.exception() is None and hasattr(late.result(), "close"):
        late.result().close()
