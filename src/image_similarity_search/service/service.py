"""Everything that requests are answered with, in one process."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from types import FrameType
from typing import Annotated

from fastapi import Depends, FastAPI, Path, Request

from image_similarity_search.service.events import Streams
from image_similarity_search.service.jobs import Jobs
from image_similarity_search.service.keys import Keys
from image_similarity_search.service.kinds import Kind
from image_similarity_search.service.metrics import Metrics
from image_similarity_search.service.open_collections import OpenCollections
from image_similarity_search.service.problems import Refusal
from image_similarity_search.service.served import Served, WorkQueue
from image_similarity_search.service.settings import Settings
from image_similarity_search.service.wrong_keys import WrongKeyLimit

_READ_ONLY = Kind(403, "read-only", "The service is read-only")


class Service:
    """The collections, the threads that work on them, and the jobs."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings = settings
        self.metrics = metrics
        self.keys = Keys(settings.keys)
        self.wrong_keys = WrongKeyLimit()
        self.collections = OpenCollections(settings)
        self.work = WorkQueue(metrics)
        self.jobs = Jobs(settings.state_dir)
        self.streams = Streams(self.jobs, settings.limits.streams)

    @asynccontextmanager
    async def running(self, _: FastAPI) -> AsyncIterator[None]:
        """Open the collections; at the end wait for what is under way, and close them."""
        self.collections.open()
        with suppress(ValueError):  # not the main thread: whoever runs it there ends the streams
            _before_stop(self.stop)
        try:
            yield
        finally:
            self.stop()
            self.jobs.close()
            self.work.close()
            self.collections.close()

    def stop(self) -> None:
        """Take no more work; streams and jobs end."""
        self.collections.ready = False
        self.streams.stopping = True
        self.jobs.stopping = True

    def changing(self) -> None:
        """Refuse to change anything, where that was said.

        Raises:
            Refusal: it was.
        """
        if self.settings.read_only:
            raise Refusal(_READ_ONLY, "it was started with --read-only")


def _before_stop(act: Callable[[], None]) -> None:
    """Do something as soon as this process is told to end: the server waits for open streams."""
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)

        def stop(
            number: int,
            frame: FrameType | None,
            before: Callable[[int, FrameType | None], object] | int | None = before,
        ) -> None:
            act()
            if callable(before):
                before(number, frame)

        signal.signal(number, stop)


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceHere = Annotated[Service, Depends(_service)]


async def _served(
    service: ServiceHere,
    collection: Annotated[
        str, Path(description="The name of a collection.", examples=["index_data"])
    ],
) -> AsyncIterator[Served]:
    async with service.collections.one(collection) as served:
        yield served


ServedHere = Annotated[Served, Depends(_served)]


async def _changing(service: ServiceHere) -> None:
    service.changing()


Changing = Depends(_changing)
