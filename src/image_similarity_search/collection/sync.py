"""Make the catalog say what a folder holds."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Set
from itertools import chain, islice

from image_similarity_search.addresses import is_address, is_row
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.places import Place
from image_similarity_search.catalog.rows import joined
from image_similarity_search.collection.duplicates.handing import hand_on_tags
from image_similarity_search.collection.embedding import Embedder
from image_similarity_search.collection.folder_scan import scan_folder
from image_similarity_search.collection.indexing import Indexer, KeepThumbnails
from image_similarity_search.collection.logs import shown
from image_similarity_search.collection.object_scan import scan_objects
from image_similarity_search.collection.originals import check_folder, content_hash
from image_similarity_search.collection.pipeline import Job, Load
from image_similarity_search.collection.scanning import Scan, WalkOptions
from image_similarity_search.collection.thumbnails import KeptThumbnail
from image_similarity_search.collection.trait_filling import fill_traits
from image_similarity_search.reports import SyncInterrupted, SyncReport
from image_similarity_search.types import Progress, ProgressCallback

_log = logging.getLogger(__name__)

_SETTLED_AT_ONCE = 256  # files looked at before one transaction keeps what is known of them


class Sync:
    """One sync of one folder, or of a part of object storage; the caller holds the writer lock."""

    def __init__(
        self,
        catalog: Catalog,
        prepared: Callable[[], tuple[Embedder, Load]],
        folder: str,
        options: WalkOptions,
        progress: ProgressCallback | None,
        keep_thumbnails: KeepThumbnails,
        kept_thumbnail: KeptThumbnail,
    ) -> None:
        """For ``run``; ``prepared`` is called when the first picture is to be encoded."""
        self._kept_thumbnail = kept_thumbnail
        self._catalog = catalog
        self._prepared = prepared
        self._folder = folder if is_address(folder) else os.path.realpath(folder)
        self._progress = progress or (lambda _: None)
        self._scan = Scan(catalog, options, self._progress)
        self._report = self._scan.report
        self._todo = self._scan.todo
        self._missing = self._scan.missing_files
        self._indexer = Indexer(catalog, self._report, self._missing, keep_thumbnails)
        self._done = 0  # files of the worklist

    @property
    def vacated_contents(self) -> set[str]:
        """The contents of files that were gone or replaced; some may have turned up."""
        return self._missing.contents

    def run(self) -> SyncReport:
        """Bring the catalog up to date.

        Raises:
            FolderNotFoundError: the folder is not there, or can't be listed; nothing was changed.
            SourceUnavailableError: the object storage can't be listed, and nothing was changed;
                or it can't be read any more, and what was done is kept.
            EncoderError: a picture is to be encoded, and that can't be done; the same.
            SyncInterrupted: Ctrl-C; what was done is kept.
        """
        started = time.perf_counter()
        try:
            if not is_address(self._folder):
                check_folder(self._folder)
            self._root_id, self._start = self._require_root()
            scan = scan_objects if is_address(self._folder) else scan_folder
            scan(self._scan, self._root_id, self._start)
            self._index()
            self._forget()
            self._fill()
        except KeyboardInterrupt as interrupt:
            raise SyncInterrupted(self._report) from interrupt
        finally:
            self._todo.close()
            self._report.other_kinds = self._scan.others.most()
            self._report.seconds = time.perf_counter() - started
        return self._report

    def _fill(self) -> None:
        """Read the traits that are lacking, as where a collection was imported."""
        folders = self._catalog.places.folders_below(self._root_id, self._start)
        fill_traits(self._catalog, folders.values(), self._kept_thumbnail, self._progress)

    def _require_root(self) -> tuple[int, str]:
        root_id, start = self._catalog.places.locate(self._folder)
        if root_id in self._catalog.places.roots():
            self._catalog.places.check_turn(root_id)
            return root_id, start
        if is_address(self._folder):
            check_folder(self._folder)
        with self._catalog.transaction():
            return self._catalog.places.require_root(self._folder)

    def _index(self) -> None:
        self._vacate_missing_roots()
        self._say_done(0)
        jobs = self._unsettled()
        if (first := next(jobs, None)) is None:
            return  # no picture needs the encoder, which may not be here
        embedder, load = self._prepared()
        for count in self._indexer.run(load(chain([first], jobs)), embedder):
            self._say_done(count)

    def _say_done(self, count: int) -> None:
        self._done += count
        self._progress(Progress("indexing", self._done, len(self._todo)))

    def _vacate_missing_roots(self) -> None:
        """A folder that was moved as a whole is a root that is gone and one that is new."""
        places = self._catalog.places
        for root_id, root in places.roots().items():
            if places.is_missing(root):
                is_disk = root in self._catalog.disks.known()
                for folder_id in places.folders_below(root_id, "").values():
                    files = self._catalog.files.in_folder(folder_id).values()
                    if is_disk:
                        self._scan.leave(files)
                    else:
                        self._scan.vanish(files, forget=False)

    def _unsettled(self) -> Iterator[Job]:
        """The files that must be decoded: not those that were plainly moved or only touched."""
        jobs = self._jobs()
        while part := list(islice(jobs, _SETTLED_AT_ONCE)):
            known = {job: digest for job in part if (digest := self._known_content(job))}
            if known:
                with self._indexer.transaction():
                    settled = {job for job in known if self._indexer.settle(job, known[job])}
                self._say_done(len(settled))
                part = [job for job in part if job not in settled]
            yield from part

    def _known_content(self, job: Job) -> str | None:
        """The hash of a file that may be known by its content, if it is.

        An object is not asked for twice: that it is known is seen when it was decoded. Of a row
        of a Parquet file, the listing has it.
        """
        if is_address(job.path) and not is_row(job.path):
            return None
        if job.known_id is None and job.stat.size not in self._missing.sizes:
            return None
        digest = content_hash(job.path, job.stat)
        return digest if digest and self._indexer.knows(digest) else None

    def _jobs(self) -> Iterator[Job]:
        places = self._catalog.places
        root = places.roots()[self._root_id]
        folder: str | None = None
        for work in self._todo:
            if work.folder != folder:
                folder = work.folder
                folder_id = places.require_folder(self._root_id, folder)
            path = joined(*map(os.fsencode, (root, folder, work.name)))
            yield Job(path, Place(folder_id, work.name), work.stat, work.known_id)

    def _forget(self) -> None:
        gone = self._missing.to_forget
        if not self._scan.options.forget:
            self._report.vanished, gone = len(gone), set()
        if _log.isEnabledFor(logging.DEBUG):
            for record in self._catalog.records(gone - self._missing.aliases.keys()).values():
                _log.debug("%s: removed, its file is gone", shown(record.path))
        moved = self._report.moved > 0 or self._missing.bad_turned_up
        if gone or moved or not self._catalog.places.folders_below(self._root_id, ""):
            with self._catalog.transaction():
                gone = self._catalog.still_at({id_: self._missing.seen[id_] for id_ in gone})
                gone -= self._without_heir(gone)
                self._catalog.changes.remove(gone, handed_on=self._missing.aliases.keys())
                self._catalog.places.forget_empty()
        self._report.removed = len(gone)

    def _without_heir(self, gone: Set[int]) -> set[int]:
        """Let a file that counts have the tags that were put to a link to it.

        Returns the links whose files are not known, as where only a part of a folder is synced.
        """
        without = set()
        for id_ in gone & self._missing.aliases.keys():
            path, link = self._missing.aliases[id_], self._catalog.record(id_)
            if link and hand_on_tags(self._catalog, link, path):
                told = "%s: removed, a link to %s, which has its tags now"
                _log.info(told, shown(link.path), shown(path))
            else:
                without.add(id_)
        return without
