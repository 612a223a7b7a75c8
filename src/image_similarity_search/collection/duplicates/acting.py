"""Doing something with what could go: only with files that are still what was compared.

Nothing is done for a group whose image to keep is not there, whole and unchanged. That is
looked at again before each file, so that whatever happens meanwhile, one of each group stays;
and whether it stays without the file that goes, which may be the same by another path.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from image_similarity_search.catalog.tags import tags_in
from image_similarity_search.collection.duplicates.apart import bring_back, check_apart
from image_similarity_search.collection.duplicates.checks import (
    problem_with,
    same_bytes,
    same_file,
)
from image_similarity_search.collection.duplicates.files import (
    free_name,
    move_into,
    put_in_place,
)
from image_similarity_search.collection.duplicates.leavings import drop_leavings
from image_similarity_search.collection.duplicates.ordering import SAME_SIZE, pixels_of
from image_similarity_search.collection.duplicates.trash import check_trash, into_trash
from image_similarity_search.collection.duplicates.undo_log import Entry, UndoLog
from image_similarity_search.duplicates import (
    DUPLICATE_ACTIONS,
    DUPLICATE_LEVELS,
    NO_COLOURS,
    Deed,
    Duplicate,
    DuplicateAction,
    DuplicateGroup,
    DuplicateLevel,
)
from image_similarity_search.errors import ConfigError, reason_of
from image_similarity_search.images.rules import package_in
from image_similarity_search.types import ImageRecord

_LINKS = ("hardlink", "symlink")


@dataclass(frozen=True, slots=True)
class Actor:
    """Does one action; without a ``log`` it only says what it would do.

    Attributes:
        action: what to do.
        level: the least alike to do it with; what is ``similar`` is left in any case.
        to: the folder to move to.
        log: where it is written down.

    Raises:
        ConfigError: no such action or level, or no folder to move to.
    """

    action: DuplicateAction
    level: DuplicateLevel
    to: str | None
    log: UndoLog | None

    def __post_init__(self) -> None:
        """Check the values."""
        if self.action not in DUPLICATE_ACTIONS:
            raise ConfigError("action", self.action, f"one of {', '.join(DUPLICATE_ACTIONS)}")
        if self.level not in DUPLICATE_LEVELS:
            raise ConfigError("level", self.level, f"one of {', '.join(DUPLICATE_LEVELS)}")
        if (self.action == "move") != bool(self.to):
            raise ConfigError("to", self.to, "a folder, with the action move only")
        if self.to is not None:
            _check_folder(self.to)
        if self.action == "trash":
            check_trash()

    def run(self, groups: Iterable[DuplicateGroup]) -> Iterator[Deed]:
        """Do it with all images of these groups but those to keep.

        Raises:
            CollectionUnwritableError: it can't be written down; what was not done is left.
            ConfigError: the folder to move to can't be made; the same.
        """
        run = uuid.uuid4().hex
        if self.log:
            self._clear_up(self.log)
        for group in groups:
            for other in group.others:
                problem, to = self._problem(group, other), ""
                if not problem:
                    self._make_folder()
                    try:
                        to = self._do(run, group.keep, other.image)
                    except OSError as error:
                        problem = reason_of(error)
                image = other.image
                yield Deed(image.path, self.action, group.keep.path, image.size, to, problem)

    def _problem(self, group: DuplicateGroup, other: Duplicate) -> str:
        """Why nothing is to be done with an image."""
        keep = group.keep
        if other.level == "similar":
            return "it is not a copy, only similar"
        if not group.goes:
            return "closer copies are handled first: run again afterwards"
        if DUPLICATE_LEVELS.index(other.level) > DUPLICATE_LEVELS.index(self.level):
            return f"its level is {other.level}: it is removed only if you ask for this level"
        if package := package_in(os.path.dirname(other.image.path)):
            return f"it is in {package}, whose application manages its files"
        if NO_COLOURS in other.change and _is_larger(other.image, keep):
            return "it has more pixels, but the kept file is the one in colour"
        if other.lost and self.action not in _LINKS:  # a link has what the file has, and its name
            return f"removing it would lose: {', '.join(other.lost)}"
        if problem := problem_with(keep):
            return f"{keep.path}, the file to keep: {problem}"
        if problem := problem_with(other.image):
            return problem
        try:
            if same_file(keep.path, other.image.path):
                return "it is the same file as the kept one"
            if self.action in _LINKS and not same_bytes(keep.path, other.image.path):
                return "a link would change it: its bytes differ from the kept file's"
        except OSError as error:
            return reason_of(error)
        return ""

    def _do(self, run: str, keep: ImageRecord, image: ImageRecord) -> str:
        """Do it; returns where the file went, where that is known."""
        if self.log is None:
            return ""
        path = image.path
        status = os.lstat(path)
        tags = [] if self.action in _LINKS else tags_in(image.metadata)
        entry = Entry(
            run=run,
            action=self.action,
            path=path,
            kept=keep.path,
            content_hash=image.content_hash or "",
            size=image.size,
            mtime_ns=status.st_mtime_ns,
            mode=status.st_mode & 0o7777,
            tags=tags,
            handed=[tag for tag in tags if tag not in tags_in(keep.metadata)],
        )
        if self.to is not None:
            to = free_name(os.path.abspath(self.to), os.path.basename(path))
            entry = replace(entry, to=to)
        self.log.write(entry)
        try:
            check_apart(entry)
            self._act(entry)
        except OSError:
            if os.path.lexists(path):  # nothing was done, so there is nothing to undo
                self.log.write(Entry(run, "undone", path))
            raise
        return entry.to

    @staticmethod
    def _clear_up(log: UndoLog) -> None:
        """Put right what killed processes left."""
        entries = log.not_undone()
        for entry in entries:
            with suppress(OSError):  # its disk is not there; the next one tries again
                if entry.action in DUPLICATE_ACTIONS and bring_back(entry):
                    log.write(Entry(entry.run, "undone", entry.path))
        drop_leavings(entries)

    def _act(self, entry: Entry) -> None:
        path, kept = entry.path, entry.kept
        if self.action == "move":
            move_into(path, entry.to)
        elif self.action == "trash":
            into_trash(path)
        elif self.action == "delete":
            os.unlink(path)
        elif self.action == "hardlink":
            put_in_place(path, lambda made: os.link(kept, made, follow_symlinks=False))
        else:
            put_in_place(path, lambda made: os.symlink(kept, made))

    def _make_folder(self) -> None:
        """Make the folder to move to, where something is to be moved."""
        if self.log is None or self.to is None:
            return
        try:
            os.makedirs(self.to, exist_ok=True)
        except OSError as error:
            raise _no_folder(self.to, f"it can't be made ({reason_of(error)})") from error


def _is_larger(image: ImageRecord, other: ImageRecord) -> bool:
    return SAME_SIZE * pixels_of(image) > pixels_of(other)


def _check_folder(to: str) -> None:
    """Refuse where no folder is, nor can be made, or nothing can be moved into it."""
    place = os.path.abspath(to)
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    if not os.path.isdir(place):
        raise _no_folder(to, f"{place} is not a folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise _no_folder(to, f"nothing can be written to {place}")


def _no_folder(to: str, reason: str) -> ConfigError:
    return ConfigError("to", to, f"a folder, which is created if needed; {reason}")
