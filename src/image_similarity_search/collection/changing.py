"""What changes a collection."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from numbers import Integral

from image_similarity_search.addresses import is_address
from image_similarity_search.arguments import several
from image_similarity_search.catalog import whereabouts
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.costs import weigh, weigh_once
from image_similarity_search.collection.lookup import (
    ImageName,
    ids_of_each,
    job_for,
    path_of,
    refuse_bad,
    required,
)
from image_similarity_search.collection.missing_files import MissingFiles
from image_similarity_search.collection.opened import OpenedCollection
from image_similarity_search.collection.originals import check_files, reading
from image_similarity_search.collection.queries import checked_path, checked_source
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.errors import (
    ClusterUnavailableError,
    EncoderError,
    SourceUnavailableError,
    WorkerUnavailableError,
)
from image_similarity_search.filters import normal_tags
from image_similarity_search.reports import SyncInterrupted, SyncReport, ThumbnailReport, Tuning
from image_similarity_search.types import (
    DEFAULT_TIME_LIMIT,
    ImageRecord,
    ProgressCallback,
    checked_seconds,
)

_WHAT_WAS_DONE_IS_KEPT = (
    SyncInterrupted,
    EncoderError,
    SourceUnavailableError,
    WorkerUnavailableError,
    ClusterUnavailableError,
)


_MOVED = (
    "%s is gone, and its files seem to be in %s: each file is read to recognise it by its"
    " content ('iss relocate OLD NEW' avoids that)"
)

_log = logging.getLogger(__name__)


class ChangeableCollection(OpenedCollection):
    """The use cases that write, one process at a time."""

    def sync(
        self,
        folder: str | os.PathLike[str],
        *,
        include: str | Sequence[str] = (),
        exclude: str | Sequence[str] = (),
        follow_symlinks: bool = False,
        all_files: bool = False,
        retry_skipped: bool = False,
        time_limit: float = DEFAULT_TIME_LIMIT,
        checksum: bool = False,
        on: str | None = None,
        forget: bool = True,
        progress: ProgressCallback | None = None,
    ) -> SyncReport:
        """Make the collection hold what ``folder`` and the folders below it hold, now.

        New and changed files are encoded, moved ones recognised by their content, vanished ones
        forgotten. Bad files are remembered with the reason (``skipped``) and not tried again
        until they change. Other folders of the collection are left alone.

        Args:
            folder: the folder of pictures, a Parquet file with a column of them, or the address of
                some in object storage, such as ``s3://bucket/folder``.
            include: a pattern such as ``*.png``, or several; only files that match one count.
            exclude: the same of files and folders that don't count, by name or relative path.
            follow_symlinks: enter linked folders too (linked files are followed anyway; in
                object storage there are none).
            all_files: try every file as a picture, whatever its name.
            retry_skipped: try bad files again that have not changed.
            time_limit: seconds that reading a file, and then decoding it, may take; one that
                takes longer is a bad file.
            checksum: read every file that seems unchanged, and compare its content.
            on: the Ray cluster that decodes and encodes, ``ray://HOST:PORT``; ``ray`` is the one
                that this machine is a node of, or else one of this machine alone.
            forget: say False to keep images whose file is gone, until another sync: one of the
                folder that the files were moved to recognises them.
            progress: called now and then.

        Raises:
            FolderNotFoundError: there is no such folder; nothing was changed.
            SourceUnavailableError: the object storage can't be listed, and nothing was changed;
                or it can't be read any more, and what was done is kept.
            ConfigError: that is no path, such as an empty one, no pattern or no time; or the
                patterns let none through of the pictures that are there and known, so that all
                would be forgotten.
            CollectionLockedError: another process is writing.
            EncoderError: a picture is to be encoded, and that can't be done; what was done is
                kept, and nothing forgotten. Where nothing is, no encoder is needed.
            SyncInterrupted: Ctrl-C; what was done is kept.
            WorkerUnavailableError: no process can be started to decode in; what was done is kept.
            ClusterUnavailableError: the cluster can't be reached, or fails; the same.
        """
        from image_similarity_search.collection.cluster.address import checked_cluster
        from image_similarity_search.collection.relocate import gone_to
        from image_similarity_search.collection.scanning import WalkOptions
        from image_similarity_search.collection.sync import Sync

        skip = (self._folder,)
        options = WalkOptions(
            include, exclude, follow_symlinks, all_files, retry_skipped, checksum, skip, forget
        )
        path, time_limit = checked_source(folder), checked_seconds("time_limit", time_limit)
        on = None if on is None else checked_cluster(on)
        turn = self._catalog.turns.syncing(
            path if is_address(path) else os.path.realpath(path), self._wait
        )
        with self._writing(turn), ExitStack() as prepared:
            if self._embedding is not None:
                self._embedder(writing=True)  # what was handed over is checked, and known by then
            if old := gone_to(self._catalog, path):
                _log.warning(_MOVED, old, os.path.abspath(path))
            thumbnails = self._thumbnails
            sync = Sync(
                self._catalog,
                lambda: prepared.enter_context(self._prepared_on(on, time_limit)),
                path,
                options,
                progress,
                thumbnails.keep,
                thumbnails.kept,
            )
            try:
                report = sync.run()
            except _WHAT_WAS_DONE_IS_KEPT:
                self._keeper.refresh()
                self._thumbnails.drop(sync.vacated_contents)
                raise
            self._keeper.refresh()
            self._thumbnails.drop(sync.vacated_contents)
            weigh_once(self._catalog, self._keeper)
            return report

    def add(
        self, *paths: str | os.PathLike[str], time_limit: float = DEFAULT_TIME_LIMIT
    ) -> list[ImageRecord]:
        """Add single files or objects, or update them; returns their records, in order.

        One that is no usable picture, or takes longer than ``time_limit`` as in ``sync``, comes
        back ``skipped``, with the reason.

        Raises:
            ImageNotFoundError: one of them is no file; none was added.
            SourceUnavailableError: the object storage that one lies in can't be reached.
            ConfigError: one is no path, or ``time_limit`` no time.
            CollectionLockedError: another process is writing.
            WorkerUnavailableError: no process can be started to decode in.
        """
        files = [path_of(self._catalog, path) for path in paths]
        check_files(files)
        with self._writing(self._catalog.turns.adding(files, self._wait)):
            self._index(files, time_limit)
        return [required(self._catalog.record_at(path), path) for path in files]

    def _index(self, files: Sequence[str], time_limit: float = DEFAULT_TIME_LIMIT) -> None:
        """Add files that are there, or update them; for the one writer."""
        from image_similarity_search.collection.indexing import Indexer

        with reading():
            jobs = [job for path in dict.fromkeys(files) if (job := job_for(self._catalog, path))]
        embedder, load = self._prepared(time_limit)
        missing_files, keep = MissingFiles(), self._thumbnails.keep
        before = self._thumbnails.contents_of(job.known_id for job in jobs if job.known_id)
        for _ in Indexer(self._catalog, SyncReport(), missing_files, keep).run(
            load(jobs), embedder
        ):
            pass
        if missing_files.to_forget:  # another image took the place
            with self._catalog.transaction():
                still = self._catalog.still_at(missing_files.seen)
                self._catalog.changes.remove(missing_files.to_forget & still)
        self._keeper.refresh()
        self._thumbnails.drop(before | missing_files.contents)
        weigh_once(self._catalog, self._keeper)

    def remove(self, *images: str | os.PathLike[str] | int) -> int:
        """Forget images, given by path or id, or all that lie in a folder given by path.

        The files are not touched; a later ``sync`` of their folder finds them again, and their
        tags come back. Returns how many images were forgotten.

        Raises:
            ImageNotFoundError: one of them is not in the collection; none was removed.
            CollectionLockedError: another process is writing.
        """
        from image_similarity_search.collection.disks import forget_emptied

        with self._writing():
            named = ids_of_each(self._catalog, images)
            ids = {id_ for found in named.values() for id_ in found}
            before = self._thumbnails.contents_of(ids)
            with self._catalog.transaction():
                self._catalog.changes.remove(ids)
                self._catalog.places.forget_empty()
                forget_emptied(self._catalog)
            self._keeper.refresh()
            self._thumbnails.drop(before)
        return len(ids)

    def change_tags(
        self,
        images: ImageName | Iterable[ImageName],
        *,
        add: str | Sequence[str] = (),
        remove: str | Sequence[str] = (),
    ) -> int:
        """Put tags to an image or several, or to all of a folder, and take others away.

        Images are given by path or id; one may be given alone, and so may a tag.

        A tag is a word or a few, in any case. Returns how many images have other tags now.

        Raises:
            ImageNotFoundError: one of them is not in the collection; nothing was changed.
            ImageUnreadableError: one is a bad file, which gets no tags; the same. Those in a
                folder are passed over.
            ConfigError: an image is no path or id, or a tag is none.
            CollectionLockedError: another process is writing.
            CollectionUnwritableError: for ``undo_duplicates`` it can't be written down whose these
                tags are; nothing was changed.
        """
        from image_similarity_search.collection.duplicates.handing import note_own_tags
        from image_similarity_search.collection.duplicates.undo_log import UndoLog

        added, removed = normal_tags(add, "add"), normal_tags(remove, "remove")
        images = several("images", images, (str, os.PathLike, Integral), "paths or ids of images")
        with self._writing():
            named = ids_of_each(self._catalog, images)
            if added:
                refuse_bad(self._catalog, named)
            ids = sorted({id_ for found in named.values() for id_ in found})
            if added:
                note_own_tags(self._catalog, UndoLog(self._folder), set(ids), added)
            with self._catalog.transaction():
                changed = self._catalog.tags.change(ids, added, removed)
            self._keeper.refresh()
        return changed

    def add_tags(self, images: ImageName | Iterable[ImageName], tags: str | Sequence[str]) -> int:
        """Put a tag, or several, to an image, or several; see ``change_tags``."""
        return self.change_tags(images, add=tags)

    def remove_tags(
        self, images: ImageName | Iterable[ImageName], tags: str | Sequence[str]
    ) -> int:
        """Take a tag, or several, from an image, or several; see ``change_tags``."""
        return self.change_tags(images, remove=tags)

    def rebuild(self, index: str | None = None, *, recall: float | None = None) -> None:
        """Make the store anew from the catalog, of another kind if ``index`` says so.

        No picture is decoded. What ``recall`` was asked for, now or before: see ``tune``.

        Raises:
            ConfigError: no such kind of index, or one that can't compare by the metric.
            StoreTrainingError: there are too few images to train it; nothing was changed.
            CollectionLockedError: another process is writing.
        """
        from image_similarity_search.collection.tuning import checked_recall, tuned

        recall = None if recall is None else checked_recall(recall)
        with self._writing(self._catalog.turns.whole(self._wait)):
            self._keeper.rebuild(index)
            weigh(self._catalog, self._keeper)
            known = self._catalog.measured.tuning()
            if target := recall or (known.target if known else None):
                tuned(self._catalog, self._searcher, self._keeper, target)

    def tune(self, recall: float) -> Tuning:
        """Tune the search depth to reach this recall at the least cost.

        Measured on up to 200 of the images, against exact search. The collection remembers the
        target, and tunes again when its search index is rebuilt. If the target can't be reached,
        the best depth is used and ``reached`` is False.

        Raises:
            ConfigError: ``recall`` is not above 0 and at most 1.
            CollectionLockedError: another process is writing.
        """
        from image_similarity_search.collection.tuning import checked_recall, tuned

        recall = checked_recall(recall)
        with self._writing(self._catalog.turns.whole(self._wait)):
            return tuned(self._catalog, self._searcher, self._keeper, recall)

    def untune(self) -> None:
        """Restore the default search depth, undoing ``tune``.

        Raises:
            CollectionLockedError: another process is writing.
        """
        with self._writing(self._catalog.turns.whole(self._wait)):
            with self._catalog.transaction():
                self._catalog.measured.set_tuning(None)
            self._keeper.refresh()

    def move(
        self, to: str, *, index: str | None = None, progress: ProgressCallback | None = None
    ) -> None:
        """Move the searched embeddings to a vector database, or back to a file (``"embedded"``).

        ``to`` is a URL as for ``open``; ``index`` is the kind of index there, if it is to change.
        The embeddings are copied from the catalog, which stays where it is, and compared with it.
        Run again after an interruption, the move continues.

        Raises:
            ConfigError: no such place, they are there already, or no such kind of index there.
            StoreMismatchError: in the engine is something else by that name.
            StoreUnavailableError: the engine can't be reached; nothing was changed.
            CollectionLockedError: another process is writing.
        """
        from image_similarity_search.collection.moving import moved

        with self._catalog.turns.whole(self._wait):
            self._catalog.check_in_place()
            moved(self._catalog, self._folder, to, index, progress)
            self._catalog.make_durable()
            self._keeper.close()
            self._search_by_store()
            weigh_once(self._catalog, self._keeper)

    def move_catalog(self, to: str, *, progress: ProgressCallback | None = None) -> None:
        """Move the catalog to a database that computers share, or back to a file.

        ``to`` is a URL as for ``open(catalog=)``, or ``"file"``: a file in the index folder. Ids,
        tags, embeddings and scores stay the same. Every row is compared before the collection
        switches; until then the catalog stays where it was, whatever happens. If the server is lost
        at the very end, the collection is opened where it then is. No other thread may use this
        object meanwhile; other processes must open the collection again.

        Raises:
            ConfigError: no such place, or the catalog is there already.
            CollectionExistsError: another collection is there; nothing was changed.
            CollectionCorruptError: the catalog is damaged; the same.
            CollectionUnavailableError: the server can't be reached; the same. Or it was lost.
            CollectionUnwritableError: it can't be made there; the same.
            CollectionLockedError: another process is writing.
        """
        from image_similarity_search.collection.catalog_moving import catalog_moved

        with self._catalog.turns.whole(self._wait):
            self._catalog.check_in_place()
            catalog_moved(self._catalog, self._folder, to, progress)
            if not self._catalog.is_shared:
                self._catalog.close()  # a file that is open can't be renamed everywhere
                whereabouts.set_aside(self._folder)
        self._let_go()
        self._use(Catalog(self._folder))

    def relocate(
        self, old: str | os.PathLike[str], new: str | os.PathLike[str], *, force: bool = False
    ) -> int:
        """Change the recorded location of a folder from ``old`` to ``new``.

        For a drive that is mounted elsewhere, or another drive with the same files. Nothing is read
        or encoded. Returns how many images (and skipped files) have a new path.

        Raises:
            FolderNotFoundError: ``old`` was not indexed; or most of the checked files are missing
                at ``new``, which ``force`` allows. Nothing was changed.
            ConfigError: ``new`` overlaps with another indexed folder.
            CollectionLockedError: another process is writing.
        """
        from image_similarity_search.collection.relocate import relocated

        with self._writing(self._catalog.turns.whole(self._wait)):
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
