"""Thumbnails of a collection's images: kept while indexing, made when they are missing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import TypeAlias

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.places import Place
from image_similarity_search.collection import originals
from image_similarity_search.collection.lookup import record_of, stat_of
from image_similarity_search.collection.pipeline import Job, Load, Loaded
from image_similarity_search.errors import ConfigError, ImageUnreadableError
from image_similarity_search.reports import ThumbnailReport
from image_similarity_search.thumbnails.thumbnail_file import ThumbnailFile
from image_similarity_search.types import ImageRecord, Progress, ProgressCallback

_KEPT_AT_ONCE = 64
_DECODED_SIDE = 128  # of which decoding gives no less than twice

Make: TypeAlias = Callable[[ImageRecord], tuple[str, bytes]]
"""What reads an image's file: gives its content hash, and its thumbnail."""

KeptThumbnail: TypeAlias = Callable[[ImageRecord], bytes | None]
"""The kept thumbnail of an image, if there is one."""


class Thumbnails:
    """The thumbnails of one collection. What can't be kept is made again when it is asked for."""

    def __init__(self, catalog: Catalog, folder: str) -> None:
        """Those beside ``catalog`` in ``folder``."""
        self._catalog = catalog
        self._file = ThumbnailFile(folder)
        self._closed = False

    def close(self) -> None:
        """Close their file."""
        self._closed = True
        self._file.close()

    @property
    def wanted(self) -> bool:
        """Whether the collection keeps them."""
        return self._catalog.switches.thumbnails

    def of(self, image: int | str | os.PathLike[str], make: Make | None) -> bytes:
        """The thumbnail of an image, as ``Collection.thumbnail`` gives it."""
        record = record_of(self._catalog, image)
        if record.state == "skipped":
            raise ImageUnreadableError(record.path, record.reason or "skipped")
        kept = self.kept(record)
        if kept:
            return kept
        content_hash, jpeg = (make or _made)(record)
        if record.content_hash == content_hash and self.wanted:
            self.keep({content_hash: jpeg})
        return jpeg

    def kept(self, record: ImageRecord) -> bytes | None:
        """The thumbnail of an image, if there is one."""
        return self._file.get(record.content_hash) if record.content_hash else None

    def look(self, record: ImageRecord) -> bytes:
        """The thumbnail of an image, also when the collection is closed; nothing is kept.

        Raises:
            ImageError: there is none, and its file can't be read.
        """
        kept = self.kept(record)
        if self._closed:  # nobody else would close it again
            self._file.close()
        return kept or _made(record)[1]

    def keep(self, thumbnails: Mapping[str, bytes]) -> None:
        """Keep thumbnails by the content hash of their files."""
        self._file.put(thumbnails)

    def drop(self, contents: Iterable[str]) -> None:
        """Forget those of ``contents`` that no image has any more."""
        self._file.discard(self._catalog.contents.not_among(contents))

    def contents_of(self, ids: Iterable[int]) -> set[str]:
        """The contents of images, for ``drop`` when they are gone; none where nothing is kept."""
        return self._catalog.contents.of(ids) if self._file.bytes_on_disk() else set()

    # Each of these by the one writer

    def prepare(self) -> None:
        """Have a file that can be written to, if that is possible."""
        self._file.delete_if_damaged()

    def switch(self, *, on: bool) -> None:
        """Keep them from now on, or delete them and keep none."""
        if self.wanted != on:
            with self._catalog.transaction():
                self._catalog.switches.set_thumbnails(on=on)
        if not on:
            self._file.delete()

    def prune(self) -> int:
        """Forget those that no image has any more, and give back the room; how many these were."""
        count = 0
        stale = _without(self._file.hashes(), iter(self._catalog.contents))
        while part := list(islice(stale, _KEPT_AT_ONCE)):
            self._file.discard(part)
            count += len(part)
        if count:
            self._file.shrink()
        return count

    def make_missing(
        self, load: Load, *, rebuild: bool, progress: ProgressCallback | None
    ) -> ThumbnailReport:
        """Make those that are missing, or all of them with ``rebuild``; prune the others.

        Raises:
            ConfigError: they are switched off.
        """
        if not self.wanted:
            remedy = "turn them on with 'iss thumbnails --on'"
            said = f"thumbnails are off in this collection: {remedy}"
            raise ConfigError("thumbnails", "off", f"on: {remedy}", said)
        started, report = time.perf_counter(), ThumbnailReport()
        if rebuild:
            self._file.delete()
        else:
            report.removed = self.prune()
        report.kept = sum(1 for _ in self._file.hashes())
        total = report.kept + sum(1 for _ in self._jobs())
        with closing(load(self._jobs())) as loaded:
            while part := list(islice(loaded, _KEPT_AT_ONCE)):
                made = {
                    item.content_hash: item.thumbnail
                    for item in part
                    if isinstance(item, Loaded) and item.thumbnail
                }
                for changed in self._catalog.contents.not_among(made):
                    del made[changed]  # the file was, since it was indexed
                self.keep(made)
                report.made += len(made)
                report.failed += len(part) - len(made)
                if progress:
                    done = report.kept + report.made + report.failed
                    progress(Progress("thumbnails", done, total))
        self._file.settle()
        report.bytes_on_disk = self._file.bytes_on_disk()
        report.seconds = time.perf_counter() - started
        return report

    def _jobs(self) -> Iterator[Job]:
        """One image of each content that has no thumbnail."""
        for content in _without(iter(self._catalog.contents), self._file.hashes()):
            for record in self._catalog.indexed_with_content(content, 1):
                place = Place(0, os.path.basename(record.path))
                yield Job(record.path, place, stat_of(record), record.id)


def _made(record: ImageRecord) -> tuple[str, bytes]:
    """Content hash and thumbnail of what is at the image's path now."""
    from image_similarity_search.images import decode
    from image_similarity_search.images.thumbnail import thumbnail_of

    data = originals.read(record.path)
    decoded = decode.decode(data, name=record.path, min_side=_DECODED_SIDE)
    return decode.content_hash(data), thumbnail_of(decoded.image)


def _without(some: Iterator[str], others: Iterator[str]) -> Iterator[str]:
    """What is in ``some`` and not in ``others``; both are in order."""
    other = next(others, None)
    for item in some:
        while other is not None and other < item:
            other = next(others, None)
        if item != other:
            yield item
