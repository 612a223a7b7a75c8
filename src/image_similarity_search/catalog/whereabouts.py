"""Where the catalog of an index folder is: in a file there, or in a database that many share."""

from __future__ import annotations

import contextlib
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

_MISSING = "what speaks to PostgreSQL is not installed ({})"
_REMEDY = "pip install 'image-similarity-search[postgres]'"


def url_of(folder: str) -> str:
    """The URL of the shared catalog of an index folder; empty where it has none."""
    with contextlib.suppress(OSError, ValueError), open(os.path.join(folder, POINTER)) as file:
        return file.read().strip()
    return ""


def remember(folder: str, url: str) -> None:
    """Have the existing ``folder`` be of the shared catalog at ``url``, which has no secrets.

    Raises:
        CollectionUnwritableError: it can't be written there.
    """
    path = os.path.join(folder, POINTER)
    try:
        with open(f"{path}.tmp", "w", encoding="utf-8") as file:
            file.write(f"{url}\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.tmp", path)
    except OSError as error:
        raise CollectionUnwritableError(folder, error.strerror or str(error)) from error


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


def _shared_kind(url: str) -> type[SharedDatabase]:
    try:
        from image_similarity_search.catalog.postgresql.shared_database import SharedDatabase
    except ImportError as error:
        from image_similarity_search.catalog.postgresql.address import Address

        path = str(Address.parse(url))
        raise CollectionUnavailableError(path, _MISSING.format(error), _REMEDY) from error
    return SharedDatabase
