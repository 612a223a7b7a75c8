"""From pixels to the catalog: encoded in batches, each kept in one transaction."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Set
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import TypeAlias

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.values import Picture, displaced_name
from image_similarity_search.collection import originals
from image_similarity_search.collection.disks import KnownDisks
from image_similarity_search.collection.embedding import Embedder
from image_similarity_search.collection.logs import shown
from image_similarity_search.collection.missing_files import MissingFiles
from image_similarity_search.collection.pipeline import BATCH, Bad, Gone, Job, Loaded
from image_similarity_search.reports import SyncReport

_log = logging.getLogger(__name__)

KeepThumbnails: TypeAlias = Callable[[Mapping[str, bytes]], None]

_TWINS_LOOKED_AT = 16  # of the images with the same content, which may be thousands


@dataclass(frozen=True, slots=True)
class _Batch:
    """Loaded files, the contents among them that are being encoded, and what that will give."""

    items: list[Loaded | Bad | Gone]
    new: Set[str]
    pictures: Future[dict[str, Picture | None]]


class Indexer:
    """Takes files into a catalog and counts in ``report`` what became of them.

    A file whose content the catalog holds already is not encoded: it was moved, copied or only
    touched. ``missing_files`` are the images that may have moved. ``keep_thumbnails`` gets
    thumbnails by the content of their files, once that is kept.
    """

    def __init__(
        self,
        catalog: Catalog,
        report: SyncReport,
        missing_files: MissingFiles,
        keep_thumbnails: KeepThumbnails,
    ) -> None:
        self._catalog = catalog
        self._embedder: Embedder  # of ``run``, without which nothing is encoded
        self._report = report
        self._missing = missing_files
        self._keep_thumbnails = keep_thumbnails
        self._moved: set[int] = set()
        self._gone = 0

    def run(self, loaded: Generator[Loaded | Bad | Gone], embedder: Embedder) -> Iterator[int]:
        """Encode and keep what is ``loaded``; yields the number of files done after each batch."""
        self._embedder = embedder
        started = time.perf_counter()
        underway: deque[_Batch] = deque()
        pool = ThreadPoolExecutor(self._embedder.at_once, thread_name_prefix="encode")
        try:
            while items := list(islice(loaded, BATCH)):
                underway.append(self._begin(items, underway, pool))
                if len(underway) > self._embedder.at_once:
                    yield self._keep(underway.popleft())
            while underway:
                yield self._keep(underway.popleft())
            if self._gone:
                _log.warning("files that disappeared during the run: %d", self._gone)
        finally:
            loaded.close()
            pool.shutdown(cancel_futures=True)
            self._report.encode_seconds += time.perf_counter() - started

    def settle(self, job: Job, content_hash: str) -> bool:
        """Keep a file by what the catalog has of the same content; False when it has nothing.

        Call within ``transaction``.
        """
        if job.known_id is not None and self._was_touched(job.known_id, content_hash):
            self._move(job.known_id, job)
            self._missing.keep(job.known_id)
            self._report.unchanged += 1
            _log.debug("%s: same content, only its time changed", shown(job.path))
            return True
        twins = self._catalog.indexed_with_content(content_hash, _TWINS_LOOKED_AT)
        if not twins:
            return False
        moved = self._taken(content_hash, job)
        if moved is None:  # one from a folder that this run doesn't look at, perhaps
            moved = next((twin.id for twin in twins if self._moved_to(job, twin.path)), None)
        if moved is None:
            self._put(job, self._catalog.picture(twins[0].id))
            _log.debug("%s: a copy of %s", shown(job.path), shown(twins[0].path))
        else:
            _log.debug("%s: moved here, image %d", shown(job.path), moved)
            self._move(moved, job)
            self._moved.add(moved)
            self._report.moved += 1
        return True

    def knows(self, content_hash: str) -> bool:
        """Whether an indexed image has this content."""
        return not self._catalog.contents.not_among([content_hash])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction of the catalog; when it is undone, its counts are undone too."""
        before, catalog = copy(self._report), self._catalog
        try:
            with catalog.transaction():
                yield
        except BaseException:
            # an interrupt may come just after the end; of a shared one others count the generation
            if catalog.is_shared or catalog.generation < catalog.changes.generation:
                for name in SyncReport.__slots__:
                    setattr(self._report, name, getattr(before, name))
            raise

    def _taken(self, content_hash: str, job: Job) -> int | None:
        """An image of this content whose file is missing, and found by no other computer since."""
        take = partial(
            self._missing.take,
            content_hash,
            job.place.name,
            replaced=job.known_id is not None,
            on_disk=self._disks.has(job.path),
        )
        while (id_ := take()) is not None:
            if not self._catalog.is_shared:
                return id_
            image = self._catalog.record(id_)
            if image and image.content_hash == content_hash and self._is_still_there(id_):
                return id_
        return None

    def _is_still_there(self, id_: int) -> bool:
        return bool(self._catalog.still_at({id_: self._missing.seen[id_]}))

    @cached_property
    def _disks(self) -> KnownDisks:
        return KnownDisks(self._catalog)  # as the scan left it

    def _moved_to(self, job: Job, path: str) -> bool:
        """Whether an image's file is gone, as far as this computer can tell, to a job's place."""
        gone = originals.is_gone(path) and self._catalog.places.are_here(path)
        return gone and self._disks.may_move(path, job.path)

    def _was_touched(self, known_id: int, content_hash: str) -> bool:
        known = self._catalog.record(known_id) if known_id not in self._moved else None
        return known is not None and (known.content_hash, known.state) == (content_hash, "indexed")

    def _move(self, id_: int, job: Job) -> None:
        displaced = self._catalog.changes.move(id_, job.place, job.stat)
        record = self._catalog.record(displaced) if displaced is not None else None
        if record:
            place = (job.place.folder_id, displaced_name(record.id))
            self._missing.add_displaced(record.id, record.content_hash, place)

    def _begin(
        self, items: list[Loaded | Bad | Gone], before: Iterable[_Batch], pool: Executor
    ) -> _Batch:
        """Begin to encode each content that neither the catalog nor a batch before holds."""
        loaded = {item.content_hash: item for item in items if isinstance(item, Loaded)}
        new = {
            content_hash: loaded[content_hash]
            for content_hash in self._catalog.contents.not_among(loaded)
            if not any(content_hash in batch.new for batch in before)
        }
        return _Batch(items, new.keys(), pool.submit(self._encode, list(new.values())))

    def _keep(self, batch: _Batch) -> int:
        """Keep a batch in one transaction, as soon as it is encoded."""
        pictures = batch.pictures.result()
        items = [item for item in batch.items if not self._is_known_bad(item)]
        if not items:
            return len(batch.items)
        self._gone += sum(isinstance(item, Gone) for item in items)
        with self.transaction():
            self._report.encoded += len(pictures)
            self._catalog.changes.look_ahead(pictures, (item.job.place for item in items))
            for item in items:
                if isinstance(item, Bad):
                    self._skip(item)
                elif isinstance(item, Loaded) and not self.settle(item.job, item.content_hash):
                    self._put_new(item, pictures)
        loaded = (item for item in items if isinstance(item, Loaded))
        self._keep_thumbnails({it.content_hash: it.thumbnail for it in loaded if it.thumbnail})
        return len(batch.items)

    def _is_known_bad(self, item: Loaded | Bad | Gone) -> bool:
        """Whether a bad file is bad as it was known to be: there is nothing to write."""
        if not isinstance(item, Bad) or item.job.known_id is None:
            return False
        known = self._catalog.record(item.job.known_id)
        same = known and (known.reason, known.size, known.mtime_ns) == (
            item.reason,
            item.job.stat.size,
            item.job.stat.mtime_ns,
        )
        if same:
            self._report.skipped += 1
            _log.info("%s: still skipped: %s", shown(item.job.path), item.reason)
        return bool(same)

    def _put_new(self, item: Loaded, pictures: dict[str, Picture | None]) -> None:
        if item.content_hash not in pictures:
            # an image had this content when the batch was begun, and has another by now
            pictures |= self._encode([item])
            self._report.encoded += 1
        picture = pictures[item.content_hash]
        if picture:
            self._put(item.job, picture)
            _log.debug("%s: encoded", shown(item.job.path))
        else:
            self._skip(Bad(item.job, item.content_hash, "the encoder gave no finite embedding"))

    def _encode(self, new: list[Loaded]) -> dict[str, Picture | None]:
        """Encode pictures, by content; None where the embedding is not finite.

        Raises:
            EncoderOutputError: it is so whatever the picture.
        """
        if not new:
            return {}
        made = [item.embedding for item in new if item.embedding is not None]
        if len(made) == len(new):
            embeddings = np.stack(made)
        else:
            embeddings = self._embedder.embed_to_keep([item.pixels for item in new])
        finite = np.asarray(np.isfinite(embeddings).all(axis=1))
        units, norms = vectors.pack(np.where(finite[:, None], embeddings, 0))
        finite &= np.isfinite(norms)
        return {
            item.content_hash: Picture(
                item.content_hash,
                item.width,
                item.height,
                units[row],
                float(norms[row]),
                item.traits,
            )
            if finite[row]
            else None
            for row, item in enumerate(new)
        }

    def _put(self, job: Job, picture: Picture) -> None:
        id_ = self._catalog.changes.put(job.place, job.stat, picture)
        if id_ == job.known_id:
            self._report.updated += 1
        else:
            self._report.indexed += 1

    def _skip(self, bad: Bad) -> None:
        job = bad.job
        _log.info("%s: skipped: %s", shown(job.path), bad.reason)
        moved = self._missing.take_bad(bad.content_hash) if job.known_id is None else None
        if moved is not None and self._is_still_there(moved):
            self._move(moved, job)
        self._catalog.changes.put_skipped(job.place, job.stat, bad.content_hash, bad.reason)
        self._report.skipped += 1
