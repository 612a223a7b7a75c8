"""Putting files back that were moved, put into the trash, or became links."""

from __future__ import annotations

import os
from collections.abc import Iterator

from image_similarity_search.collection.duplicates.apart import bring_back
from image_similarity_search.collection.duplicates.files import (
    copy_to,
    put_back,
    put_in_place,
)
from image_similarity_search.collection.duplicates.leavings import (
    drop_copy,
    drop_leavings,
    drop_part,
)
from image_similarity_search.collection.duplicates.trash import out_of_trash
from image_similarity_search.collection.duplicates.undo_log import Entry, UndoLog
from image_similarity_search.duplicates import Deed
from image_similarity_search.errors import ConfigError, ImageError, reason_of
from image_similarity_search.images import decode


def undone(log: UndoLog) -> Iterator[Deed]:
    """Undo the last run that was not undone, the last action first.

    Raises:
        ConfigError: there is none.
    """
    entries = log.last_run()
    if not entries:
        expected = "an action that was not undone yet"
        raise ConfigError("undo", log.path, expected, f"there is nothing to undo in {log.path}")
    drop_leavings([entry for entry in log.not_undone() if not entry.to])
    ended: list[Entry] = []
    for entry in entries:
        try:
            problem = _undo(entry)
            ended.append(entry)
        except _LeftError as error:
            problem = str(error)
        except ImageError as error:
            problem = f"{error.path}: {error.reason}"
        except OSError as error:
            problem = reason_of(error)
        yield Deed(entry.path, "undo", entry.kept, entry.size, entry.to, problem)
    log.end(entries[0].run, ended, [entry for entry in entries if entry not in ended])


class _LeftError(Exception):
    """It can't be undone as things are: the message says why."""


def _undo(entry: Entry) -> str:
    """Undo one action; returns what else there is to say.

    Raises:
        _LeftError, ImageError, OSError: it could not be done now.
    """
    if place := bring_back(entry):
        return "" if place == entry.path else f"it is {place} now"
    if entry.to:
        if drop_copy(entry.to, entry.path):
            return ""
        drop_part(entry.to, entry.path, entry.size)
        drop_part(entry.path, entry.to, entry.size)
    there = os.path.lexists(entry.path)
    if entry.action in ("hardlink", "symlink"):
        if not there:
            raise _LeftError("it no longer exists")
        _unlink(entry)
        return ""
    if entry.action == "delete":
        return "it was deleted permanently"
    if there and entry.to and not os.path.lexists(entry.to):
        return "it was never moved"
    if there:
        where = f"; the moved file is {entry.to}" if entry.to else ""
        raise _LeftError(f"there is a file{where}")
    if entry.action == "trash":
        place = out_of_trash(entry.path, entry.content_hash)
        if not place:
            raise _LeftError("it was not found in the trash: look there yourself")
    elif _is(entry.to, entry.content_hash):
        place = put_back(entry.to, entry.path)
    else:
        raise _LeftError(f"{entry.to} is not the file that was moved")
    return "" if place == entry.path else f"it is {place} now"


def _unlink(entry: Entry) -> None:
    """Make a file of its own of a link again."""
    is_link = os.path.islink(entry.path)
    if not is_link and not os.path.samefile(entry.path, entry.kept):
        raise _LeftError("it is not a link")
    if is_link and os.readlink(entry.path) != entry.kept:
        raise _LeftError("it now leads elsewhere")
    if not _is(entry.kept, entry.content_hash):
        raise _LeftError(f"{entry.kept} changed since")
    put_in_place(entry.path, copy_to(entry.kept, entry.mtime_ns, entry.mode))


def _is(path: str, content_hash: str) -> bool:
    """Whether a file has this content."""
    return decode.content_hash(decode.read_file(path)) == content_hash
