"""What a collection does about duplicates."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from image_similarity_search.collection.changing import ChangeableCollection
from image_similarity_search.collection.logs import shown
from image_similarity_search.collection.queries import checked_path
from image_similarity_search.errors import ImageSearchError
from image_similarity_search.filters import Filter
from image_similarity_search.types import DEFAULT_TIME_LIMIT, ProgressCallback

if TYPE_CHECKING:  # what few processes need, they import when they do
    from image_similarity_search.collection.duplicates.undo_log import Entry
    from image_similarity_search.duplicates import (
        ActionReport,
        DuplicateAction,
        DuplicateGroup,
        DuplicateLevel,
        DuplicateReport,
    )

_log = logging.getLogger(__name__)


class DeduplicatedCollection(ChangeableCollection):
    """The use cases of duplicates."""

    def duplicates(
        self,
        level: DuplicateLevel = "near",
        *,
        likeness: float | None = None,
        score: float | None = None,
        where: Filter | None = None,
        references: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
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
            score: of embeddings, for ``similar``; 0.75.
            where: the images to compare; without it, all.
            references: a folder, or several, whose images stay, and are not compared with one
                another.
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
        from image_similarity_search.collection.duplicates.asking import found_duplicates

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
        from image_similarity_search.collection.duplicates.asking import dismissed_pairs

        with self._writing():
            return dismissed_pairs(self._catalog, self._folder, images)

    def resolve_duplicates(
        self,
        groups: DuplicateGroup | Sequence[DuplicateGroup],
        action: DuplicateAction,
        *,
        level: DuplicateLevel = "same",
        to: str | os.PathLike[str] | None = None,
        dry_run: bool = True,
    ) -> ActionReport:
        """Do something with the files that could go, of groups that ``duplicates`` found.

        Unless ``dry_run`` is False, it is only told what would be done. Nothing is done with
        changed copies, unless ``level`` is ``near``: pixels don't tell which of two was changed.
        Nor with images that are ``similar``, with files that were changed since they were
        indexed, with links, with the image to keep by another path, or for a group whose image to
        keep is not as it was indexed. What was done is written down first, for
        ``undo_duplicates``; files that are gone are forgotten, and their tags put to the image
        that stays.

        Args:
            groups: groups of ``duplicates``, some of them, or one.
            action: ``trash`` (the desktop's), ``move`` (to the folder ``to``), ``hardlink`` or
                ``symlink`` (to the image that stays; only of the same bytes), or ``delete``.
            level: the least alike with which something is done; ``near`` is to be said.
            to: the folder to move to; it is made if need be. Not one that is indexed.
            dry_run: say False to do it.

        Raises:
            ConfigError: no such action or level, or nothing to do it with.
            CollectionLockedError: another process is writing.
            CollectionUnwritableError: it can't be written down, or forgotten.
        """
        from image_similarity_search.collection.duplicates.asking import resolved
        from image_similarity_search.collection.duplicates.undo_log import UndoLog

        where = None if to is None else checked_path(to)
        if dry_run:
            return resolved(self._catalog, None, groups, action, level, where)
        with self._writing():
            log = UndoLog(self._folder)
            report = resolved(self._catalog, log, groups, action, level, where)
            self._keeper.refresh()
        return report

    def undo_duplicates(self) -> ActionReport:
        """Undo the last ``resolve_duplicates`` that was not undone; files come back into it.

        What was deleted is gone. The next ``sync`` finds the files, and encodes them; those that
        had tags are indexed at once, and have them again.

        Raises:
            ConfigError: there is nothing to undo.
            CollectionLockedError: another process is writing.
        """
        from image_similarity_search.collection.duplicates.handing import still_theirs
        from image_similarity_search.collection.duplicates.undo_log import UndoLog
        from image_similarity_search.collection.duplicates.undoing import undone
        from image_similarity_search.duplicates import ActionReport

        log = UndoLog(self._folder)
        with self._writing(self._catalog.turns.whole(self._wait)):
            entries, run = log.last_run(), log.not_undone()
            report = ActionReport(False, list(undone(log)))
            back = {deed.path for deed in report.done}
            tagged = [entry for entry in entries if entry.tags and entry.path in back]
            if tagged:
                self._give_back_tags(tagged, still_theirs(run, back))
        return report

    def _give_back_tags(self, entries: Sequence[Entry], theirs: Mapping[str, set[str]]) -> None:
        """Index files that are back and had tags, and take these from the images that stayed.

        But not those that are ``theirs``, by path. What fails is told, and the rest goes on.
        """
        from image_similarity_search.collection.duplicates.handing import gave_back

        try:
            self._index([entry.path for entry in entries if os.path.isfile(entry.path)])
        except ImageSearchError as error:
            _log.warning("some restored files could not be indexed: %s", error)
        for entry in entries:
            if not gave_back(self._catalog, entry, theirs.get(entry.kept, set())):
                tags = ", ".join(entry.tags)
                _log.warning("%s was restored, but not its tags: %s", shown(entry.path), tags)
        self._keeper.refresh()
