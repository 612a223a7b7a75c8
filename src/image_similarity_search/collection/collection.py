"""The collection: where encoder, catalog and store meet."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import FILE_NAME, Catalog
from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.catalog.places import canonical
from image_similarity_search.catalog.values import FileStat
from image_similarity_search.collection.embedding import Embedder
from image_similarity_search.collection.identity import (
    checked_encoder,
    created,
    identity_of,
    refuse_lost,
    refuse_other,
)
from image_similarity_search.collection.indexing import Indexer
from image_similarity_search.collection.pipeline import BATCH, Job
from image_similarity_search.collection.queries import Picture, Query, checked_path, pixels_of
from image_similarity_search.collection.recall import measured_recall
from image_similarity_search.collection.search import Searcher
from image_similarity_search.collection.store_keeper import StoreKeeper
from image_similarity_search.collection.sync import Sync, WalkOptions
from image_similarity_search.collection.vacated import Vacated
from image_similarity_search.encoders.base import Encoder
from image_similarity_search.errors import (
    CollectionNotFoundError,
    EncoderError,
    EncoderOutputError,
    ImageNotFoundError,
)
from image_similarity_search.types import (
    CollectionInfo,
    FloatArray,
    Hit,
    ImageRecord,
    Metric,
    ProgressCallback,
    RecallReport,
    SyncInterrupted,
    SyncReport,
)

DEFAULT_INDEX_DIR = "index_data"


class Collection:
    """Pictures that can be searched by example, kept in a folder.

    Make one with ``open``; use it as a context manager, or ``close`` it. Threads may share it.

    Example:
        >>> with Collection.open("index_data", create=True) as collection:  # doctest: +SKIP
        ...     collection.sync("photos")
        ...     for hit in collection.search("query.jpg", k=5):
        ...         print(hit.score, hit.path)
    """

    def __init__(self, folder: str, catalog: Catalog, encoder: Encoder | None) -> None:
        """For ``open``."""
        self._folder = folder
        self._catalog = catalog
        self._embedding = Embedder(encoder) if encoder else None
        self._making = threading.Lock()
        self._keeper = StoreKeeper(catalog, folder)
        self._searcher = Searcher(catalog, self._keeper)

    @classmethod
    def open(
        cls,
        index_dir: str | os.PathLike[str] = DEFAULT_INDEX_DIR,
        *,
        encoder: str | Encoder | None = None,
        metric: Metric | None = None,
        index: str | None = None,
        create: bool = False,
    ) -> Self:
        """Open the collection kept in ``index_dir``; with ``create``, make it when there is none.

        ``encoder``, ``metric`` and ``index`` (the kind of store: ``auto``, ``exact``, ``hnsw``,
        ``ivf``, ``ivf-pq`` or a FAISS factory string) say what a new collection is made with; one
        that exists remembers, and may be opened without them. Kinds that must be trained are
        exact until there are enough images.

        Raises:
            CollectionNotFoundError: there is none, and ``create`` was not said.
            CollectionMismatchError: it was made with another encoder, metric or index.
            CollectionNewerError: it was made by a newer version.
            CollectionCorruptError: it is damaged.
            ConfigError: no such metric or index.
            UnknownEncoderError: no such encoder.
        """
        folder = os.path.realpath(index_dir)
        made = None if isinstance(encoder, str) else encoder
        try:
            catalog = Catalog(folder)
        except CollectionNotFoundError:
            refuse_lost(folder, create=create)
            if not create:
                raise
            made, identity = identity_of(encoder, metric, index)
            catalog = created(folder, identity)
        try:
            refuse_other(catalog.identity, made or encoder, metric, index)
            return cls(folder, catalog, made)
        except BaseException:
            catalog.close()
            raise

    def close(self) -> None:
        """Close the files; closing twice is fine."""
        self._catalog.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        """How many images can be found."""
        return self._catalog.counts().indexed

    def __iter__(self) -> Iterator[ImageRecord]:
        """Every indexed image, in order of id."""
        return self._catalog.all_records()

    # Changing it

    def sync(
        self,
        folder: str | os.PathLike[str],
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        follow_symlinks: bool = False,
        all_files: bool = False,
        retry_skipped: bool = False,
        progress: ProgressCallback | None = None,
    ) -> SyncReport:
        """Make the collection hold what ``folder`` and the folders below it hold, now.

        New and changed files are encoded, moved ones recognised by their content, vanished ones
        forgotten. Bad files are remembered with the reason (``skipped``) and not tried again
        until they change. Other folders of the collection are left alone.

        Args:
            folder: the folder of pictures.
            include: patterns such as ``*.png``; only files that match one count.
            exclude: patterns of files and folders that don't count, by name or relative path.
            follow_symlinks: enter linked folders too (linked files are followed anyway).
            all_files: try every file as a picture, whatever its name.
            retry_skipped: try bad files again that have not changed.
            progress: called now and then.

        Raises:
            FolderNotFoundError: there is no such folder; nothing was changed.
            ConfigError: that is no path, such as an empty one.
            CollectionLockedError: another process is writing.
            SyncInterrupted: Ctrl-C; what was done is kept.
        """
        options = WalkOptions(
            include, exclude, follow_symlinks, all_files, retry_skipped, skip=(self._folder,)
        )
        with self._writing():
            sync = Sync(
                self._catalog,
                self._embedder(),
                checked_path(folder),
                options,
                progress,
            )
            try:
                report = sync.run()
            except (SyncInterrupted, EncoderError):
                self._keeper.refresh()
                raise
            self._keeper.refresh()
            return report

    def add(self, *paths: str | os.PathLike[str]) -> list[ImageRecord]:
        """Add single files, or update them; returns their records, in order.

        One that is no usable picture comes back ``skipped``, with the reason.

        Raises:
            ImageNotFoundError: one of them is no file; none was added.
            CollectionLockedError: another process is writing.
        """
        files = [self._path_of(path) for path in paths]
        for path in files:
            if not os.path.isfile(path):
                reason = "a folder: index it" if os.path.isdir(path) else "no such file"
                raise ImageNotFoundError(path, f"{reason}; nothing was added")
        with self._writing():
            jobs = [job for path in dict.fromkeys(files) if (job := self._job(path))]
            for _ in Indexer(self._catalog, self._embedder(), SyncReport(), Vacated()).run(jobs):
                pass
            self._keeper.refresh()
        return [self._required(self._catalog.record_at(path), path) for path in files]

    def remove(self, *images: str | os.PathLike[str] | int) -> int:
        """Forget images, given by path or id, or all that lie in a folder given by path.

        The files are not touched; a later ``sync`` of their folder finds them again. Returns how
        many images were forgotten.

        Raises:
            ImageNotFoundError: one of them is not in the collection; none was removed.
            CollectionLockedError: another process is writing.
        """
        with self._writing():
            ids = {id_ for image in images for id_ in self._ids_of(image)}
            with self._catalog.transaction():
                self._catalog.remove(ids)
                self._catalog.places.forget_empty()
            self._keeper.refresh()
        return len(ids)

    def rebuild(self, index: str | None = None) -> None:
        """Make the store anew from the catalog, of another kind if ``index`` says so.

        No picture is decoded.

        Raises:
            ConfigError: no such kind of index, or one that can't compare by the metric.
            StoreTrainingError: there are too few images to train it; nothing was changed.
            CollectionLockedError: another process is writing.
        """
        with self._writing():
            self._keeper.rebuild(index)

    # Asking it

    def search(self, query: Query, k: int = 10, *, threshold: float | None = None) -> list[Hit]:
        """The ``k`` images most like ``query``, the most alike first; equals in order of id.

        Args:
            query: a path, a file's bytes, a PIL image, a uint8 array ``(h, w, 3)``, or the id of
                an image of this collection, which is then left out of its own answer.
            k: how many, at most.
            threshold: leave out hits with a lower score.

        Raises:
            ImageNotFoundError: no such file, or no image of this id.
            ImageUnreadableError: the file is no picture.
            ConfigError: ``k`` is less than 1, or the query is nothing that can be searched by.
        """
        return self.search_many([query], k, threshold=threshold)[0]

    def search_many(
        self, queries: Sequence[Query], k: int = 10, *, threshold: float | None = None
    ) -> list[list[Hit]]:
        """As ``search``, for several queries; they are encoded together."""
        rows = self._query_vectors(queries)
        return [
            self._searcher.nearest(row, k, threshold, left_out=_id_or_none(query))
            for row, query in zip(rows, queries, strict=True)
        ]

    def embed(self, pictures: Sequence[Picture]) -> FloatArray:
        """The embeddings ``(n, dim)``, float32, of pictures given as to ``search``."""
        embedder = self._embedder()
        encoder = embedder.encoder
        parts = [np.empty((0, encoder.dim), dtype=np.float32)]
        for start in range(0, len(pictures), BATCH):
            part = pictures[start : start + BATCH]
            parts.append(embedder.embed([pixels_of(item, encoder.preprocessing) for item in part]))
        return np.concatenate(parts)

    def get(self, image: int | str | os.PathLike[str]) -> ImageRecord:
        """The record of the image of this id or path, skipped ones too.

        Raises:
            ImageNotFoundError: there is none.
        """
        if isinstance(image, int | np.integer):
            return self._required(self._catalog.record(int(image)), f"id {image}")
        path = self._path_of(image)
        return self._required(self._catalog.record_at(path), path)

    def roots(self) -> list[str]:
        """The folders that were indexed."""
        return sorted(self._catalog.places.roots().values())

    def skipped(self) -> Iterator[ImageRecord]:
        """The bad files, each with its reason."""
        return self._catalog.all_records(skipped=True)

    def info(self) -> CollectionInfo:
        """What the collection is made of."""
        identity, counts = self._catalog.identity, self._catalog.counts()
        catalog = os.path.join(self._folder, FILE_NAME)
        with self._keeper.current() as current:
            store, memory = current.describe(), current.memory_bytes()
        return CollectionInfo(
            index_dir=self._folder,
            encoder=identity.encoder,
            fingerprint=identity.fingerprint,
            dim=identity.dim,
            metric=identity.metric,
            index=identity.index,
            store=store,
            indexed=counts.indexed,
            skipped=counts.skipped,
            roots=self.roots(),
            generation=self._catalog.generation,
            catalog_bytes=_size(catalog) + _size(catalog + "-wal"),
            store_bytes=_size(self._keeper.path),
            memory_bytes=memory,
        )

    def measure_recall(self, k: int = 10, sample: int = 200) -> RecallReport:
        """How many of the ``k`` nearest a search finds, asked of ``sample`` of the images.

        Each is searched for, as by its id, and compared with a scan of all embeddings.

        Raises:
            ConfigError: ``k`` or ``sample`` is less than 1.
        """
        return measured_recall(self._catalog, self._searcher, k, sample)

    @property
    def encoder(self) -> Encoder:
        """The encoder, made at its first use.

        Raises:
            CollectionMismatchError: the one of this name now gives other embeddings.
        """
        return self._embedder().encoder

    def _embedder(self) -> Embedder:
        with self._making:
            if self._embedding is None:
                self._embedding = Embedder(checked_encoder(self._catalog.identity))
            return self._embedding

    def _query_vectors(self, queries: Sequence[Query]) -> list[FloatArray]:
        """Comparable vectors ``(dim,)`` of queries; the pictures among them are encoded at once."""
        pictures = [query for query in queries if not isinstance(query, int | np.integer)]
        rows = self.embed(pictures) if pictures else np.empty((0, 1), dtype=np.float32)
        if not np.isfinite(rows).all():
            raise EncoderOutputError(self.encoder.name, "no finite embedding of the query")
        embedded = iter(vectors.comparable(rows, self._catalog.identity.metric))
        return [
            self._searcher.stored(int(query))
            if isinstance(query, int | np.integer)
            else next(embedded)
            for query in queries
        ]

    def _job(self, path: str) -> Job | None:
        """What is to be done to add the file ``path``; None when it is known and unchanged."""
        status = os.stat(path)
        stat = FileStat(status.st_size, status.st_mtime_ns)
        known = self._catalog.record_at(path)
        if known and known.state == "indexed" and FileStat(known.size, known.mtime_ns) == stat:
            return None
        place = self._catalog.places.require_place(path)
        return Job(path, place, stat, known.id if known else None)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the writer lock, of the collection that is open and no other."""
        with writer_lock(self._folder):
            self._catalog.check_in_place()
            self._keeper.distrust_the_future()
            yield

    def _path_of(self, path: str | os.PathLike[str]) -> str:
        """The path under which the catalog knows a file, or would."""
        as_given = os.path.abspath(checked_path(path))
        # one that was found in a linked folder is known by the link
        return as_given if self._catalog.record_at(as_given) else canonical(path)

    def _ids_of(self, image: int | str | os.PathLike[str]) -> Sequence[int]:
        if isinstance(image, int | np.integer):
            return [self.get(image).id]
        path = self._path_of(image)
        record = self._catalog.record_at(path)
        # a folder is known by its real path, also where a link leads to it
        ids = [record.id] if record else self._catalog.ids_below(os.path.realpath(path))
        if not ids:
            raise ImageNotFoundError(image, "not in this collection; nothing was removed")
        return ids

    @staticmethod
    def _required(record: ImageRecord | None, name: str) -> ImageRecord:
        if record is None:
            raise ImageNotFoundError(name, "no such image in this collection")
        return record


def _id_or_none(query: Query) -> int | None:
    return int(query) if isinstance(query, int | np.integer) else None


def _size(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0
