"""Make the catalog say what a folder holds."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.places import Place
from image_similarity_search.catalog.values import FileStat, Known
from image_similarity_search.collection.embedding import Embedder
from image_similarity_search.collection.indexing import Indexer, KeepThumbnails
from image_similarity_search.collection.logs import shown
from image_similarity_search.collection.pipeline import Job, Load
from image_similarity_search.collection.vacated import Vacated
from image_similarity_search.collection.worklist import Work, Worklist
from image_similarity_search.errors import FolderNotFoundError, ImageError
from image_similarity_search.images.walk import FoundFile, FoundFolder, walk
from image_similarity_search.types import (
    Progress,
    ProgressCallback,
    SyncInterrupted,
    SyncReport,
)

_log = logging.getLogger(__name__)

_SETTLED_AT_ONCE = 256  # files looked at before one transaction keeps what is known of them


@dataclass(frozen=True, slots=True)
class WalkOptions:
    """Which files of a folder count; see ``Collection.sync``."""

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    follow_symlinks: bool = False
    all_files: bool = False
    retry_skipped: bool = False
    checksum: bool = False
    skip: Sequence[str] = ()


class Sync:
    """One sync of one folder; the caller holds the writer lock."""

    def __init__(
        self,
        catalog: Catalog,
        embedder: Embedder,
        load: Load,
        folder: str,
        options: WalkOptions,
        progress: ProgressCallback | None,
        keep_thumbnails: KeepThumbnails,
    ) -> None:
        self._catalog = catalog
        self._load = load
        self._folder = os.path.realpath(folder)
        self._options = options
        self._progress = progress or (lambda _: None)
        self._report = SyncReport()
        self._todo = Worklist()
        self._vacated = Vacated()
        self._indexer = Indexer(catalog, embedder, self._report, self._vacated, keep_thumbnails)
        self._done = 0  # files of the worklist

    @property
    def vacated_contents(self) -> set[str]:
        """The contents of files that were gone or replaced; some may have turned up."""
        return self._vacated.contents

    def run(self) -> SyncReport:
        """Bring the catalog up to date.

        Raises:
            FolderNotFoundError: the folder is not there; nothing was changed.
            SyncInterrupted: Ctrl-C; what was done is kept.
        """
        started = time.perf_counter()
        try:
            if not os.path.isdir(self._folder):
                raise FolderNotFoundError(self._folder, "no such folder; nothing was changed")
            self._root_id, self._start = self._require_root()
            self._scan()
            self._index()
            self._forget()
        except KeyboardInterrupt as interrupt:
            raise SyncInterrupted(self._report) from interrupt
        finally:
            self._todo.close()
            self._report.seconds = time.perf_counter() - started
        return self._report

    def _require_root(self) -> tuple[int, str]:
        root_id, start = self._catalog.places.locate(self._folder)
        if root_id in self._catalog.places.roots():
            return root_id, start
        with self._catalog.transaction():
            return self._catalog.places.require_root(self._folder)

    # First what there is to do …

    def _scan(self) -> None:
        places = self._catalog.places
        root = places.roots()[self._root_id]
        unvisited = places.folders_below(self._root_id, self._start)
        if unvisited and _is_empty(self._folder):
            self._report.unreadable_folders.append(
                f"{self._folder}: it is empty, as where a disk is not mounted"
                " ('iss remove' forgets what it held)"
            )
            return
        seen = 0
        options = self._options
        for found in walk(
            root,
            self._start,
            include=options.include,
            exclude=options.exclude,
            follow_symlinks=options.follow_symlinks,
            all_files=options.all_files,
            skip=options.skip,
        ):
            if found.error is not None:
                unreadable = f"{os.path.join(root, found.path)}: {found.error}"
                self._report.unreadable_folders.append(unreadable)
                _log.info("%s: what is known of it is kept", shown(unreadable))
                unvisited = _without(unvisited, found.path)
                continue
            folder_id = unvisited.pop(found.path, None)
            self._compare(root, found, folder_id)
            seen += len(found.files)
            self._progress(Progress("scanning", seen, None))
        for folder_id in unvisited.values():
            self._vanish(self._catalog.files.in_folder(folder_id).values())

    def _compare(self, root: str, found: FoundFolder, folder_id: int | None) -> None:
        self._report.others += found.others
        files, known = self._to_look_at(found, folder_id)
        for file in files:
            old = known.pop(file.name, None)
            stat = FileStat(file.size, file.mtime_ns)
            path = os.path.join(root, found.path, file.name)
            why = self._why_to_look(path, stat, old)
            if why:
                _log.debug("%s: %s", shown(path), why)
                self._todo.append(Work(found.path, file.name, stat, old.id if old else None))
                if old:
                    self._vacated.add_replaced(old)
            elif old and old.skipped:
                self._report.skipped += 1
                if _log.isEnabledFor(logging.INFO):
                    record = self._catalog.record(old.id)
                    _log.info("%s: skipped as before: %s", shown(path), record and record.reason)
            else:
                self._report.unchanged += 1
                _log.debug("%s: unchanged", shown(path))
        self._vanish(known.values())

    def _to_look_at(
        self, found: FoundFolder, folder_id: int | None
    ) -> tuple[list[FoundFile], dict[str, Known]]:
        """The files of a folder, and what is known there, without those that are unchanged."""
        if folder_id is None:
            return found.files, {}
        if self._options.checksum or _log.isEnabledFor(logging.DEBUG):  # of each there is to say
            return found.files, self._catalog.files.in_folder(folder_id)
        known = self._catalog.files.indexed_as(folder_id)
        files = [file for file in found.files if known.pop(file, None) is None]
        self._report.unchanged += len(found.files) - len(files)
        return files, self._catalog.files.of(known.values()) if known else {}

    def _why_to_look(self, path: str, stat: FileStat, old: Known | None) -> str | None:
        """Why a file is looked into, if it is."""
        if old is None:
            return "new"
        if old.stat != stat:
            return "another size or time than before"
        # a bad file that could not even be read may be readable now, with nothing else changed
        if old.skipped and (old.content_hash is None or self._options.retry_skipped):
            return "tried again"
        if self._options.checksum and _content_hash(path) != old.content_hash:
            return "other content than before, though of the same size and time"
        return None

    def _vanish(self, files: Iterable[Known]) -> None:
        for known in files:
            self._vacated.add_gone(known)

    # … then do it

    def _index(self) -> None:
        self._vacate_missing_roots()
        self._say_done(0)
        for count in self._indexer.run(self._load(self._unsettled())):
            self._say_done(count)

    def _say_done(self, count: int) -> None:
        self._done += count
        self._progress(Progress("indexing", self._done, len(self._todo)))

    def _vacate_missing_roots(self) -> None:
        """A folder that was moved as a whole is a root that is gone and one that is new."""
        places = self._catalog.places
        for root_id, root in places.roots().items():
            if not os.path.isdir(root):
                for folder_id in places.folders_below(root_id, "").values():
                    for known in self._catalog.files.in_folder(folder_id).values():
                        self._vacated.add_gone(known, forget=False)

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
        """The hash of a file that may be known by its content, if it is."""
        if job.known_id is None and job.stat.size not in self._vacated.sizes:
            return None
        content_hash = _content_hash(job.path)
        return content_hash if content_hash and self._indexer.knows(content_hash) else None

    def _jobs(self) -> Iterator[Job]:
        places = self._catalog.places
        root = places.roots()[self._root_id]
        folder: str | None = None
        for work in self._todo:
            if work.folder != folder:
                folder = work.folder
                folder_id = places.require_folder(self._root_id, folder)
            path = os.path.join(root, folder, work.name)
            yield Job(path, Place(folder_id, work.name), work.stat, work.known_id)

    def _forget(self) -> None:
        gone = self._vacated.to_forget
        if _log.isEnabledFor(logging.DEBUG):
            for record in self._catalog.records(gone).values():
                _log.debug("%s: forgotten, its file is gone", shown(record.path))
        moved = self._report.moved > 0
        if gone or moved or not self._catalog.places.folders_below(self._root_id, ""):
            with self._catalog.transaction():
                self._catalog.remove(gone)
                self._catalog.places.forget_empty()
        self._report.removed = len(gone)


def _content_hash(path: str) -> str | None:
    """The hash of a file; None where it can't be read, which the pipeline will say why."""
    from image_similarity_search.images import decode

    try:
        return decode.hash_file(path)
    except ImageError:
        return None


def _is_empty(folder: str) -> bool:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return next(entries, None) is None
    return False


def _without(folders: dict[str, int], path: str) -> dict[str, int]:
    """The folders that are not at or below ``path``."""
    if not path:
        return {}
    return {p: i for p, i in folders.items() if p != path and not p.startswith(path + "/")}
