"""Traits of images that were indexed without: read from the heads of their files, by a sync.

Nothing is decoded or encoded, but objects are copied whole. So a collection of an older format
gets them, and one that was imported or repaired. Colours are told from the thumbnails that are
kept.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import closing, suppress
from dataclasses import replace
from io import BytesIO
from itertools import islice

from image_similarity_search.addresses import is_address
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.looking import answered
from image_similarity_search.collection.messages import unpacked_traits
from image_similarity_search.collection.thumbnails import KeptThumbnail
from image_similarity_search.types import (
    DEFAULT_TIME_LIMIT,
    ImageRecord,
    Progress,
    ProgressCallback,
    Traits,
    storable_time,
)
from image_similarity_search.workers.worker import Answer

_WORK = "image_similarity_search.collection.exif_reader:answer"
_AT_ONCE = 64  # images that one transaction keeps


def fill_traits(
    catalog: Catalog,
    folder_ids: Iterable[int],
    thumbnail: KeptThumbnail,
    progress: ProgressCallback,
) -> None:
    """Read the traits that are lacking of images in these folders.

    The caller holds the writer lock. A file that is gone or was changed since is left to the
    sync that will see it; which objects are as they were, this one has seen.

    Raises:
        SourceUnavailableError: the object storage can't be read any more; what was read is kept.
        WorkerUnavailableError: no process can be started.
    """
    if not catalog.traits.are_lacking():
        return
    lacking = catalog.traits.lacking_in(folder_ids)
    if not lacking:
        return
    progress(Progress("reading EXIF", 0, len(lacking)))
    count = 0
    with closing(_read(catalog, lacking)) as found:
        while part := list(islice(found, _AT_ONCE)):
            _keep(catalog, part, thumbnail)
            count += len(part)
            progress(Progress("reading EXIF", count, len(lacking)))


def _keep(
    catalog: Catalog, part: list[tuple[ImageRecord, Traits]], thumbnail: KeptThumbnail
) -> None:
    with catalog.transaction():
        there = catalog.records(record.id for record, _ in part)
        for record, traits in part:
            if there.get(record.id) == record:  # else another computer changed or removed it
                colours = _colours(thumbnail(record))
                catalog.changes.put_traits(record.id, replace(traits, colours=colours))


def _read(catalog: Catalog, ids: Iterable[int]) -> Generator[tuple[ImageRecord, Traits]]:
    """What the files say of images that are as they were indexed."""
    records = (record for id_ in ids if (record := catalog.record(id_)))
    wanted = (one for one in records if is_address(one.path) or _is_as_indexed(one))
    for record, answer in answered(_WORK, wanted, DEFAULT_TIME_LIMIT):
        if isinstance(answer, Answer):  # else it is gone, or can't be read: left to the next sync
            yield record, _told(answer)


def _told(answer: Answer) -> Traits:
    if answer.failure:  # it crashed the reader, or took too long: it says nothing
        return Traits()
    return unpacked_traits(answer.parts[-1])


def _is_as_indexed(record: ImageRecord) -> bool:
    with suppress(OSError, ValueError):
        status = os.stat(record.path)
        return (status.st_size, storable_time(status.st_mtime_ns)) == (record.size, record.mtime_ns)
    return False


def _colours(jpeg: bytes | None) -> tuple[str, ...]:
    if not jpeg:
        return ()
    from PIL import Image

    from image_similarity_search.images.colours import colours_of

    with Image.open(BytesIO(jpeg), formats=["JPEG"]) as image:
        return colours_of(image.convert("RGB"))
