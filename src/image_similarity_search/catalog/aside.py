"""A catalog's file that is filled aside, and appears at its place when it is whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from image_similarity_search.catalog.database import Database
from image_similarity_search.catalog.whereabouts import FILE_NAME, names_on_disk
from image_similarity_search.errors import unwritable

ASIDE = "catalog.new"
"""The folder, beside the catalog that is to be, where it is filled."""

_FILES = tuple(FILE_NAME + end for end in ("", "-wal", "-shm", "-journal"))


@contextmanager
def begun_aside(folder: str) -> Iterator[str]:
    """A folder for the new catalog of ``folder``; what is not in place at the end is removed.

    A process that is killed before leaves files that the next one removes. The caller holds the
    writer lock.

    Raises:
        CollectionUnwritableError: it can't be made there.
    """
    aside = os.path.join(folder, ASIDE)
    with unwritable(folder):
        _remove(aside)
        os.mkdir(aside)
    try:
        yield aside
    finally:
        with suppress(OSError):
            _remove(aside)


def placed(folder: str, database: Database) -> None:
    """Let what was filled aside be the catalog of ``folder``, from now on; it is closed then.

    Raises:
        CollectionUnwritableError: it can't be moved.
    """
    database.settle()
    database.close()
    with unwritable(folder):
        # a log that belonged to a catalog that is gone would be taken for this one's
        for name in _FILES[1:]:
            with suppress(FileNotFoundError):
                os.remove(os.path.join(folder, name))
        os.replace(os.path.join(folder, ASIDE, FILE_NAME), os.path.join(folder, FILE_NAME))
        names_on_disk(folder)


def _remove(aside: str) -> None:
    """Remove what was filled aside, and nothing that anybody else put there."""
    for name in _FILES:
        with suppress(FileNotFoundError):
            os.remove(os.path.join(aside, name))
    with suppress(FileNotFoundError):
        os.rmdir(aside)
