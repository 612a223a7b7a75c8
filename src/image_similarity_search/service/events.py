"""A job as a stream of server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from image_similarity_search.service.jobs import Jobs
from image_similarity_search.service.kinds import Kind
from image_similarity_search.service.problems import Refusal
from image_similarity_search.service.schemas import Job

_LOOK_SECONDS = 0.25
_COMMENT_SECONDS = 15.0  # so that nothing between takes the stream for dead
_BUSY = Kind(503, "busy", "Service busy", 5)


class Streams:
    """All open streams of one process."""

    def __init__(self, jobs: Jobs, most: int) -> None:
        self._jobs = jobs
        self._most = most
        self._open = 0
        self.stopping = False

    def check(self) -> None:
        """Refuse another stream where there are too many.

        Raises:
            Refusal: there are.
        """
        if self._open >= self._most:
            raise Refusal(_BUSY, "too many open streams")

    async def of(self, id_: str) -> AsyncIterator[str]:
        """The events of a job, until it ends or the service stops."""
        self._open += 1
        try:
            before, silent = "", 0.0
            while not self.stopping:
                try:
                    job = self._jobs.get(id_)
                except Refusal:
                    return  # so long ago that it is forgotten
                text = job.model_dump_json()
                if job.state != "running":
                    yield _event("end", job)
                    return
                if text != before:
                    yield _event("progress", job)
                    before, silent = text, 0.0
                elif silent >= _COMMENT_SECONDS:
                    yield ": still here\n\n"
                    silent = 0.0
                await asyncio.sleep(_LOOK_SECONDS)
                silent += _LOOK_SECONDS
        finally:
            self._open -= 1


def _event(name: str, job: Job) -> str:
    return f"event: {name}\ndata: {job.model_dump_json()}\n\n"
