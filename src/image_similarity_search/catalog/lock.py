"""Locks between processes; each dies with its process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from image_similarity_search.errors import (
    CollectionLockedError,
    CollectionNotFoundError,
    CollectionUnwritableError,
)

_WRITER = "writer.lock"
_STORE = "store.lock"


@contextmanager
def writer_lock(folder: str, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock of the one writer of the collection in ``folder``.

    Raises:
        CollectionLockedError: another process still holds it after ``wait`` seconds.
        CollectionNotFoundError: the folder is gone.
        CollectionUnwritableError: the lock file can't be made there.
    """
    with _held(folder, _WRITER, wait):
        yield


@contextmanager
def store_lock(folder: str) -> Iterator[None]:
    """Hold the lock of the store's file, which a searching process writes too; errors as above."""
    with _held(folder, _STORE, 0.0):
        yield


@contextmanager
def _held(folder: str, name: str, wait: float) -> Iterator[None]:
    import filelock

    if not os.path.isdir(folder):  # filelock would make it, and lock something else
        raise CollectionNotFoundError(folder)
    lock = filelock.FileLock(os.path.join(folder, name))
    try:
        lock.acquire(timeout=wait)
    except filelock.Timeout as error:
        raise CollectionLockedError(folder) from error
    except OSError as error:
        raise CollectionUnwritableError(folder, error.strerror or str(error)) from error
    try:
        yield
    finally:
        lock.release()
