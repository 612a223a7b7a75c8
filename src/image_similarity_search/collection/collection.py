"""The collection: where encoder, catalog and store meet."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Self

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.collection.binding import Binding
from image_similarity_search.collection.costs import measure_costs
from image_similarity_search.collection.description import described
from image_similarity_search.collection.duplicates.asking import (
    dismissed_pairs,
    found_duplicates,
    resolved,
)
from image_similarity_search.collection.duplicates.undo_log import UndoLog
from image_similarity_search.collection.duplicates.undoing import undone
from image_similarity_search.collection.embedding import Embedder
from image_similarity_search.collection.examples import Example, sought
from image_similarity_search.collection.filtering import Filtering
from image_similarity_search.collection.identity import (
    check_metric,
    checked_encoder,
    created,
    identity_of,
    matching_encoder,
    refuse_lost,
    refuse_other,
    refuse_other_runtime,
    refuse_other_thumbnails,
    refuse_taken,
)
from image_similarity_search.collection.indexing import Indexer
from image_similarity_search.collection.interchange.legacy_files import refuse_to_overwrite
from image_similarity_search.collection.keepers import keeper_for
from image_similarity_search.collection.lookup import ids_of, job_for, path_of, record_of, required
from image_similarity_search.collection.moving import moved
from image_similarity_search.collection.pipeline import BATCH, Decoders, Load
from image_similarity_search.collection.queries import Picture, Query, checked_path, pixels_of
from image_similarity_search.collection.recall import measured_recall
from image_similarity_search.collection.relocate import relocated
from image_similarity_search.collection.repair import repaired
from image_similarity_search.collection.search import Searcher
from image_similarity_search.collection.sync import Sync, WalkOptions
from image_similarity_search.collection.thumbnails import Make, Thumbnails
from image_similarity_search.collection.tuning import check_recall, tuned
from image_similarity_search.collection.uploads import UPLOAD_PIXELS, UPLOAD_SECONDS, Uploads
from image_similarity_search.collection.vacated import Vacated
from image_similarity_search.collection.verify import verified
from image_similarity_search.duplicates import (
    ActionReport,
    DuplicateAction,
    DuplicateGroup,
    DuplicateLevel,
    DuplicateReport,
)
from image_similarity_search.encoders import registry
from image_similarity_search.encoders.base import Encoder
from image_similarity_search.encoders.devices import Device, check_device
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.encoders.spec import EncoderSpec
from image_similarity_search.errors import (
    CollectionNotFoundError,
    ConfigError,
    EncoderError,
    EncoderOutputError,
    ImageNotFoundError,
    WorkerUnavailableError,
)
from image_similarity_search.filters import Filter
from image_similarity_search.types import (
    DEFAULT_TIME_LIMIT,
    CollectionInfo,
    FloatArray,
    Hit,
    ImageRecord,
    Metric,
    ProgressCallback,
    RecallReport,
    RepairReport,
    SyncInterrupted,
    SyncReport,
    ThumbnailReport,
    Tuning,
    VerifyReport,
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

    def __init__(
        self,
        folder: str,
        catalog: Catalog,
        encoder: Encoder | None,
        device: Device,
        decoders: Decoders,
        wait: float = 0.0,
    ) -> None:
        """For ``open``."""
        self._folder = folder
        self._device = device
        self._wait = wait
        self._catalog = catalog
        self._embedding = Embedder(encoder) if encoder else None
        self._making = threading.Lock()
        self._decoders = decoders
        self._binding = Binding(catalog, folder)
        self._keeper = keeper_for(catalog, folder)
        self._filtering = Filtering(catalog)
        self._searcher = Searcher(catalog, self._keeper, self._filtering)
        self._thumbnails = Thumbnails(catalog, folder)

    @classmethod
    def open(
        cls,
        index_dir: str | os.PathLike[str] = DEFAULT_INDEX_DIR,
        *,
        encoder: str | EncoderSpec | Encoder | None = None,
        metric: Metric | None = None,
        index: str | None = None,
        store: str | None = None,
        device: Device = "auto",
        thumbnails: bool | None = None,
        create: bool = False,
        wait: float = 0.0,
    ) -> Self:
        """Open the collection kept in ``index_dir``; with ``create``, make it when there is none.

        ``encoder``, ``metric`` and ``index`` (the kind of store: ``auto``, ``exact``, ``hnsw``,
        ``ivf``, ``ivf-pq``, ``ivf-rabitq`` or a FAISS factory string) say what a new collection is
        made with; one that exists remembers, and may be opened without them. Kinds that must be
        trained are exact until there are enough images. ``store`` is the URL of an engine that
        holds the embeddings, ``milvus://HOST:PORT/NAME``; without one, a file does. What changes
        the collection waits ``wait`` seconds for another process that is writing (``math.inf``:
        for ever).

        An encoder is given by name, as the path of an ``.onnx`` file, as ``timm:NAME``, as an
        ``EncoderSpec`` (which can name weights and another preprocessing) or as an object.
        ``device`` says where it runs: ``auto`` (a GPU where one can be used), ``cpu``, ``cuda``;
        ``openvino`` is for a new collection, which will always be encoded by it.
        ``thumbnails`` says whether a new collection keeps them; it does by default.

        Raises:
            CollectionNotFoundError: there is none, and ``create`` was not said.
            CollectionMismatchError: it was made with another encoder, metric, index or store, or
                does otherwise with thumbnails.
            StoreMismatchError: a new one is to be put where in the engine another is.
            StoreUnavailableError: a new one is to be put into an engine that can't be reached.
            LegacyIndexError: there is none, but an index that another program made.
            CollectionNewerError: it was made by a newer version.
            CollectionCorruptError: it is damaged.
            ConfigError: no such metric, index, store or device.
            UnknownEncoderError: no such encoder.
            EncoderUnavailableError: something that a new encoder needs is missing.
        """
        check_metric(metric)
        check_device(device)
        folder = os.path.realpath(index_dir)
        decoders = Decoders()
        try:
            catalog = Catalog(folder)
        except CollectionNotFoundError:
            refuse_to_overwrite(folder)
            refuse_lost(folder, create=create)
            if not create:
                raise
            if encoder is None or isinstance(encoder, str | EncoderSpec):
                decoders.prepare()
                encoder = registry.create(encoder, device)
            identity = identity_of(encoder, metric, index, store)
            refuse_taken(identity)
            catalog = created(folder, identity, thumbnails=thumbnails is not False)
        try:
            refuse_other(catalog.identity, metric, index, store)
            refuse_other_runtime(catalog.identity, device)
            refuse_other_thumbnails(catalog, thumbnails)
            made = matching_encoder(catalog.identity, encoder, device)
            return cls(folder, catalog, made, device, decoders, wait)
        except BaseException:
            catalog.close()
            raise

    def close(self) -> None:
        """Close the files and end the processes; closing twice is fine."""
        self._decoders.close()
        self._thumbnails.close()
        self._keeper.close()
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
        time_limit: float = DEFAULT_TIME_LIMIT,
        checksum: bool = False,
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
            time_limit: seconds that reading a file, and then decoding it, may take; one that
                takes longer is a bad file.
            checksum: read every file that seems unchanged, and compare its content.
            progress: called now and then.

        Raises:
            FolderNotFoundError: there is no such folder; nothing was changed.
            ConfigError: that is no path, such as an empty one, or no time.
            CollectionLockedError: another process is writing.
            SyncInterrupted: Ctrl-C; what was done is kept.
            WorkerUnavailableError: no process can be started to decode in; what was done is kept.
        """
        skip = (self._folder,)
        options = WalkOptions(
            include, exclude, follow_symlinks, all_files, retry_skipped, checksum, skip
        )
        with self._writing():
            embedder, load = self._prepared(time_limit)
            path = checked_path(folder)
            keep = self._thumbnails.keep
            sync = Sync(self._catalog, embedder, load, path, options, progress, keep)
            try:
                report = sync.run()
            except (SyncInterrupted, EncoderError, WorkerUnavailableError):
                self._keeper.refresh()
                self._thumbnails.drop(sync.vacated_contents)
                raise
            self._keeper.refresh()
            self._thumbnails.drop(sync.vacated_contents)
            return report

    def add(
        self, *paths: str | os.PathLike[str], time_limit: float = DEFAULT_TIME_LIMIT
    ) -> list[ImageRecord]:
        """Add single files, or update them; returns their records, in order.

        One that is no usable picture, or takes longer than ``time_limit`` as in ``sync``, comes
        back ``skipped``, with the reason.

        Raises:
            ImageNotFoundError: one of them is no file; none was added.
            ConfigError: one is no path, or ``time_limit`` no time.
            CollectionLockedError: another process is writing.
            WorkerUnavailableError: no process can be started to decode in.
        """
        files = [path_of(self._catalog, path) for path in paths]
        for path in files:
            if not os.path.isfile(path):
                reason = "a folder: index it" if os.path.isdir(path) else "no such file"
                raise ImageNotFoundError(path, f"{reason}; nothing was added")
        with self._writing():
            jobs = [job for path in dict.fromkeys(files) if (job := job_for(self._catalog, path))]
            embedder, load = self._prepared(time_limit)
            vacated, keep = Vacated(), self._thumbnails.keep
            before = self._thumbnails.contents_of(job.known_id for job in jobs if job.known_id)
            for _ in Indexer(self._catalog, embedder, SyncReport(), vacated, keep).run(load(jobs)):
                pass
            if vacated.to_forget:  # another image took the place
                with self._catalog.transaction():
                    self._catalog.remove(vacated.to_forget)
            self._keeper.refresh()
            self._thumbnails.drop(before | vacated.contents)
        return [required(self._catalog.record_at(path), path) for path in files]

    def remove(self, *images: str | os.PathLike[str] | int) -> int:
        """Forget images, given by path or id, or all that lie in a folder given by path.

        The files are not touched; a later ``sync`` of their folder finds them again. Returns how
        many images were forgotten.

        Raises:
            ImageNotFoundError: one of them is not in the collection; none was removed.
            CollectionLockedError: another process is writing.
        """
        with self._writing():
            ids = {id_ for image in images for id_ in ids_of(self._catalog, image)}
            before = self._thumbnails.contents_of(ids)
            with self._catalog.transaction():
                self._catalog.remove(ids)
                self._catalog.places.forget_empty()
            self._keeper.refresh()
            self._thumbnails.drop(before)
        return len(ids)

    def rebuild(self, index: str | None = None, *, recall: float | None = None) -> None:
        """Make the store anew from the catalog, of another kind if ``index`` says so.

        No picture is decoded. What ``recall`` was asked for, now or before: see ``tune``.

        Raises:
            ConfigError: no such kind of index, or one that can't compare by the metric.
            StoreTrainingError: there are too few images to train it; nothing was changed.
            CollectionLockedError: another process is writing.
        """
        if recall is not None:
            check_recall(recall)
        with self._writing():
            self._keeper.rebuild(index)
            measure_costs(self._catalog, self._searcher, self._keeper)
            known = self._catalog.tuning()
            if target := recall or (known.target if known else None):
                tuned(self._catalog, self._searcher, self._keeper, target)

    def tune(self, recall: float) -> Tuning:
        """Let searches look at as much as it takes to find this part of the nearest, and no more.

        Tried on up to 200 of the images, against all embeddings. The collection remembers it, and
        tries again when its store is rebuilt. What can't be reached comes back as the best there
        is, not ``reached``.

        Raises:
            ConfigError: ``recall`` is not above 0 and at most 1.
            CollectionLockedError: another process is writing.
        """
        check_recall(recall)
        with self._writing():
            return tuned(self._catalog, self._searcher, self._keeper, recall)

    def move(
        self, to: str, *, index: str | None = None, progress: ProgressCallback | None = None
    ) -> None:
        """Keep the embeddings that are searched elsewhere: in an engine, or ``"embedded"``.

        ``to`` is a URL as for ``open``; ``index`` the kind of index there, if it is to be
        another one. They come from the catalog, which stays where it is, and are compared with
        it. Run again, a move goes on where it was ended.

        Raises:
            ConfigError: no such place, they are there already, or no such kind of index there.
            StoreMismatchError: in the engine is something else by that name.
            StoreUnavailableError: the engine can't be reached; nothing was changed.
            CollectionLockedError: another process is writing.
        """
        with writer_lock(self._folder, wait=self._wait):
            self._catalog.check_in_place()
            moved(self._catalog, self._folder, to, index, progress)
            self._catalog.make_durable()
            self._keeper.close()
            self._keeper = keeper_for(self._catalog, self._folder)
            self._searcher = Searcher(self._catalog, self._keeper, self._filtering)

    def relocate(
        self, old: str | os.PathLike[str], new: str | os.PathLike[str], *, force: bool = False
    ) -> int:
        """Know what lies at and below the folder ``old`` as lying at ``new``, where it is now.

        For a drive that is mounted elsewhere, or another one with the same files. Nothing is
        read or encoded. Returns how many images (and bad files) have another path now.

        Raises:
            FolderNotFoundError: ``old`` was not indexed; or most files that are looked for are
                not there, which ``force`` allows. Nothing was changed.
            ConfigError: ``new`` overlaps with another indexed folder.
            CollectionLockedError: another process is writing.
        """
        with self._writing():
            count = relocated(self._catalog, checked_path(old), checked_path(new), force=force)
            self._keeper.refresh()
        return count

    def make_thumbnails(
        self,
        *,
        rebuild: bool = False,
        time_limit: float = DEFAULT_TIME_LIMIT,
        progress: ProgressCallback | None = None,
    ) -> ThumbnailReport:
        """Make the thumbnails that are missing (with ``rebuild``: all), prune the others.

        Raises:
            ConfigError: they are switched off.
            CollectionLockedError: another process is writing.
            WorkerUnavailableError: no process can be started to decode in.
        """
        with self._writing():
            load = self._loading(Preprocessing(), time_limit)
            return self._thumbnails.make_missing(load, rebuild=rebuild, progress=progress)

    def prune_thumbnails(self) -> int:
        """Forget the thumbnails of images that are gone; returns how many these were."""
        with self._writing():
            return self._thumbnails.prune()

    def keep_thumbnails(self, on: bool = True) -> None:
        """Keep thumbnails from now on; or delete all, and keep none."""
        with self._writing():
            self._thumbnails.switch(on=on)

    @staticmethod
    def repair(
        index_dir: str | os.PathLike[str] = DEFAULT_INDEX_DIR, *, wait: float = 0.0
    ) -> RepairReport:
        """Make a damaged collection whole, with all that can be saved of it.

        A damaged catalog is copied aside, and never changed. This process must not have the
        collection open.

        Raises:
            CollectionNotFoundError: there is none.
            CollectionCorruptError: nothing can be saved; all is left as it was.
            CollectionLockedError: another process is writing, or has the damaged catalog open.
            CollectionUnwritableError: there is no room for it, or it is read-only.
        """
        return repaired(os.path.realpath(index_dir), wait=wait)

    # Asking it

    def search(
        self,
        query: Query,
        k: int = 10,
        *,
        threshold: float | None = None,
        where: Filter | None = None,
    ) -> list[Hit]:
        """The ``k`` images most like ``query``, the most alike first; equals in order of id.

        Args:
            query: a path, a file's bytes, a PIL image, a uint8 array ``(h, w, 3)``, or the id of
                an image of this collection, which is then left out of its own answer.
            k: how many, at most.
            threshold: leave out hits with a lower score.
            where: the images to search among; without it, all.

        Raises:
            ImageNotFoundError: no such file, or no image of this id.
            ImageUnreadableError: the file is no picture.
            FolderNotFoundError: no image of the collection lies in the folder of ``where``.
            ConfigError: ``k`` is less than 1, the query is nothing that can be searched by, or
                ``where`` names a format that there is not.
        """
        return self.search_many([query], k, threshold=threshold, where=where)[0]

    def search_many(
        self,
        queries: Sequence[Query],
        k: int = 10,
        *,
        threshold: float | None = None,
        where: Filter | None = None,
    ) -> list[list[Hit]]:
        """As ``search``, for several queries, which are encoded and searched for together."""
        rows = self._query_vectors(queries)
        return self._searcher.nearest_to_each(
            rows, k, threshold, [_id_or_none(query) for query in queries], where
        )

    def search_by_examples(
        self,
        examples: Sequence[Example],
        k: int = 10,
        *,
        threshold: float | None = None,
        where: Filter | None = None,
        leave_out: Sequence[int] = (),
    ) -> list[Hit]:
        """The ``k`` images most like the examples together, and least like those that weigh < 0.

        Examples that are images of this collection are left out of the answer, and so are those
        with the ids ``leave_out``.

        Raises:
            ConfigError: no example weighs more than 0, or they cancel each other out.
            ImageError: as ``search`` does.
        """
        row, own = sought(examples, self._query_vectors, self._catalog.identity.metric, k)
        hidden = own.union(leave_out)
        hits = self._searcher.nearest(row, k + len(hidden), threshold, left_out=None, where=where)
        return [hit for hit in hits if hit.id not in hidden][:k]

    def uploads(
        self, *, max_pixels: int = UPLOAD_PIXELS, seconds: float = UPLOAD_SECONDS
    ) -> Uploads:
        """What embeds pictures of strangers, in processes of its own; close it before this.

        Raises:
            ConfigError: a limit is not more than 0.
        """
        return Uploads(self._embedder(), max_pixels, seconds)

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
        return record_of(self._catalog, image)

    def thumbnail(self, image: int | str | os.PathLike[str], *, make: Make | None = None) -> bytes:
        """A small upright JPEG of the image of this id or path, its longer side some 256 pixels.

        Where none was kept it is made of the file, in this process, or by ``make``.

        Raises:
            ImageNotFoundError: there is no such image, or its file is gone.
            ImageUnreadableError: its file is no picture.
        """
        return self._thumbnails.of(image, make)

    def images(
        self, where: Filter | None = None, *, after: int = 0, offset: int = 0, limit: int = 100
    ) -> list[ImageRecord]:
        """The first ``limit`` images with an id greater than ``after``, in order of id.

        The next page is asked for by the id of the last image of this one; ``offset`` passes
        over so many images, to begin anywhere.

        Raises:
            FolderNotFoundError, ConfigError: as ``search`` does of ``where``; or ``after`` or
                ``offset`` is less than 0, or ``limit`` less than 1.
        """
        return self._filtering.page(where, after, offset, limit)

    def count(self, where: Filter | None = None) -> int:
        """How many images ``where`` lets through; without it, how many can be found.

        Raises:
            FolderNotFoundError, ConfigError: as ``search`` does of ``where``.
        """
        return self._filtering.count(where)

    def duplicates(
        self,
        level: DuplicateLevel = "near",
        *,
        likeness: float | None = None,
        score: float | None = None,
        where: Filter | None = None,
        references: Sequence[str | os.PathLike[str]] = (),
        between: tuple[str | os.PathLike[str], str | os.PathLike[str]] | None = None,
        thorough: bool = False,
        time_limit: float = DEFAULT_TIME_LIMIT,
        progress: ProgressCallback | None = None,
    ) -> DuplicateReport:
        """Groups of images that are the same, or nearly, and which of each to keep.

        Nothing is changed. Files are read only where embeddings say that something is like them.

        Args:
            level: the least alike that counts: ``exact`` (the same bytes), ``same`` (the same
                picture, resized or saved anew), ``near`` (cut, lettered, mirrored, other
                colours) or ``similar`` (no copy, but alike).
            likeness: how pixels must correlate for ``near``; 0.93.
            score: of embeddings, for ``similar``; 0.8.
            where: the images to compare; without it, all.
            references: folders whose images stay, and are not compared with one another.
            between: two folders, to compare one with the other and neither with itself.
            thorough: read all files, which takes a good part of indexing them, and find copies
                that embeddings miss: turned, blurred, very small.
            time_limit: as in ``sync``; a file that takes longer is not compared by its pixels.
            progress: called now and then.

        Raises:
            FolderNotFoundError: no image of the collection lies in one of these folders.
            ConfigError: an argument has a value that is not allowed.
            WorkerUnavailableError: no process can be started to decode in.
        """
        return found_duplicates(
            self._catalog,
            self._filtering,
            self._folder,
            level=level,
            likeness=likeness,
            score=score,
            where=where,
            references=references,
            between=between,
            thorough=thorough,
            time_limit=time_limit,
            progress=progress,
        )

    def dismiss_duplicates(self, *images: str | os.PathLike[str] | int) -> int:
        """Remember for good that no two of these images are duplicates of each other.

        By the content of their files, so that it stays so when they are moved. Returns how many
        pairs were not known before.

        Raises:
            ImageNotFoundError: one of them is not in the collection; nothing was remembered.
            ConfigError: fewer than two are given.
            CollectionLockedError: another process is writing.
        """
        with self._writing():
            return dismissed_pairs(self._catalog, self._folder, images)

    def resolve_duplicates(
        self,
        groups: Sequence[DuplicateGroup],
        action: DuplicateAction,
        *,
        to: str | os.PathLike[str] | None = None,
        dry_run: bool = True,
    ) -> ActionReport:
        """Do something with the files that could go, of groups that ``duplicates`` found.

        Unless ``dry_run`` is False, it is only told what would be done. Nothing is done with
        images that are ``similar``, with files that were changed since they were indexed, with
        links, or for a group whose image to keep is not as it was indexed. What was done is
        written down first, for ``undo_duplicates``; files that are gone are forgotten.

        Args:
            groups: groups of ``duplicates``, or some of them.
            action: ``trash`` (the desktop's), ``move`` (to the folder ``to``), ``hardlink`` or
                ``symlink`` (to the image that stays; only of the same bytes), or ``delete``.
            to: the folder to move to; it is made if need be.
            dry_run: say False to do it.

        Raises:
            ConfigError: no such action, or nothing to do it with.
            CollectionLockedError: another process is writing.
            CollectionUnwritableError: it can't be written down, or forgotten.
        """
        where = None if to is None else checked_path(to)
        if dry_run:
            return resolved(self._catalog, None, groups, action, where)
        with self._writing():
            report = resolved(self._catalog, UndoLog(self._folder), groups, action, where)
            self._keeper.refresh()
        return report

    def undo_duplicates(self) -> ActionReport:
        """Undo the last ``resolve_duplicates`` that was not undone; files come back into it.

        What was deleted is gone. The next ``sync`` finds the files, and encodes them.

        Raises:
            ConfigError: there is nothing to undo.
            CollectionLockedError: another process is writing.
        """
        with self._writing():
            return ActionReport(False, list(undone(UndoLog(self._folder))))

    def roots(self) -> list[str]:
        """The folders that were indexed."""
        return sorted(self._catalog.places.roots().values())

    def skipped(self) -> Iterator[ImageRecord]:
        """The bad files, each with its reason."""
        return self._catalog.all_records(skipped=True)

    def info(self) -> CollectionInfo:
        """What the collection is made of."""
        return described(self._folder, self._catalog, self._keeper)

    def measure_recall(self, k: int = 10, sample: int = 200) -> RecallReport:
        """How many of the ``k`` nearest a search finds, asked of ``sample`` of the images.

        Each is searched for, as by its id, and compared with a scan of all embeddings.

        Raises:
            ConfigError: ``k`` or ``sample`` is less than 1.
        """
        return measured_recall(self._catalog, self._searcher, k, sample)

    def verify(self, *, files: bool = False) -> VerifyReport:
        """Check all that is stored, and with ``files`` that the image files are as indexed."""
        return verified(self._folder, files=files)

    @property
    def encoder(self) -> Encoder:
        """The encoder, made at its first use.

        Raises:
            CollectionMismatchError: the one of this name gives other embeddings.
        """
        return self._embedder().encoder

    def _embedder(self, *, writing: bool = False) -> Embedder:
        with self._making:
            if self._embedding is None:
                self._embedding = Embedder(checked_encoder(self._catalog.identity, self._device))
            self._binding.confirm(self._embedding, writing=writing)
            return self._embedding

    def _prepared(self, time_limit: float) -> tuple[Embedder, Load]:
        """What encodes pictures for the catalog, and what reads and decodes their files."""
        if self._embedding is None:
            self._decoders.prepare()  # which takes about as long as to make the encoder
        embedder = self._embedder(writing=True)
        return embedder, self._loading(embedder.encoder.preprocessing, time_limit)

    def _loading(self, preprocessing: Preprocessing, time_limit: float) -> Load:
        """What reads and decodes files."""
        if not time_limit > 0:
            raise ConfigError("time_limit", time_limit, "a number of seconds, more than 0")
        return partial(
            self._decoders.load_all,
            preprocessing=preprocessing,
            time_limit=time_limit,
            thumbnails=self._thumbnails.wanted,
        )

    def _query_vectors(self, queries: Sequence[Query]) -> FloatArray:
        """Comparable vectors ``(q, dim)`` of queries; those of a kind are got at once."""
        by_id = [isinstance(query, int | np.integer) for query in queries]
        ids = [int(query) for query in queries if isinstance(query, int | np.integer)]
        pictures = [query for query in queries if not isinstance(query, int | np.integer)]
        out = np.empty((len(queries), self._catalog.identity.dim), dtype=np.float32)
        if ids:
            out[by_id] = self._searcher.stored(ids)
        if pictures:
            rows = self.embed(pictures)
            if not np.isfinite(rows).all():
                raise EncoderOutputError(self.encoder.name, "no finite embedding of the query")
            out[np.logical_not(by_id)] = vectors.comparable(rows, self._catalog.identity.metric)
        return out

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the writer lock, of the collection that is open and no other."""
        with writer_lock(self._folder, wait=self._wait):
            self._catalog.check_in_place()
            self._keeper.distrust_the_future()
            self._thumbnails.prepare()
            try:
                yield
            finally:
                self._catalog.make_durable()


def _id_or_none(query: Query) -> int | None:
    return int(query) if isinstance(query, int | np.integer) else None
