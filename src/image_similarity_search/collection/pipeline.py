"""From files to pixels, in threads that run ahead of the encoder by a bounded distance."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from image_similarity_search.catalog.places import Place
from image_similarity_search.catalog.values import FileStat
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.errors import ImageError, ImageNotFoundError
from image_similarity_search.images import decode
from image_similarity_search.processors import available_processors
from image_similarity_search.types import PixelArray

BATCH = 8
"""Pictures encoded, and kept, together."""


@dataclass(frozen=True, slots=True)
class Job:
    """A file to index: its absolute path, its place in the catalog and what was seen of it."""

    path: str
    place: Place
    stat: FileStat
    known_id: int | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A decoded file: ``pixels`` is what the encoder sees, width and height are the picture's."""

    job: Job
    content_hash: str
    width: int
    height: int
    pixels: PixelArray


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


def load(job: Job, preprocessing: Preprocessing) -> Loaded | Bad | Gone:
    """Read, hash and decode one file; never raises for what the file holds."""
    content_hash = None
    try:
        data = decode.read_file(job.path)
        content_hash = decode.content_hash(data)
        decoded = decode.decode(data, name=job.path, min_side=preprocessing.resize)
    except ImageNotFoundError:
        return Gone(job)
    except ImageError as error:
        return Bad(job, content_hash, error.reason)
    pixels = preprocessing.view(decoded.image)
    return Loaded(job, content_hash, decoded.width, decoded.height, pixels)


def load_all(jobs: Iterable[Job], preprocessing: Preprocessing) -> Generator[Loaded | Bad | Gone]:
    """Load files in a thread a processor, in order, a bounded number ahead of the caller."""
    ahead: deque[Future[Loaded | Bad | Gone]] = deque()
    processors = available_processors()
    depth = BATCH * (1 + processors)
    pool = ThreadPoolExecutor(processors, thread_name_prefix="decode")
    try:
        with warnings.catch_warnings():
            # what a codec thinks of a file is in the file's reason, not on the terminal
            warnings.filterwarnings("ignore", module=r"PIL\.")
            for job in jobs:
                ahead.append(pool.submit(load, job, preprocessing))
                if len(ahead) >= depth:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
