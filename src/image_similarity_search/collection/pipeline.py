"""From files to pixels, in worker processes that run ahead of the encoder by a bounded distance."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np

from image_similarity_search.catalog.places import Place
from image_similarity_search.catalog.values import FileStat
from image_similarity_search.collection.messages import Content, View, from_part, request
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.processors import available_processors
from image_similarity_search.types import FloatArray, PixelArray, Traits
from image_similarity_search.workers.pool import Pool
from image_similarity_search.workers.worker import Answer, Failure

BATCH = 8
"""Pictures encoded, and kept, together."""

WAITING_BYTES = 256 << 20
"""How many bytes of copies of objects wait for a decoder, at most; one that is larger is alone."""

DECODER = "image_similarity_search.collection.decoder:answer"
"""What the workers run."""

_SIGKILL = 9  # Windows has no name for it

MEMORY_LIMIT = 5 * 1024**3
"""Bytes of memory of one worker.

Every picture within the pixel limit fits; the hungriest, JPEG 2000 with transparency, take 4.2 GB.
"""


@dataclass(frozen=True, slots=True)
class Job:
    """A file to index: its absolute path, its place in the catalog and what was seen of it.

    Of an object the path is its address, and ``copy`` a file with the same bytes.
    """

    path: str
    place: Place
    stat: FileStat
    known_id: int | None
    copy: str = ""

    @property
    def copied_bytes(self) -> int:
        """How large the copy is; 0 where there is none."""
        return self.stat.size if self.copy else 0


@dataclass(frozen=True, slots=True)
class Loaded:
    """A decoded file: ``pixels`` is what the encoder sees, width and height are the picture's.

    ``thumbnail`` is a JPEG, or empty where there is none. One that was encoded where it was decoded
    comes with its ``embedding`` ``(dim,)``, and no pixels.
    """

    job: Job
    content_hash: str
    width: int
    height: int
    pixels: PixelArray
    thumbnail: bytes = b""
    traits: Traits | None = None
    embedding: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Bad:
    """A file that is no usable picture. Without ``content_hash`` it couldn't even be read."""

    job: Job
    content_hash: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Gone:
    """A file that vanished after it was seen; the next sync will know what that means."""

    job: Job


Load: TypeAlias = Callable[[Iterable[Job | Bad | Gone]], Generator[Loaded | Bad | Gone]]
"""What reads and decodes files, in their order; those that are bad already stay so."""


class Decoders:
    """The worker processes that decode for one collection; they start when there is work.

    There are at most ``processes`` of them, by default one a processor. After a run of few files
    the one that served it stays for the next, until ``close``; if they are ``lasting``, all do.
    """

    def __init__(
        self,
        work: str = DECODER,
        memory: int = MEMORY_LIMIT,
        *,
        processes: int | None = None,
        lasting: bool = False,
    ) -> None:
        self._work = work
        self._memory = memory
        self._processes = processes
        self._lasting = lasting
        self._pool: Pool | None = None

    def prepare(self) -> None:
        """Start the first process ahead of the work."""
        self._open().prepare()

    def load_all(
        self,
        jobs: Iterable[Job | Bad | Gone],
        preprocessing: Preprocessing,
        time_limit: float,
        *,
        thumbnails: bool = False,
    ) -> Generator[Loaded | Bad | Gone]:
        """Load files, a process a processor, in order, a bounded number ahead of the caller.

        To read a file, and then to decode it, may take ``time_limit`` seconds each. With
        ``thumbnails`` one is made of each picture.

        Raises:
            WorkerUnavailableError: no process can be started.
        """
        pool, count = self._open(), 0
        most_ahead = BATCH * (1 + self._most())
        ahead: deque[tuple[int, Callable[[], Loaded | Bad | Gone]]] = deque()
        result: Callable[[], Loaded | Bad | Gone]
        waiting = 0  # bytes of copies
        try:
            for count, job in enumerate(jobs, 1):  # noqa: B007 - it is used below
                if isinstance(job, Job):
                    asked = request(job.copy or job.path, preprocessing, thumbnail=thumbnails)
                    future = pool.submit(asked, time_limit)
                    result = partial(self._result, job, future, preprocessing, time_limit)
                    ahead.append((job.copied_bytes, result))
                    waiting += job.copied_bytes
                else:
                    ahead.append((0, partial(_as_it_is, job)))
                while len(ahead) >= most_ahead or waiting > WAITING_BYTES:
                    size, result = ahead.popleft()
                    yield result()
                    waiting -= size
            while ahead:
                yield ahead.popleft()[1]()
        except BaseException:
            self.close()  # nobody waits for what is under way
            raise
        if count > BATCH and not self._lasting:
            self.close()

    def _open(self) -> Pool:
        if self._pool is None:
            self._pool = Pool(self._work, self._most(), self._memory)
        return self._pool

    def _most(self) -> int:
        return self._processes or available_processors()

    def close(self) -> None:
        """End the processes, whatever they do."""
        pool, self._pool = self._pool, None
        if pool:
            pool.close()

    def _result(
        self, job: Job, future: Future[Answer], preprocessing: Preprocessing, time_limit: float
    ) -> Loaded | Bad | Gone:
        answer = future.result()
        content_hash = None
        for message in map(from_part, answer.parts):
            if isinstance(message, Content):
                content_hash = message.content_hash
            elif isinstance(message, View):
                shape = (preprocessing.crop, preprocessing.crop, 3)
                pixels = np.frombuffer(message.pixels, dtype=np.uint8).reshape(shape)
                width, height = message.width, message.height
                thumbnail, traits = message.thumbnail, message.traits
                return Loaded(job, str(content_hash), width, height, pixels, thumbnail, traits)
            else:
                return Bad(job, content_hash, message.reason) if message.reason else Gone(job)
        assert answer.failure  # noqa: S101 - without one, an answer has a last part
        doing = "decoding" if content_hash else "reading"
        return Bad(job, content_hash, self._reason(answer.failure, doing, time_limit))

    def _reason(self, failure: Failure, doing: str, time_limit: float) -> str:
        if failure.kind == "late":
            return f"{doing} took more than {time_limit:g} s"
        if failure.kind == "memory":
            return f"{doing} takes more memory than {self._memory >> 20:,} MiB"
        if failure.status == -_SIGKILL:
            return "the decoder was killed (signal 9), probably out of memory"
        how = f"signal {-failure.status}" if failure.status < 0 else f"status {failure.status:#x}"
        return f"the decoder crashed ({how})"


def _as_it_is(item: Bad | Gone) -> Bad | Gone:
    return item
