"""From what a caller names images by, paths and ids, to what the catalog knows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from image_similarity_search.addresses import is_address
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.etags import KEY as ETAG
from image_similarity_search.catalog.places import canonical
from image_similarity_search.catalog.values import FileStat, is_displaced
from image_similarity_search.collection import originals
from image_similarity_search.collection.pipeline import Job
from image_similarity_search.collection.queries import checked_source, is_id
from image_similarity_search.errors import ImageNotFoundError, ImageUnreadableError
from image_similarity_search.types import ImageRecord

ImageName: TypeAlias = "int | str | os.PathLike[str]"
"""An image by its id or path, or the images of a folder."""


def path_of(catalog: Catalog, path: object) -> str:
    """The path under which the catalog knows a file, or would."""
    text = checked_source(path)
    if is_address(text):
        return text
    as_given = os.path.abspath(text)
    # one that was found in a linked folder is known by the link
    return as_given if catalog.record_at(as_given) else canonical(text)


def record_of(catalog: Catalog, image: int | str | os.PathLike[str]) -> ImageRecord:
    """The record of the image of this id or path.

    Raises:
        ImageNotFoundError: there is none, or it has no place until the next sync.
    """
    if is_id(image):
        record = required(catalog.record(int(image)), f"id {image}")
        if is_displaced(record.path):
            reason = "its file was moved during an interrupted 'iss index': run that again"
            raise ImageNotFoundError(f"id {image}", reason)
        return record
    path = path_of(catalog, image)
    return required(catalog.record_at(path), path)


def job_for(catalog: Catalog, path: str) -> Job | None:
    """What is to be done to add the file ``path``; None when it is known and unchanged."""
    stat = originals.stat(path)
    known = catalog.record_at(path)
    if known and known.state == "indexed" and stat_of(known).agrees_with(stat):
        return None
    return Job(path, catalog.places.require_place(path), stat, known.id if known else None)


def stat_of(record: ImageRecord) -> FileStat:
    """What was seen of the file of an image."""
    return FileStat(record.size, record.mtime_ns, record.metadata.get(ETAG, ""))


def ids_of(catalog: Catalog, image: int | str | os.PathLike[str]) -> Sequence[int]:
    """The ids of an image, given by id or path, or of all images in a folder.

    Raises:
        ImageNotFoundError: there are none.
    """
    if is_id(image):
        return [record_of(catalog, int(image)).id]
    path = path_of(catalog, image)
    record = catalog.record_at(path)
    # a folder is known by its real path, also where a link leads to it
    folder = path if is_address(path) else os.path.realpath(path)
    ids = [record.id] if record else catalog.ids_below(folder)
    if not ids:
        raise ImageNotFoundError(image, "not in this collection; nothing was changed")
    return ids


def ids_of_each(catalog: Catalog, images: Iterable[ImageName]) -> dict[ImageName, Sequence[int]]:
    """As ``ids_of``, of several; those that are given by id are asked for together."""
    names = list(images)
    there = catalog.in_place_among(int(image) for image in names if is_id(image))
    return {
        image: [int(image)] if is_id(image) and int(image) in there else ids_of(catalog, image)
        for image in names
    }


def refuse_bad(catalog: Catalog, named: Mapping[ImageName, Sequence[int]]) -> None:
    """Refuse a bad file among images that are named, with their ids; not those of folders.

    Raises:
        ImageUnreadableError: there is one.
    """
    bad = catalog.skipped_among({ids[0] for ids in named.values() if len(ids) == 1})
    for image, ids in named.items():
        record = catalog.record(ids[0]) if len(ids) == 1 and ids[0] in bad else None
        if record is None:
            continue
        if is_id(image) or path_of(catalog, image) == record.path:
            reason = f"a skipped file ({record.reason}), which can't have tags; nothing was changed"
            raise ImageUnreadableError(record.path, reason)


def required(record: ImageRecord | None, name: str) -> ImageRecord:
    """The record, which must be there.

    Raises:
        ImageNotFoundError: it is not.
    """
    if record is None:
        raise ImageNotFoundError(name, "no such image in this collection")
    return record
