"""Objects on their way to the decoders: copied to this machine, some ahead of who needs them."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace

from image_similarity_search.addresses import is_address
from image_similarity_search.collection.originals import check_size, problem_of_copy, reading
from image_similarity_search.collection.pipeline import Bad, Gone, Job, Load, Loaded
from image_similarity_search.errors import (
    CollectionError,
    ImageError,
    ImageNotFoundError,
    SourceUnavailableError,
)

AHEAD = 32
"""Objects that are being copied, or wait for a decoder, at once,"""

AHEAD_BYTES = 256 << 20
"""and how many bytes they have together; one that is larger is alone."""


def with_copies(load: Load, time_limit: float) -> Load:
    """``load`` for files and objects: it gets a copy of each object, which is removed after.

    They are given up when none of them grew for ``time_limit`` seconds. One that can't be copied
    is bad, as a file is; but SourceUnavailableError ends it all where the object storage does not
    answer any more.
    """

    def loaded(jobs: Iterable[Job | Bad | Gone]) -> Generator[Loaded | Bad | Gone]:
        with closing(Copies(time_limit)) as copies, closing(load(copies.of(jobs))) as running:
            for item in running:
                copies.drop(item.job)
                yield item

    return loaded


@dataclass(frozen=True, slots=True)
class _Coming:
    """A job, and where it is of an object: the copy that is under way."""

    job: Job | Bad | Gone
    copied: Future[None] | None = None

    @property
    def size(self) -> int:
        return self.job.stat.size if isinstance(self.job, Job) and self.copied else 0


class Copies:
    """Objects that are being copied into one folder, as long as some grow within ``time_limit``."""

    def __init__(self, time_limit: float) -> None:
        self._time_limit = time_limit
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._coming: deque[_Coming] = deque()
        self._reading = ExitStack()
        self._count = 0

    def of(self, jobs: Iterable[Job | Bad | Gone]) -> Iterator[Job | Bad | Gone]:
        """The jobs in their order; of an object with its copy, or why there is none."""
        for job in jobs:
            if not isinstance(job, Job) or not is_address(job.path):
                coming = _Coming(job)
            else:
                while self._coming and self._is_full_for(job.stat.size):
                    yield self._next()
                coming = self._begun(job)
            self._coming.append(coming)
            while self._coming and not self._coming[0].copied:
                yield self._next()
        while self._coming:
            yield self._next()

    def drop(self, job: Job) -> None:
        """Remove the copy of an object, if there is one."""
        if job.copy:
            with suppress(FileNotFoundError):
                os.remove(job.copy)

    def close(self) -> None:
        """Stop all that is under way."""
        for coming in self._coming:
            if coming.copied:
                coming.copied.cancel()
        self._reading.close()
        if self._folder:
            self._folder.cleanup()

    def _is_full_for(self, size: int) -> bool:
        coming = sum(one.size for one in self._coming)
        return len(self._coming) >= AHEAD or coming + size > AHEAD_BYTES

    def _begun(self, job: Job) -> _Coming:
        from image_similarity_search.objects import storage

        try:
            check_size(job.path, job.stat.size)
        except ImageError as error:
            return _Coming(Bad(job, None, error.reason))
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="iss-", ignore_cleanup_errors=True)
            self._reading.enter_context(reading())
        self._count += 1
        job = replace(job, copy=os.path.join(self._folder.name, str(self._count)))
        return _Coming(job, storage.fetch(job.path, job.copy, self._time_limit))

    def _next(self) -> Job | Bad | Gone:
        coming = self._coming.popleft()
        job = coming.job
        if not coming.copied or not isinstance(job, Job):
            return job
        try:
            coming.copied.result()
        except Exception as error:
            return self._without_copy(job, error)
        return job

    def _without_copy(self, job: Job, error: Exception) -> Bad | Gone:
        problem = problem_of_copy(job.path, error, self._time_limit)
        if isinstance(problem, ImageNotFoundError):
            return Gone(job)
        if isinstance(problem, CollectionError | SourceUnavailableError):
            raise problem
        return Bad(job, None, problem.reason)
