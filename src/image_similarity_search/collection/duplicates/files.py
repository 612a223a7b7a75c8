"""Moving, linking and copying files: never over another one, never half."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable

from image_similarity_search.collection.duplicates.checks import same_bytes

BESIDE = ".iss-"
"""What the name of a folder begins with in which something is made; it is hidden from a sync."""


def free_name(folder: str, name: str) -> str:
    """A path in ``folder`` at which nothing is, called ``name`` or nearly so."""
    stem, suffix = os.path.splitext(name)
    path, number = os.path.join(folder, name), 0
    while os.path.lexists(path):
        number += 1
        path = os.path.join(folder, f"{stem} ({number}){suffix}")
    return path


def move_into(path: str, to: str) -> None:
    """Move a file to ``to``, where nothing is; also to another disk.

    Where that fails, nothing is there. What a killed process leaves, ``drop_leavings`` deletes.
    """
    os.close(os.open(to, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # nobody else's from now on
    try:
        try:
            os.replace(path, to)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _copy(path, to)
            if not same_bytes(path, to):
                raise OSError(errno.EIO, "the copy differs from the file") from error
            os.unlink(path)
    except BaseException:
        if os.path.lexists(path):
            os.unlink(to)
        raise


def put_back(path: str, to: str) -> str:
    """Move a file to ``to``, or near it where something is; its folder is made if need be.

    Returns where it is then.
    """
    folder, name = os.path.split(to)
    os.makedirs(folder, exist_ok=True)
    place = free_name(folder, name)
    move_into(path, place)
    return place


def put_in_place(path: str, make: Callable[[str], None]) -> None:
    """Have ``make`` make something beside ``path``, then take the place of what is there."""
    folder, name = os.path.split(path)
    beside = tempfile.mkdtemp(prefix=BESIDE, dir=folder)  # where no other file can be met
    try:
        made = os.path.join(beside, name)
        make(made)
        os.replace(made, path)
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(beside)


def copy_to(source: str, mtime_ns: int, mode: int) -> Callable[[str], None]:
    """What makes a copy of ``source`` with this time of last change and these rights."""

    def make(path: str) -> None:
        _copy(source, path)
        os.chmod(path, mode)
        os.utime(path, ns=(mtime_ns, mtime_ns))

    return make


def _copy(source: str, target: str) -> None:
    shutil.copy2(source, target)
    with open(target, "rb+") as file:
        os.fsync(file.fileno())
