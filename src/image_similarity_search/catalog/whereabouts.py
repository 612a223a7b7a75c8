"""Where the catalog of an index folder is: in a file there, or in a database that many share."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from image_similarity_search.catalog import sqlite_files
from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.database import Database
from image_similarity_search.errors import CollectionUnavailableError, reason_of, unwritable
from image_similarity_search.replacing import replaced

if TYPE_CHECKING:
    from image_similarity_search.catalog.postgresql.shared_database import SharedDatabase

FILE_NAME = "catalog.sqlite"

POINTER = "catalog.url"
"""The file that says where a shared catalog is, in one line."""

NEXT = f"{POINTER}.next"
"""What a shared catalog is about to say of where it went: see ``intend``."""

LEFT = f"{FILE_NAME}.moved"
"""What the file is called when the catalog was moved to a database."""

_SCHEME = "postgresql://"
_MISSING = "the PostgreSQL client is not installed ({})"
_UNREAD = "check that its disk is mounted and that you may read it: it stores where the catalog is"
_REMEDY = "pip install 'image-similarity-search[postgres]'"

_log = logging.getLogger(__name__)


def url_of(folder: str) -> str:
    """The URL of the shared catalog of an index folder; empty where it has none.

    Raises:
        CollectionUnavailableError: that can't be read.
    """
    return _read(folder, POINTER)


def remember(folder: str, url: str) -> None:
    """Have the existing ``folder`` be of the shared catalog at ``url``, which has no secrets.

    Without a URL, it is of the one in its own file.

    Raises:
        CollectionUnwritableError: it can't be written there.
    """
    if url:
        _write(folder, POINTER, url)
    else:
        _remove(folder, POINTER)
    _remove(folder, NEXT)


def intend(folder: str, to: str) -> None:
    """Note that the shared catalog of ``folder`` says next that it is at ``to``: a URL, or here.

    ``remember`` comes after that. If this process ends between the two, ``opened`` does it.

    Raises:
        CollectionUnwritableError: it can't be written there.
    """
    _write(folder, NEXT, to)


def moved_to(to: str) -> str:
    """Why a shared catalog that went to ``to`` can't be used."""
    return f"it was moved to {to}"


def set_aside(folder: str) -> None:
    """Call the file of a catalog that was moved away otherwise, as far as that can be done.

    It is in nobody's way where it is: see ``opened``.
    """
    try:
        sqlite_files.rename(os.path.join(folder, FILE_NAME), os.path.join(folder, LEFT))
    except OSError as error:
        _log.warning("%s keeps its name: %s", os.path.join(folder, FILE_NAME), error)


def names_on_disk(folder: str) -> None:
    """Have the names in a folder survive a power cut, where the system can be told so."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def opened(folder: str, url: str = "") -> AnyDatabase:
    """The database of the catalog of ``folder``, or of the shared one at ``url``.

    Where it was moved from here, and the folder was not told any more, that is done.

    Raises:
        CollectionUnavailableError: it is shared, and can't be reached, or its client is missing;
            or where it is can't be read.
        CollectionUnwritableError: the folder can't be told.
    """
    shared = url or url_of(folder)
    if not shared:
        return Database(os.path.join(folder, FILE_NAME))
    try:
        return _shared_kind(shared)(shared)
    except CollectionUnavailableError as error:
        if url or not _told_late(folder, error.reason):
            raise
    return opened(folder)


def made(folder: str, meta: dict[str, str], url: str = "") -> AnyDatabase:
    """The same, new; of a shared one that another process made just before, that."""
    if shared := url or url_of(folder):
        return _shared_kind(shared).create(shared, meta)
    return Database.create(os.path.join(folder, FILE_NAME), meta)


def check_client(url: str) -> None:
    """Raise CollectionUnavailableError where what speaks to the server at ``url`` is missing."""
    _shared_kind(url)


def _told_late(folder: str, reason: str) -> bool:
    """Finish a move that ended before the folder was told; whether there is one."""
    to = _read(folder, NEXT)
    url = to if to.startswith(_SCHEME) else ""
    is_there = bool(url) or os.path.isfile(os.path.join(folder, FILE_NAME))
    if not to or reason != moved_to(to) or not is_there:
        return False
    remember(folder, url)
    return True


def _read(folder: str, name: str) -> str:
    """The one line of a file in ``folder``; empty where there is none."""
    path = Path(folder, name)
    try:
        return path.read_text("utf-8", "surrogateescape").strip()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last, of a path that is none
        return ""
    except OSError as error:  # another catalog must not be taken for it, nor be made beside it
        reason = f"it can't be read ({reason_of(error)})"
        raise CollectionUnavailableError(path, reason, _UNREAD) from error


def _write(folder: str, name: str, line: str) -> None:
    """Have a file hold one line, whatever happens to the power."""
    with unwritable(folder):
        with replaced(os.path.join(folder, name)) as (aside,):
            Path(aside).write_text(f"{line}\n", "utf-8", "surrogateescape")
        names_on_disk(folder)


def _remove(folder: str, name: str) -> None:
    """Have no such file."""
    with unwritable(folder), contextlib.suppress(FileNotFoundError):
        os.remove(os.path.join(folder, name))
        names_on_disk(folder)


def _shared_kind(url: str) -> type[SharedDatabase]:
    try:
        from image_similarity_search.catalog.postgresql.shared_database import SharedDatabase
    except ImportError as error:
        from image_similarity_search.catalog.postgresql.address import Address

        path = str(Address.parse(url))
        raise CollectionUnavailableError(path, _MISSING.format(error), _REMEDY) from error
    return SharedDatabase
