"""How many requests there may be at one collection, and how long its searches wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from image_similarity_search.errors import StoreUnavailableError
from image_similarity_search.service.kinds import KINDS, Kind
from image_similarity_search.service.problems import Refusal

SEARCH_SECONDS = 60.0
"""That a search may take, its turn with it."""

_SUSPECT_SECONDS = 5.0  # after which a search says that the engine does not answer
_TOLD_SECONDS = 60.0  # for which one that failed does, unless another is answered

_BUSY = Kind(503, "busy", "Service busy", 1)
_NO_STORE = KINDS[StoreUnavailableError]


class Turns:
    """Those of one collection: what hangs there takes no place of another's."""

    def __init__(self, most: int, *, has_engine: bool) -> None:
        """``most`` requests may be at work or wait."""
        self._most = most
        self.has_engine = has_engine
        self._waiting = 0
        self._since: dict[object, float] = {}  # of the searches, in the order in which they came
        self._failed_at = float("-inf")

    @property
    def is_engine_away(self) -> bool:
        """Whether searches found so of late, as far as there is an engine."""
        now, first = time.monotonic(), next(iter(self._since.values()), float("inf"))
        waits = now - first > _SUSPECT_SECONDS
        return self.has_engine and (waits or now - self._failed_at < _TOLD_SECONDS)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place to wait and to be at work.

        Raises:
            Refusal: there is none.
        """
        if self._waiting >= self._most:
            raise Refusal(_BUSY, "too many requests of this collection are waiting")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    @asynccontextmanager
    async def search(self) -> AsyncIterator[None]:
        """Search, or wait for that, for as long as one may.

        Raises:
            Refusal: that is over.
        """
        search = object()
        self._since[search] = time.monotonic()
        try:
            async with asyncio.timeout(SEARCH_SECONDS):
                yield
            self._failed_at = float("-inf")
        except StoreUnavailableError:
            self._failed_at = time.monotonic()
            raise
        except TimeoutError:
            self._failed_at = time.monotonic()
            kind = _NO_STORE if self.has_engine else _BUSY
            raise Refusal(kind, f"a search took more than {SEARCH_SECONDS:g} s") from None
        finally:
            del self._since[search]
