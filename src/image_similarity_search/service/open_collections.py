"""All collections of a service, each opened when it is there, and anew where it was gone."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from image_similarity_search.collection import Collection
from image_similarity_search.errors import (
    CollectionNotFoundError,
    CollectionUnavailableError,
    ImageSearchError,
)
from image_similarity_search.service.background import Background
from image_similarity_search.service.kinds import KINDS, Kind, kind_of
from image_similarity_search.service.problems import Refusal
from image_similarity_search.service.served import Served
from image_similarity_search.service.settings import Settings

_log = logging.getLogger(__name__)

OPEN_SECONDS = 5.0
"""In which a collection can be opened whose disk, or database, answers; without its store."""

_LOOK_SECONDS = 2.0  # in which that says whether it is there
_GONE, _NO_CATALOG = KINDS[CollectionNotFoundError], KINDS[CollectionUnavailableError]
_OPENING = Kind(503, "collection-opening", "The collection is being opened", 5)
_UNTIL_OPEN = "opening it takes long, or its storage does not answer"
_UNTIL_ANSWERED = "its storage does not answer; it is used again when that does"

_T = TypeVar("_T")


class OpenCollections:
    """Collections by name, open from the start of a service to its end where they are there."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._places: dict[str, _Place] = {}
        self.ready = False

    def open(self) -> None:
        """Open them; one that is away, damaged, or does not answer, is used when it is open."""
        for name, folder in self._settings.collections:
            self._places[name] = _Place(name, folder, self._settings)
        self.ready = True

    def names(self) -> list[str]:
        """How they are called, in the order given."""
        return list(self._places)

    @asynccontextmanager
    async def all(self) -> AsyncIterator[tuple[dict[str, Served], dict[str, Kind]]]:
        """Those that can be used now, open to the end of the block, and what is wrong with others.

        By name, in the order given. None is waited for that takes long to open.
        """
        async with AsyncExitStack() as stack:
            found, wrong = {}, {}
            for name, place in self._places.items():
                try:
                    found[name] = await stack.enter_async_context(place.used(_LOOK_SECONDS))
                except Refusal as refusal:
                    wrong[name] = refusal.kind
                except ImageSearchError as error:
                    wrong[name] = kind_of(error)
            yield found, wrong

    @asynccontextmanager
    async def one(self, name: str) -> AsyncIterator[Served]:
        """The collection of this name, open to the end of the block.

        Raises:
            Refusal: there is none, or it is gone.
            CollectionUnavailableError: its database can't be reached.
            ImageSearchError: another one is there now, which can't be opened.
        """
        if name not in self._places:
            kind = Kind(404, "collection-not-found", "Collection not found")
            raise Refusal(kind, "GET /v1/collections lists all collections")
        async with self._places[name].used() as served:
            yield served

    def close(self) -> None:
        """Close them."""
        self.ready = False
        for place in self._places.values():
            place.close()
        self._places.clear()


class _Place:
    """An index folder, and the collection that was in it when somebody looked last."""

    def __init__(self, name: str, folder: str, settings: Settings) -> None:
        self._name = name
        self._folder = folder
        self._settings = settings
        self._disk = Background("disk")  # one whose server is away may never answer
        self._look: Future[bool] | None = None
        self._coming: Future[Served] | None = None
        self._late = False  # the look, or what is coming
        self._away = _GONE  # what it is where that does not answer
        self._served: Served | None = None
        self._gone = True
        self._users: Counter[Served] = Counter()  # requests, of what was there before, too
        self._begin()

    @asynccontextmanager
    async def used(self, seconds: float = OPEN_SECONDS) -> AsyncIterator[Served]:
        """What is there now, what is open or else that anew: open to the end of the block.

        It is refused where opening it takes more than ``seconds``.
        """
        served = await self._still_open() or await self._open_anew(seconds)
        self._users[served] += 1
        try:
            yield served
        finally:
            self._users[served] -= 1
            if served is not self._served:
                await self._close_unused(served)

    def close(self) -> None:
        """Close it, what was there before, and what comes too late."""
        self._disk.close()
        if self._coming:
            self._coming.add_done_callback(_close_unwanted)
        for served in {self._served, *self._users}:
            if served is not None:
                served.close()

    def _begin(self) -> None:
        """Open it, however long that takes, unless what it is kept on does not answer."""
        try:
            self._disk.submit(_reach, self._folder).result(OPEN_SECONDS)
            self._served, self._gone = self._opened(), False
        except CollectionNotFoundError:
            _log.warning("%s does not exist: it will be opened when it appears", self._folder)
        except TimeoutError:
            self._coming = self._disk.submit(self._opened)
            self._note_late(_UNTIL_OPEN)
        except ImageSearchError as error:
            if isinstance(error, CollectionUnavailableError):
                self._away = _NO_CATALOG
            _log.warning("%s (it will be opened when possible)", error)

    async def _still_open(self) -> Served | None:
        # once it was gone it is opened anew, even if it looks the same: its disk may be another
        served = self._served
        if self._gone or served is None:
            return None
        if not await self._is_there(served) and served is self._served:
            self._gone = True
            _log.warning("%s was removed or replaced: reopening it", self._folder)
        return None if self._gone else self._served

    async def _is_there(self, served: Served) -> bool:
        """Whether this lies in its folder; one look for all who ask, and nothing else waits."""
        if self._look is None or self._look.done():
            self._look = self._disk.submit(served.collection.is_in_place)
            self._late = False
        refusal = Refusal(self._away, _UNTIL_ANSWERED)
        return await self._in_time(self._look, _LOOK_SECONDS, refusal)

    async def _in_time(self, work: Future[_T], seconds: float, refusal: Refusal) -> _T:
        """What this gives; who asks while it is late is refused at once."""
        if not self._late or work.done():
            answer = asyncio.wrap_future(work)
            answer.add_done_callback(lambda late: late.cancelled() or late.exception())
            await asyncio.wait([answer], timeout=seconds)
            if answer.done():
                return answer.result()
            self._note_late(refusal.detail)
        raise refusal

    def _note_late(self, why: str) -> None:
        if not self._late:
            self._late = True
            _log.warning("%s: %s", self._folder, why)

    async def _open_anew(self, seconds: float) -> Served:
        """What is there now, opened once for all who ask."""
        coming = self._coming
        if coming is None or (coming.done() and coming.exception()):
            coming = self._coming = self._disk.submit(self._opened)
            self._late = False
        late = _OPENING if self._away is _GONE else self._away
        try:
            opened = await self._in_time(coming, seconds, Refusal(late, _UNTIL_OPEN))
        except CollectionNotFoundError:
            detail = "its index folder is missing; it will be opened when that is back"
            raise Refusal(_GONE, detail) from None
        if coming is self._coming:  # nobody heard of it before
            before, self._served = self._served, opened
            self._coming, self._gone = None, False
            _log.warning("%s is open", self._folder)
            if before is not None:
                await self._close_unused(before)
        return opened

    async def _close_unused(self, served: Served) -> None:
        """Close what was there before, once the requests that began with it have ended."""
        if not self._users[served]:
            del self._users[served]
            await asyncio.to_thread(served.close)

    def _opened(self) -> Served:
        try:
            served = Served(self._name, self._folder, self._settings)
        except CollectionUnavailableError:
            self._away = _NO_CATALOG
            raise
        self._away = _NO_CATALOG if served.is_shared else _GONE
        return served


def _reach(folder: str) -> None:
    Collection.open(folder).close()


def _close_unwanted(coming: Future[Served]) -> None:
    """Close what was opened too late for anybody to use it."""
    if not (coming.cancelled() or coming.exception()):
        coming.result().close()
