"""Putting files back that were moved, put into the trash, or became links."""

from __future__ import annotations

import os
from collections.abc import Iterator

from image_similarity_search.collection.duplicates.files import (
    copy_to,
    free_name,
    move_into,
    put_in_place,
)
from image_similarity_search.collection.duplicates.trash import out_of_trash
from image_similarity_search.collection.duplicates.undo_log import Entry, UndoLog
from image_similarity_search.duplicates import Deed
from image_similarity_search.errors import ConfigError, ImageError
from image_similarity_search.images import decode


def undone(log: UndoLog) -> Iterator[Deed]:
    """Undo the last run that was not undone, the last action first.

    Raises:
        ConfigError: there is none.
    """
    entries = log.last_run()
    if not entries:
        expected = "something that was done, and not undone since"
        raise ConfigError("undo", log.path, expected, f"there is nothing to undo in {log.path}")
    for entry in entries:
        try:
            problem = _undo(entry)
        except ImageError as error:
            problem = error.reason
        except OSError as error:
            problem = error.strerror or str(error)
        yield Deed(entry.path, "undo", entry.kept, entry.size, entry.to, problem)
    log.write(Entry(entries[0].run, "undone"))


def _undo(entry: Entry) -> str:
    """Undo one action; returns why not, or nothing."""
    there = os.path.lexists(entry.path)
    if entry.action in ("hardlink", "symlink"):
        if not there:
            return "there is nothing any more"
        return _unlink(entry)
    if there:
        return "there is a file"
    if entry.action == "delete":
        return "it was deleted for good"
    if entry.action == "trash":
        return out_of_trash(entry.path, entry.content_hash)
    if not _is(entry.to, entry.content_hash):
        return f"{entry.to} is not the file that was moved"
    os.makedirs(os.path.dirname(entry.path), exist_ok=True)
    folder, name = os.path.split(entry.path)
    place = free_name(folder, name)
    move_into(entry.to, place)
    return "" if place == entry.path else f"it is {place} now"


def _unlink(entry: Entry) -> str:
    """Make a file of its own of a link again."""
    is_link = os.path.islink(entry.path)
    if not is_link and not os.path.samefile(entry.path, entry.kept):
        return "it is no link"
    if is_link and os.readlink(entry.path) != entry.kept:
        return "it leads elsewhere by now"
    if not _is(entry.kept, entry.content_hash):
        return f"{entry.kept} was changed since"
    put_in_place(entry.path, copy_to(entry.kept, entry.mtime_ns, entry.mode))
    return ""


def _is(path: str, content_hash: str) -> bool:
    """Whether a file has this content."""
    return decode.content_hash(decode.read_file(path)) == content_hash
