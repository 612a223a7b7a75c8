"""What a killed process left of an action, or of undoing one: deleted by the next one."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import stat
from collections import defaultdict
from collections.abc import Sequence

from image_similarity_search.collection.duplicates.checks import are_files, begins_with, same_bytes
from image_similarity_search.collection.duplicates.files import BESIDE
from image_similarity_search.collection.duplicates.undo_log import Entry
from image_similarity_search.collection.logs import shown

_MADE_BESIDE = re.compile(re.escape(BESIDE) + "[a-z0-9_]{8}")  # as ``tempfile`` names it
_log = logging.getLogger(__name__)
_CLOCK_NS = 2 * 10**9  # as exactly as every disk keeps times


def drop_leavings(entries: Sequence[Entry]) -> None:
    """Delete what is left of these, where nothing is lost with it; they are those not undone."""
    links: defaultdict[str, list[Entry]] = defaultdict(list)
    last = {entry.run: entry for entry in entries if entry.to}
    for entry in entries:
        if entry.to:
            drop_part(entry.to, entry.path, entry.size)
            if entry is last[entry.run]:  # others are whole: what is at both is somebody's copy
                drop_copy(entry.to, entry.path)
        elif entry.action in ("hardlink", "symlink"):
            links[os.path.dirname(entry.path)].append(entry)
    for folder, inside in links.items():
        _drop_beside(folder, inside)


def drop_part(part: str, whole: str, size: int) -> None:
    """Delete ``part`` where it is less than ``size`` bytes, and nothing but the first of ``whole``.

    A process that is killed while it moves a file of this size leaves such a one, or an empty one.
    """
    with contextlib.suppress(OSError):  # one of them is not there, as a rule
        if _are_two(part, whole) and os.path.getsize(part) < size and begins_with(whole, part):
            os.unlink(part)
            _told(part, "what a move that was killed left, a part of", whole)


def drop_copy(copy: str, path: str) -> bool:
    """Delete ``copy`` where ``path`` is another file of the same bytes, time and rights.

    Returns whether it was. A process leaves both that is killed just before the end of a move to
    another disk; where it was killed a little sooner, or somebody copied the file, both stay.
    """
    with contextlib.suppress(OSError):
        if _are_two(copy, path) and _is_as(copy, path) and same_bytes(copy, path):
            os.unlink(copy)
            _told(copy, "what a move that was killed left, a copy of", path)
            return True
    return False


def _told(path: str, what: str, whole: str) -> None:
    _log.warning("deleted %s: %s %s", shown(path), what, shown(whole))


def _is_as(copy: str, path: str) -> bool:
    ours, theirs = os.stat(copy), os.stat(path)
    as_old = abs(ours.st_mtime_ns - theirs.st_mtime_ns) < _CLOCK_NS
    return as_old and stat.S_IMODE(ours.st_mode) == stat.S_IMODE(theirs.st_mode)


def _are_two(path: str, other: str) -> bool:
    return are_files(path, other) and not os.path.samefile(path, other)


def _drop_beside(folder: str, entries: Sequence[Entry]) -> None:
    """Delete the folders that ``put_in_place`` made in ``folder`` for links, or to undo them."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            beside = os.path.join(folder, name)
            if _MADE_BESIDE.fullmatch(name) and not os.path.islink(beside):
                for entry in entries:
                    _drop_made(os.path.join(beside, os.path.basename(entry.path)), entry.kept)
                with contextlib.suppress(OSError):  # something else is in it
                    os.rmdir(beside)


def _drop_made(made: str, kept: str) -> None:
    """Delete a link to ``kept``, or the first part of a copy."""
    with contextlib.suppress(OSError):
        is_link = os.path.islink(made) and os.readlink(made) == kept
        if is_link or (are_files(made, kept) and begins_with(kept, made)):
            os.unlink(made)
