"""Traits of images that were indexed without: read from the heads of their files, by a sync.

Nothing is decoded or encoded, but objects are copied whole. So a collection of an older format
gets them, and one that was imported or repaired. Colours are told from the thumbnails that are
kept.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import replace
from io import BytesIO
from itertools import islice

from image_similarity_search.addresses import is_address
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.places import Place
from image_similarity_search.collection.copies import Copies
from image_similarity_search.collection.lookup import stat_of
from image_similarity_search.collection.messages import unpacked_traits
from image_similarity_search.collection.pipeline import MEMORY_LIMIT, WAITING_BYTES, Job
from image_similarity_search.processors import available_processors
from image_similarity_search.types import (
    DEFAULT_TIME_LIMIT,
    ImageRecord,
    Progress,
    ProgressCallback,
    Traits,
)
from image_similarity_search.workers.pool import Pool
from image_similarity_search.workers.worker import Answer

_WORK = "image_similarity_search.collection.exif_reader:answer"
_AHEAD = 64  # files asked for before the first of them has answered
_AT_ONCE = 64  # images that one transaction keeps

Kept = Callable[[ImageRecord], bytes | None]
"""The kept thumbnail of an image, if there is one."""


def fill_traits(
    catalog: Catalog, folder_ids: Iterable[int], thumbnail: Kept, progress: ProgressCallback
) -> int:
    """Read the traits that are lacking of images in these folders; how many these were.

    The caller holds the writer lock. A file that is gone or was changed since is left to the
    sync that will see it; which objects are as they were, this one has seen.

    Raises:
        SourceUnavailableError: the object storage can't be read any more; what was read is kept.
        WorkerUnavailableError: no process can be started.
    """
    if not catalog.traits.are_lacking():
        return 0
    lacking = catalog.traits.lacking_in(folder_ids)
    if not lacking:
        return 0
    progress(Progress("reading EXIF", 0, len(lacking)))
    count, found = 0, _read(catalog, lacking)
    try:
        while part := list(islice(found, _AT_ONCE)):
            _keep(catalog, part, thumbnail)
            count += len(part)
            progress(Progress("reading EXIF", count, len(lacking)))
    finally:
        found.close()
    return count


def _keep(catalog: Catalog, part: list[tuple[ImageRecord, Traits]], thumbnail: Kept) -> None:
    with catalog.transaction():
        there = catalog.records(record.id for record, _ in part)
        for record, traits in part:
            if there.get(record.id) == record:  # else another computer changed or removed it
                colours = _colours(thumbnail(record))
                catalog.traits.put(record.id, replace(traits, colours=colours))


def _read(catalog: Catalog, ids: Iterable[int]) -> Generator[tuple[ImageRecord, Traits]]:
    records: deque[ImageRecord] = deque()  # of the jobs, in their order
    ahead: deque[tuple[ImageRecord, Job, Future[Answer]]] = deque()
    waiting = 0  # bytes of copies
    with (
        closing(Pool(_WORK, available_processors(), MEMORY_LIMIT)) as pool,
        closing(Copies(DEFAULT_TIME_LIMIT)) as copies,
    ):

        def told() -> tuple[ImageRecord, Traits]:
            record, job, asked = ahead.popleft()
            traits = _told(asked.result())
            copies.drop(job)
            return record, traits

        for job in copies.of(_jobs(catalog, ids, records)):
            record = records.popleft()
            if not isinstance(job, Job):
                continue  # it is gone, or can't be read: the next sync tries again
            asked = pool.submit(os.fsencode(job.copy or job.path), DEFAULT_TIME_LIMIT)
            ahead.append((record, job, asked))
            waiting += job.copied_bytes
            while len(ahead) >= _AHEAD or waiting > WAITING_BYTES:
                waiting -= ahead[0][1].copied_bytes
                yield told()
        while ahead:
            yield told()


def _jobs(catalog: Catalog, ids: Iterable[int], records: deque[ImageRecord]) -> Iterator[Job]:
    """The files and objects of images, each of which is put into ``records``."""
    for id_ in ids:
        record = catalog.record(id_)
        if record and (is_address(record.path) or _is_as_indexed(record)):
            records.append(record)
            place = Place(0, os.path.basename(record.path))
            yield Job(record.path, place, stat_of(record), id_)


def _told(answer: Answer) -> Traits:
    if answer.failure:  # it crashed the reader, or took too long: it says nothing
        return Traits()
    return unpacked_traits(answer.parts[-1])


def _is_as_indexed(record: ImageRecord) -> bool:
    with suppress(OSError, ValueError):
        status = os.stat(record.path)
        return (status.st_size, status.st_mtime_ns) == (record.size, record.mtime_ns)
    return False


def _colours(jpeg: bytes | None) -> tuple[str, ...]:
    if not jpeg:
        return ()
    from PIL import Image

    from image_similarity_search.images.colours import colours_of

    with Image.open(BytesIO(jpeg), formats=["JPEG"]) as image:
        return colours_of(image.convert("RGB"))
