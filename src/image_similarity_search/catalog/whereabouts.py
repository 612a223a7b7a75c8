"""Where the catalog of an index folder is: in a file there, or in a database that many share."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING

from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.database import Database
from image_similarity_search.errors import CollectionUnavailableError, CollectionUnwritableError

if TYPE_CHECKING:
    from image_similarity_search.catalog.postgresql.shared_database import SharedDatabase

FILE_NAME = "catalog.sqlite"

POINTER = "catalog.url"
"""The file that says where a shared catalog is, in one line."""

LEFT = f"{FILE_NAME}.moved"
"""What the file is called when the catalog was moved to a database."""

_MISSING = "what speaks to PostgreSQL is not installed ({})"
_REMEDY = "pip install 'image-similarity-search[postgres]'"

_log = logging.getLogger(__name__)


def url_of(folder: str) -> str:
    """The URL of the shared catalog of an index folder; empty where it has none."""
    with contextlib.suppress(OSError, ValueError), open(os.path.join(folder, POINTER)) as file:
        return file.read().strip()
    return ""


def remember(folder: str, url: str) -> None:
    """Have the existing ``folder`` be of the shared catalog at ``url``, which has no secrets.

    Without a URL, it is of the one in its own file.

    Raises:
        CollectionUnwritableError: it can't be written there.
    """
    path = os.path.join(folder, POINTER)
    try:
        if not url:
            os.remove(path)
            return
        with open(f"{path}.tmp", "w", encoding="utf-8") as file:
            file.write(f"{url}\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.tmp", path)
    except OSError as error:
        raise CollectionUnwritableError(folder, error.strerror or str(error)) from error
    finally:
        names_on_disk(folder)


def set_aside(folder: str) -> None:
    """Call the file of a catalog that was moved away otherwise, as far as that can be done.

    It is in nobody's way where it is: see ``opened``.
    """
    try:
        for end in ("-wal", ""):  # the log first: it must not be read into another catalog
            source = os.path.join(folder, f"{FILE_NAME}{end}")
            target = os.path.join(folder, f"{LEFT}{end}")
            with contextlib.suppress(FileNotFoundError):
                os.remove(target)
            if os.path.exists(source):
                os.replace(source, target)
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(folder, f"{FILE_NAME}-shm"))
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

    Raises:
        CollectionUnavailableError: it is shared, and can't be reached, or its client is missing.
    """
    if shared := url or url_of(folder):
        return _shared_kind(shared)(shared)
    return Database(os.path.join(folder, FILE_NAME))


def made(folder: str, meta: dict[str, str], url: str = "") -> AnyDatabase:
    """The same, new; of a shared one that another process made just before, that."""
    if shared := url or url_of(folder):
        return _shared_kind(shared).create(shared, meta)
    return Database.create(os.path.join(folder, FILE_NAME), meta)


def check_client(url: str) -> None:
    """Raise CollectionUnavailableError where what speaks to the server at ``url`` is missing."""
    _shared_kind(url)


def _shared_kind(url: str) -> type[SharedDatabase]:
    try:
        from image_similarity_search.catalog.postgresql.shared_database import SharedDatabase
    except ImportError as error:
        from image_similarity_search.catalog.postgresql.address import Address

        path = str(Address.parse(url))
        raise CollectionUnavailableError(path, _MISSING.format(error), _REMEDY) from error
    return SharedDatabase
