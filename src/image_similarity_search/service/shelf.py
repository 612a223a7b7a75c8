"""All collections of a service, each opened anew where it was gone and is back."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from threading import Timer

from image_similarity_search.errors import CollectionNotFoundError, ImageSearchError
from image_similarity_search.service.kinds import Kind, kind_of
from image_similarity_search.service.problems import Refusal
from image_similarity_search.service.served import Served
from image_similarity_search.service.settings import Limits

_log = logging.getLogger(__name__)

_LAST_SECONDS = 30.0  # in which requests may end that began before their collection was replaced


class Shelf:
    """Collections by name, open from the start of a service to its end."""

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}
        self.ready = False

    def open(self, collections: tuple[tuple[str, str], ...], limits: Limits) -> None:
        """Open them."""
        try:
            for name, folder in collections:
                self._places[name] = _Place(name, folder, limits)
        except ImageSearchError:
            self.close()
            raise
        self.ready = True

    def names(self) -> list[str]:
        """How they are called, in the order given."""
        return list(self._places)

    async def all(self) -> dict[str, Served]:
        """Those that can be used now, by name, in the order given."""
        found = {}
        for name, place in self._places.items():
            with suppress(ImageSearchError, Refusal):
                found[name] = await place.served()
        return found

    async def get(self, name: str) -> Served:
        """The collection of this name.

        Raises:
            Refusal: there is none, or it is gone.
            ImageSearchError: another one is there now, which can't be opened.
        """
        if name not in self._places:
            kind = Kind(404, "collection-not-found", "There is no such collection")
            raise Refusal(kind, "GET /v1/collections lists those that there are")
        return await self._places[name].served()

    def close(self) -> None:
        """Close them."""
        self.ready = False
        for place in self._places.values():
            place.close()
        self._places.clear()


class _Place:
    """An index folder, and the collection that was in it when somebody looked last."""

    def __init__(self, name: str, folder: str, limits: Limits) -> None:
        self._name = name
        self._folder = folder
        self._limits = limits
        self._opening = asyncio.Lock()
        self._served = self._opened()
        self._gone = False
        self._before: list[tuple[Timer, Served]] = []

    async def served(self) -> Served:
        """What is there now: what is open, or else that anew."""
        if self._is_open():
            return self._served
        async with self._opening:
            if not self._is_open():
                await asyncio.to_thread(self._open_anew)
            return self._served

    def close(self) -> None:
        """Close it, and what was there before."""
        for timer, served in self._before:
            timer.cancel()
            served.close()
        self._served.close()

    def _is_open(self) -> bool:
        # once it was gone it is opened anew, even if it looks the same: its disk may be another
        if not self._gone and not self._served.collection.is_in_place():
            self._gone = True
            _log.warning("%s is gone, or another is there: it is opened anew", self._folder)
        return not self._gone

    def _open_anew(self) -> None:
        try:
            served, before = self._opened(), self._served
        except CollectionNotFoundError as error:
            raise Refusal(
                kind_of(error), "it is opened again when its index folder is back"
            ) from None
        self._served, self._gone = served, False
        _log.warning("%s is open again", self._folder)
        timer = Timer(_LAST_SECONDS, before.close)
        timer.daemon = True
        timer.start()
        self._before = [(one, closed) for one, closed in self._before if one.is_alive()]
        self._before.append((timer, before))

    def _opened(self) -> Served:
        return Served(self._name, self._folder, self._limits)
