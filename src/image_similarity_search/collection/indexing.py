"""From pixels to the catalog: encoded in batches, each kept in one transaction."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog, Picture
from image_similarity_search.collection.pipeline import BATCH, Bad, Gone, Job, Loaded, load_all
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.types import FloatArray, ImageRecord, PixelArray, SyncReport

EmbedViews: TypeAlias = Callable[[Sequence[PixelArray]], FloatArray]
"""Embeds what an encoder sees of pictures as ``(n, dim)``."""


class Indexer:
    """Takes files into a catalog and counts in ``report`` what became of them.

    A file whose content the catalog holds already is not encoded: it was moved, copied or only
    touched. ``moved`` are the ids whose file was found elsewhere.
    """

    def __init__(
        self,
        catalog: Catalog,
        preprocessing: Preprocessing,
        embed: EmbedViews,
        report: SyncReport,
    ) -> None:
        self._catalog = catalog
        self._preprocessing = preprocessing
        self._embed = embed
        self._report = report
        self.moved: set[int] = set()

    def run(self, jobs: Iterable[Job]) -> Iterator[int]:
        """Load, encode and keep ``jobs``; yields the number of files done after each batch."""
        started = time.perf_counter()
        batch: list[Loaded | Bad | Gone] = []
        try:
            for item in load_all(jobs, self._preprocessing):
                batch.append(item)
                if len(batch) == BATCH:
                    self._keep(batch)
                    yield len(batch)
                    batch = []
            self._keep(batch)
            yield len(batch)
        finally:
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

    def _keep(self, batch: list[Loaded | Bad | Gone]) -> None:
        """Encode what is new in a batch, then keep all of it in one transaction."""
        if not batch:
            return
        pictures = self._encode([item for item in batch if isinstance(item, Loaded)])
        with self._catalog.transaction():
            for item in batch:
                if isinstance(item, Bad):
                    self._skip(item)
                elif isinstance(item, Loaded) and not self.settle(item.job, item.content_hash):
                    picture = pictures[item.content_hash]
                    if picture:
                        self._put(item.job, picture)
                    else:
                        reason = "the encoder gave no finite embedding"
                        self._skip(Bad(item.job, item.content_hash, reason))

    def _encode(self, loaded: list[Loaded]) -> dict[str, Picture | None]:
        """Encode each new content once; None where the embedding is not finite."""
        new = {item.content_hash: item for item in loaded}
        for content_hash in list(new):
            if self._indexed_with_content(content_hash):
                del new[content_hash]
        if not new:
            return {}
        embeddings = self._embed([item.pixels for item in new.values()])
        self._report.encoded += len(new)
        finite = np.asarray(np.isfinite(embeddings).all(axis=1))
        units, norms = vectors.pack(np.where(finite[:, None], embeddings, 0))
        return {
            item.content_hash: Picture(
                item.content_hash, item.width, item.height, units[row], float(norms[row])
            )
            if finite[row]
            else None
            for row, item in enumerate(new.values())
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
