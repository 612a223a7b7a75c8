"""A collection that is open to be served."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import ParamSpec, TypeVar

from image_similarity_search.collection import Collection
from image_similarity_search.collection.orientations import UPRIGHT, Way
from image_similarity_search.errors import (
    CollectionUnavailableError,
    EncoderNotHereError,
    StoreUnavailableError,
)
from image_similarity_search.service.background import Background
from image_similarity_search.service.files import read_inside
from image_similarity_search.service.folder_status import FolderLooks
from image_similarity_search.service.kinds import KINDS, Kind
from image_similarity_search.service.metrics import Metrics
from image_similarity_search.service.problems import Refusal
from image_similarity_search.service.roots import Roots
from image_similarity_search.service.searches import Searches, Wanted
from image_similarity_search.service.settings import Settings
from image_similarity_search.service.threads import Threads
from image_similarity_search.service.turns import Turns
from image_similarity_search.types import FloatArray, ImageRecord, Region

_log = logging.getLogger(__name__)

_FETCHING = Kind(503, "text-loading", "The text model is being downloaded", 10)
_AWAY = "what it is kept on, or its engine, does not answer"
_TELL_SECONDS = 3.0  # that who asks what a collection is waits for it
_WORDS_SECONDS = 5.0  # that a request waits for what understands words
_WHOLE_FILES = 4  # of a collection, in memory to be decoded
_CHANGES = 8  # of a collection, at work or waiting
_CHANGE_SECONDS = 60.0  # that a change may take: it reads, decodes and writes pictures
_END_SECONDS = 5.0  # in which what is under way may end where nobody waits for it any more
_LOCK_SECONDS = 5.0  # that a change waits for another process

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Served:
    """One collection, the name it has here, and what embeds uploads and searches in it."""

    def __init__(self, name: str, folder: str, settings: Settings) -> None:
        self.name = name
        self.folder = folder
        self._folders = [os.path.realpath(folder) for folder in settings.folders]
        self.folder_looks = FolderLooks()
        # the drive of the pictures may hang those who read or write them, and nobody else
        limits = settings.limits
        seconds = limits.read_seconds
        self.originals = Threads("read", 4, most=limits.waiting, seconds=seconds, retry=1)
        self.changes = Threads("change", 1, most=_CHANGES, seconds=_CHANGE_SECONDS, retry=5)
        self.whole_files = asyncio.Semaphore(_WHOLE_FILES)  # around reading and decoding one
        with ExitStack() as begun:  # what ends again where the rest can't be had
            self.collection = begun.enter_context(Collection.open(folder, wait=_LOCK_SECONDS))
            self.uploads = begun.enter_context(
                self.collection.uploads(
                    max_pixels=limits.upload_pixels, seconds=limits.decode_seconds
                )
            )
            self.uploads.prepare()
            self._prepare_encoder()
            info = self.collection.info()  # loads the store, too, or tries an engine
            self.metric = info.metric
            self.is_shared = bool(info.catalog)
            self.turns = Turns(limits.waiting, has_engine="://" in info.store)
            # an engine or a database may hang these, and none of another collection
            self.work = Background("work", 4)
            self.about = Background("about")
            # at the first words their model is made, and perhaps fetched: nothing else waits for it
            self.words = Background("words")
            begun.callback(self.words.close)
            self.understood = False  # any yet
            self.searches = Searches(self.collection, name, self.metric)
            begun.pop_all()

    def _prepare_encoder(self) -> None:
        try:
            _ = self.collection.encoder  # made now, not while the first picture waits
        except EncoderNotHereError as error:
            _log.warning("%s: searching by new pictures is not possible: %s", self.folder, error)

    def kept_thumbnail(self, id_: int) -> bytes | None:
        """The small picture of an image, if one is kept; its file is not read."""
        return self.collection.thumbnail(id_, make=lambda _: ("", b"")) or None

    def thumbnail(self, id_: int, data: bytes) -> bytes:
        """A small picture of an image, made of its file's ``data`` where none is kept.

        Raises:
            ImageError: it can't be decoded.
        """

        def make(_: ImageRecord) -> tuple[str, bytes]:
            from image_similarity_search.images import decode

            return decode.content_hash(data), self.uploads.thumbnail(data)

        return self.collection.thumbnail(id_, make=make)

    def roots(self) -> Roots:
        """Its indexed folders, by name."""
        return Roots(self.collection.roots())

    def places(self) -> Roots:
        """The folders that pictures are handed out from."""
        return Roots([*self.collection.roots(), *self._folders])

    def file_of(self, id_: int) -> bytes:
        """The file of an image, whole.

        Raises:
            ImageNotFoundError: there is no such image, or its file is not in one of the places.
        """
        return read_inside(self.collection.get(id_).path, self.places())

    def close(self) -> None:
        """Close it; a model that is being fetched for words is not waited for."""
        self.words.close()
        self.originals.close()
        self.changes.close(_END_SECONDS)
        self.work.close(_END_SECONDS)
        self.about.close()
        self.uploads.close()
        self.searches.close(_END_SECONDS)
        self.collection.close()


class WorkQueue:
    """Where blocking work is done: a few threads, and a bounded number that wait for them.

    Each collection has its own.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._tellers = Background("tell", 2)  # who watches the service waits for no work
        self._metrics = metrics
        self._at_work = 0

    async def search(self, served: Served, wanted: Wanted) -> str:
        """The answer to a search, as JSON."""
        async with self._search(served):
            return await served.searches.find(wanted)

    async def search_with(
        self, served: Served, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run a search that is made alone."""
        async with self._search(served):
            return await self._done(served, partial(work, *args, **kwargs))

    async def search_by(
        self, served: Served, data: bytes, region: Region | None, wanted: Wanted
    ) -> str:
        """The same, by one uploaded picture alone, or by a part of it."""
        async with self._search(served):
            return await served.searches.find_by(served.uploads.embed(data, region), wanted)

    async def do(
        self, served: Served, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run what takes long, or reads what is kept of a collection."""
        with self._place(served):
            return await self._done(served, partial(work, *args, **kwargs))

    async def tell(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run what says how the service is: it takes a moment."""
        return await asyncio.wrap_future(self._tellers.submit(partial(work, *args, **kwargs)))

    async def tell_of(
        self, served: Served, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """The same of one collection.

        Raises:
            Refusal: what it is kept on, or its engine, does not answer.
        """
        telling = asyncio.wrap_future(served.about.submit(partial(work, *args, **kwargs)))
        try:
            return await asyncio.wait_for(telling, _TELL_SECONDS)
        except TimeoutError:
            kind = KINDS[
                StoreUnavailableError if served.turns.has_engine else CollectionUnavailableError
            ]
            raise Refusal(kind, _AWAY) from None

    async def read(
        self, served: Served, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run what reads files of images.

        Raises:
            Refusal: too many are being read, or they can't be read in time.
        """
        with self._counted():
            return await served.originals.do(work, *args, **kwargs)

    async def change(
        self, served: Served, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run what changes a collection, in its turn.

        Raises:
            Refusal: too many are waiting, its turn does not come, or it takes too long: then alone
                it is made all the same.
        """
        with self._counted():
            return await served.changes.do(work, *args, **kwargs)

    async def embedded(
        self,
        served: Served,
        data: bytes,
        region: Region | None,
        ways: Sequence[Way] = UPRIGHT,
    ) -> FloatArray:
        """The embeddings ``(ways, dim)`` of an uploaded picture, or of a part of it."""
        with self._place(served):
            return await asyncio.wrap_future(served.uploads.embed(data, region, ways))

    async def words(self, served: Served, text: str) -> FloatArray:
        """The embedding ``(1, dim)`` of words.

        Raises:
            Refusal: what understands them is still being fetched.
            EncoderUnavailableError: it can't be had.
        """
        with self._place(served):
            work = asyncio.wrap_future(served.words.submit(served.collection.embed_texts, [text]))
            limit = None if served.understood else _WORDS_SECONDS
            try:
                rows = await asyncio.wait_for(asyncio.shield(work), limit)
                served.understood = True
                return rows
            except TimeoutError:
                detail = "the first download takes minutes; other requests work"
                raise Refusal(_FETCHING, detail) from None
            finally:
                work.cancel()  # where it has not begun

    async def _done(self, served: Served, work: Callable[[], _T]) -> _T:
        return await asyncio.wrap_future(served.work.submit(work))

    @asynccontextmanager
    async def _search(self, served: Served) -> AsyncIterator[None]:
        with self._place(served):
            async with served.turns.search():
                yield

    @contextmanager
    def _place(self, served: Served) -> Iterator[None]:
        with served.turns.place(), self._counted():
            yield

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._at_work += 1
        self._metrics.waiting(self._at_work)
        try:
            yield
        finally:
            self._at_work -= 1
            self._metrics.waiting(self._at_work)

    def close(self) -> None:
        """Wait a moment for what is under way."""
        self._tellers.close(_END_SECONDS)
