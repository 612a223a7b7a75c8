"""From pixels to the catalog: encoded in batches, each kept in one transaction."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Set
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.values import Picture
from image_similarity_search.collection.embedding import Embedder
from image_similarity_search.collection.pipeline import BATCH, Bad, Gone, Job, Loaded, load_all
from image_similarity_search.types import ImageRecord, SyncReport


@dataclass(frozen=True, slots=True)
class _Batch:
    """Loaded files, the contents among them that are being encoded, and what that will give."""

    items: list[Loaded | Bad | Gone]
    new: Set[str]
    pictures: Future[dict[str, Picture | None]]


class Indexer:
    """Takes files into a catalog and counts in ``report`` what became of them.

    A file whose content the catalog holds already is not encoded: it was moved, copied or only
    touched. ``moved`` are the ids whose file was found elsewhere.
    """

    def __init__(self, catalog: Catalog, embedder: Embedder, report: SyncReport) -> None:
        self._catalog = catalog
        self._embedder = embedder
        self._report = report
        self.moved: set[int] = set()

    def run(self, jobs: Iterable[Job]) -> Iterator[int]:
        """Load, encode and keep ``jobs``; yields the number of files done after each batch."""
        started = time.perf_counter()
        underway: deque[_Batch] = deque()
        pool = ThreadPoolExecutor(self._embedder.at_once, thread_name_prefix="encode")
        loaded = load_all(jobs, self._embedder.encoder.preprocessing)
        try:
            while items := list(islice(loaded, BATCH)):
                underway.append(self._begin(items, underway, pool))
                if len(underway) > self._embedder.at_once:
                    yield self._keep(underway.popleft())
            while underway:
                yield self._keep(underway.popleft())
        finally:
            loaded.close()
            pool.shutdown(cancel_futures=True)
            self._report.encode_seconds += time.perf_counter() - started

    def settle(self, job: Job, content_hash: str) -> bool:
        """Keep a file by what the catalog has of the same content; False when it has nothing.

        Call within a transaction.
        """
        twins = self._indexed_with_content(content_hash)
        twin = next((t for t in twins if t.id == job.known_id), None)
        if twin:
            self._catalog.move(twin.id, job.place, job.stat)  # touched: only its time is new
            self._report.unchanged += 1
            return True
        twin = next((t for t in twins if not os.path.lexists(t.path)), None)
        if twin:
            self._catalog.move(twin.id, job.place, job.stat)
            self.moved.add(twin.id)
            self._report.moved += 1
            return True
        if not twins:
            return False
        self._put(job, self._catalog.picture(twins[0].id))
        return True

    def _indexed_with_content(self, content_hash: str) -> list[ImageRecord]:
        records = self._catalog.records_with_content(content_hash)
        return [record for record in records if record.state == "indexed"]

    def _begin(
        self, items: list[Loaded | Bad | Gone], before: Iterable[_Batch], pool: Executor
    ) -> _Batch:
        """Begin to encode each content that neither the catalog nor a batch before holds."""
        new = {item.content_hash: item for item in items if isinstance(item, Loaded)}
        for content_hash in list(new):
            waited_for = any(content_hash in batch.new for batch in before)
            if waited_for or self._indexed_with_content(content_hash):
                del new[content_hash]
        return _Batch(items, new.keys(), pool.submit(self._encode, list(new.values())))

    def _keep(self, batch: _Batch) -> int:
        """Keep a batch in one transaction, as soon as it is encoded."""
        pictures = batch.pictures.result()
        self._report.encoded += len(pictures)
        with self._catalog.transaction():
            for item in batch.items:
                if isinstance(item, Bad):
                    self._skip(item)
                elif isinstance(item, Loaded) and not self.settle(item.job, item.content_hash):
                    self._put_new(item, pictures)
        return len(batch.items)

    def _put_new(self, item: Loaded, pictures: dict[str, Picture | None]) -> None:
        if item.content_hash not in pictures:
            # an image had this content when the batch was begun, and has another by now
            pictures |= self._encode([item])
            self._report.encoded += 1
        picture = pictures[item.content_hash]
        if picture:
            self._put(item.job, picture)
        else:
            self._skip(Bad(item.job, item.content_hash, "the encoder gave no finite embedding"))

    def _encode(self, new: list[Loaded]) -> dict[str, Picture | None]:
        """Encode pictures, by content; None where the embedding is not finite."""
        if not new:
            return {}
        embeddings = self._embedder.embed([item.pixels for item in new])
        finite = np.asarray(np.isfinite(embeddings).all(axis=1))
        units, norms = vectors.pack(np.where(finite[:, None], embeddings, 0))
        return {
            item.content_hash: Picture(
                item.content_hash, item.width, item.height, units[row], float(norms[row])
            )
            if finite[row]
            else None
            for row, item in enumerate(new)
        }

    def _put(self, job: Job, picture: Picture) -> None:
        self._catalog.put(job.place, job.stat, picture)
        if job.known_id is None:
            self._report.indexed += 1
        else:
            self._report.updated += 1

    def _skip(self, bad: Bad) -> None:
        job = bad.job
        self._catalog.put_skipped(job.place, job.stat, bad.content_hash, bad.reason)
        self._report.skipped += 1
