"""What a scan of a folder is given, and what it fills."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from image_similarity_search.arguments import several
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.values import FileStat, Known
from image_similarity_search.collection.logs import shown
from image_similarity_search.collection.missing_files import MissingFiles
from image_similarity_search.collection.originals import content_hash
from image_similarity_search.collection.other_files import OtherFiles
from image_similarity_search.collection.worklist import Work, Worklist
from image_similarity_search.reports import SyncReport
from image_similarity_search.types import ProgressCallback

_PATTERNS = "a pattern such as *.png, or several"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WalkOptions:
    """Which files of a folder count; see ``Collection.sync``."""

    include: str | Sequence[str] = ()
    exclude: str | Sequence[str] = ()
    follow_symlinks: bool = False
    all_files: bool = False
    retry_skipped: bool = False
    checksum: bool = False
    skip: Sequence[str] = ()
    forget: bool = True

    def __post_init__(self) -> None:
        """Check the patterns, and bring them to one form."""
        for name in ("include", "exclude"):
            object.__setattr__(self, name, several(name, getattr(self, name), str, _PATTERNS))


@dataclass(slots=True)
class Scan:
    """One scan: what it looks with, and what it found.

    Attributes:
        catalog: what is known.
        options: which files count.
        progress: is told how far it is.
        report: counts what needs no work.
        others: counts the files that are passed over, by their extensions.
        todo: the new and changed files.
        missing_files: images whose file is gone or replaced.
    """

    catalog: Catalog
    options: WalkOptions
    progress: ProgressCallback
    report: SyncReport = field(default_factory=SyncReport)
    others: OtherFiles = field(default_factory=OtherFiles)
    todo: Worklist = field(default_factory=Worklist)
    missing_files: MissingFiles = field(default_factory=MissingFiles)

    def compare(self, folder: str, name: str, path: str, stat: FileStat, old: Known | None) -> None:
        """Note what is to be done with a file, given what is known of it."""
        why = self._why_to_look(path, stat, old)
        if why:
            _log.debug("%s: %s", shown(path), why)
            self.todo.append(Work(folder, name, stat, old.id if old else None))
            if old:
                self.missing_files.add_replaced(old)
        elif old and old.skipped:
            self.report.skipped += 1
            if _log.isEnabledFor(logging.INFO):
                record = self.catalog.record(old.id)
                _log.info("%s: still skipped: %s", shown(path), record and record.reason)
        else:
            self.report.unchanged += 1
            _log.debug("%s: unchanged", shown(path))

    def pass_over(self, name: str, path: str, why: str = "not a supported picture format") -> None:
        """Note a file that does not count."""
        self.report.others += 1
        self.others.add(name)
        _log.debug("%s: ignored: %s", shown(path), why)

    def vanish(self, files: Iterable[Known], *, forget: bool = True) -> None:
        """Note that these files are not there any more; ``forget`` them if they don't turn up."""
        for known in files:
            self.missing_files.add_gone(known, forget=forget)

    def leave(self, files: Iterable[Known]) -> None:
        """Note that the disk that these files are on is not there."""
        for known in files:
            self.missing_files.add_away(known)

    def _why_to_look(self, path: str, stat: FileStat, old: Known | None) -> str | None:
        """Why a file is looked into, if it is."""
        if old is None:
            return "new"
        if not old.stat.agrees_with(stat):
            return "size or time changed"
        # a bad file that could not even be read may be readable now, with nothing else changed
        if old.skipped and (old.content_hash is None or self.options.retry_skipped):
            return "retried"
        if self.options.checksum and content_hash(path) != old.content_hash:
            return "content changed, with the same size and time"
        return None
