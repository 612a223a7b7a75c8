"""Files that the user names for a command to write: what they may replace, and how."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import IO, TYPE_CHECKING

from image_similarity_search.errors import ImageError, ImageNotFoundError, reason_of
from image_similarity_search.replacing import replaced

if TYPE_CHECKING:
    from image_similarity_search.collection import Collection

# how every page that this package writes begins
_PAGE = (
    b'<!doctype html><html lang="en"><head><meta charset="utf-8">'
    b'<meta http-equiv="Content-Security-Policy"'
)


def check_target(
    file: str | None, collection: Collection, index_dir: str, *, force: bool = False
) -> None:
    """Refuse, before any work, a file that can't be written, or would destroy another.

    A page of ours is replaced, other files are only with ``force``. What lies in the index folder
    itself, and the images of the collection, are never.

    Raises:
        ImageError: it is refused, or its folder is not there or can't be written to.
    """
    if file is None:
        return
    if _is_stream(file):
        if not os.access(file, os.W_OK):
            raise _unwritable(file, "permission denied")
        return
    place = os.path.realpath(file)
    folder = os.path.dirname(place)
    if folder == os.path.realpath(index_dir):
        raise _unwritable(file, "it would be in the index folder; choose another folder")
    if not os.path.isdir(folder):
        raise _unwritable(file, f"the folder {folder} does not exist")
    if os.path.isdir(place):
        raise _unwritable(file, "it is a folder; give a file name")
    if _is_image(file, collection):
        raise _unwritable(file, "it is an image of the collection; choose another name")
    if not force and not _is_replaceable(place):
        what = "the file exists and was not written by iss; use --force to overwrite it"
        raise _unwritable(file, what)
    if not os.access(folder, os.W_OK):
        raise _unwritable(
            file, "its folder is read-only or permission is denied; choose another folder"
        )


@contextmanager
def written(file: str) -> Iterator[IO[bytes]]:
    """A file to write: all of it or, where a disk is full, nothing, and what was there stays.

    Raises:
        ImageError: it can't be written.
    """
    aside = f".{os.getpid()}.tmp"
    try:
        with (
            nullcontext([file]) if _is_stream(file) else replaced(file, ending=aside) as (place,),
            open(place, "wb") as out,
        ):
            yield out
    except OSError as error:
        raise _unwritable(file, reason_of(error)) from error


def _unwritable(file: str, reason: str) -> ImageError:
    return ImageError(file, f"can't be written: {reason}")


def _is_stream(file: str) -> bool:
    """Whether something is there that is read as it is written, such as a pipe or a terminal."""
    return os.path.exists(file) and not os.path.isfile(file) and not os.path.isdir(file)


def _is_image(file: str, collection: Collection) -> bool:
    try:
        collection.get(file)
    except ImageNotFoundError:
        return False
    return True


def _is_replaceable(place: str) -> bool:
    """Whether nothing is there that would be missed."""
    if not os.path.isfile(place):
        return True
    try:
        with open(place, "rb") as file:
            begin = file.read(2 * len(_PAGE))
    except OSError:
        return False
    return not begin or begin.replace(b"\r", b"").replace(b"\n", b"").startswith(_PAGE)
