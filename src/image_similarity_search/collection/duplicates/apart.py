"""Whether two paths lead to one file, found out by deed: numbers of devices and files don't tell.

A folder that is mounted a second time, by FUSE, SMB, NFS or an overlay, has another device number
there, and what is deleted by the one path is gone by the other.
"""

from __future__ import annotations

import hashlib
import os

from image_similarity_search.collection.duplicates.files import BESIDE, put_back
from image_similarity_search.collection.duplicates.undo_log import Entry

_ONE_FILE = "it is the same file as the one that stays, by another path"
_ONE_FOLDER = "it may be the file that stays: two paths lead to their folder"


def aside(entry: Entry) -> str:
    """What a file is called for the moment in which ``check_apart`` looks for the one to keep.

    No other name, of this run or another, is the same: what is asked for the first time, no
    drive answers from memory.
    """
    whose = os.fsencode(f"{entry.run}\0{entry.path}")
    name = hashlib.blake2b(whose, digest_size=8).hexdigest()
    return os.path.join(os.path.dirname(entry.path), BESIDE + name)


def check_apart(entry: Entry) -> None:
    """Raise OSError where a file is, or may be, the one to keep by another path.

    It is renamed, and has its name again afterwards. What remembers the file to keep from before
    may still have it then; so it is also looked whether the new name is in its folder.
    """
    path, kept, away = entry.path, entry.kept, aside(entry)
    folder, name = os.path.dirname(kept), os.path.basename(away)
    before = _look_into(kept)
    os.rename(path, away)
    try:
        changed = _look_into(kept) != before
        shared = folder != os.path.dirname(path) and os.path.lexists(os.path.join(folder, name))
    except FileNotFoundError as error:
        raise OSError(_ONE_FILE) from error
    finally:
        _name_back(away, path)
    if changed:
        raise OSError(f"{kept}, which would stay, was changed just now")
    if shared:
        raise OSError(_ONE_FOLDER)


def bring_back(entry: Entry) -> str:
    """Where a file is now that a killed process left ``aside``; empty where it left none.

    Raises:
        OSError: it can't be renamed.
    """
    away = aside(entry)
    return put_back(away, entry.path) if os.path.lexists(away) else ""


def _look_into(path: str) -> tuple[int, int]:
    """Size and time of a file that can be read; what is only remembered of one can't be."""
    with open(path, "rb", buffering=0) as file:
        file.read(1)
        status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


def _name_back(away: str, path: str) -> None:
    try:
        if os.path.lexists(path):
            raise FileExistsError("another file has its name")
        os.rename(away, path)
    except OSError as error:
        raise OSError(f"it is {away} now: {error.strerror or error}") from error
