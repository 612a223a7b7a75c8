"""Traits of images that were indexed without: read from the heads of their files, by a sync.

Nothing is decoded or encoded. So a collection of an older format gets them, and one that was
imported or repaired. Colours are told from the thumbnails that are kept.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from itertools import islice

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.messages import unpacked_traits
from image_similarity_search.collection.pipeline import MEMORY_LIMIT
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
_AT_ONCE = 256  # images that one transaction keeps

Kept = Callable[[ImageRecord], bytes | None]
"""The kept thumbnail of an image, if there is one."""


def fill_traits(
    catalog: Catalog, folder_ids: Iterable[int], thumbnail: Kept, progress: ProgressCallback
) -> int:
    """Read the traits that are lacking of images in these folders; how many these were.

    The caller holds the writer lock. A file that is gone or was changed since is left to the
    sync that will see it.

    Raises:
        WorkerUnavailableError: no process can be started.
    """
    if not catalog.traits.are_lacking():
        return 0
    lacking = catalog.traits.lacking_in(folder_ids)
    count = 0
    if lacking:
        progress(Progress("reading EXIF", 0, len(lacking)))
    found = _read(catalog, lacking) if lacking else iter(())
    while part := list(islice(found, _AT_ONCE)):
        with catalog.transaction():
            there = catalog.records(record.id for record, _ in part)
            for record, traits in part:
                if there.get(record.id) != record:
                    continue  # another computer changed or removed it meanwhile
                colours = _colours(thumbnail(record))
                catalog.traits.put(record.id, replace(traits, colours=colours))
        count += len(part)
        progress(Progress("reading EXIF", count, len(lacking)))
    return count


def _read(catalog: Catalog, ids: Iterable[int]) -> Iterator[tuple[ImageRecord, Traits]]:
    pool = Pool(_WORK, available_processors(), MEMORY_LIMIT)
    ahead: deque[tuple[ImageRecord, Future[Answer]]] = deque()
    try:
        for id_ in ids:
            record = catalog.record(id_)
            if record is None or not _is_as_indexed(record):
                continue
            asked = pool.submit(os.fsencode(record.path), DEFAULT_TIME_LIMIT)
            ahead.append((record, asked))
            if len(ahead) >= _AHEAD:
                yield _told(*ahead.popleft())
        while ahead:
            yield _told(*ahead.popleft())
    finally:
        pool.close()


def _told(record: ImageRecord, asked: Future[Answer]) -> tuple[ImageRecord, Traits]:
    answer = asked.result()
    if answer.failure:  # it crashed the reader, or took too long: it says nothing
        return record, Traits()
    return record, unpacked_traits(answer.parts[-1])


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
