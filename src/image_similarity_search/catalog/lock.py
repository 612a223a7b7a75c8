"""Locks between processes; each dies with its process."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from image_similarity_search.errors import (
    CollectionLockedError,
    CollectionNotFoundError,
    CollectionUnwritableError,
    reason_of,
)

WRITER_LOCK = "writer.lock"
"""The file in an index folder that the one who changes the collection holds locked."""

_STORE = "store.lock"
_HOLDER = "writer.json"  # who holds the writer's lock, for the messages of others

# SQLite's readers hold a lock on some of these bytes of a database, as its file format says
_SQLITE_SHARED_FIRST, _SQLITE_SHARED_BYTES = 0x4000_0002, 510

_IN_USE = (errno.EACCES, errno.EAGAIN)
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.EIO)

_written_here: set[str] = set()  # the folders whose writer's lock this process holds

_log = logging.getLogger(__name__)


@contextmanager
def writer_lock(folder: str, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock of the one writer of the collection in ``folder``.

    Raises:
        CollectionLockedError: another process still holds it after ``wait`` seconds (``inf``
            waits for ever).
        CollectionNotFoundError: the folder is gone.
        CollectionUnwritableError: the lock file can't be made there.
    """
    with _held(folder, WRITER_LOCK, wait), _named(folder):
        yield


@contextmanager
def store_lock(folder: str, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock of the store, which a searching process writes too; errors as above."""
    with _held(folder, _STORE, wait):
        yield


def another_writes(folder: str) -> bool:
    """Whether another process is changing the collection, or was killed while it did."""
    try:
        with open(os.path.join(folder, _HOLDER), encoding="utf-8") as file:
            holder = json.load(file)
        return bool((holder["process"], holder["computer"]) != (os.getpid(), socket.gethostname()))
    except (OSError, ValueError, KeyError, TypeError):
        return False


@contextmanager
def sole_use(file: BinaryIO, path: str) -> Iterator[None]:
    """Keep SQLite of other processes from the database ``file``, open for both, at ``path``.

    Where a file that is in use can't be replaced (Windows), there is nothing to do.

    Raises:
        CollectionLockedError: another process has it open.
    """
    try:
        from fcntl import LOCK_EX, LOCK_NB, lockf
    except ImportError:
        yield
        return
    try:
        lockf(file, LOCK_EX | LOCK_NB, _SQLITE_SHARED_BYTES, _SQLITE_SHARED_FIRST)
    except OSError as error:
        if error.errno in _IN_USE:
            raise CollectionLockedError(path, remedy="end that first", use="using") from error
        raise _unwritable(path, error) from error
    yield  # closing the file ends the lock


@contextmanager
def _held(folder: str, name: str, wait: float) -> Iterator[None]:
    import filelock

    if not os.path.isdir(folder):  # filelock would make it, and lock something else
        raise CollectionNotFoundError(folder)
    # a soft lock, its way out where there are no others, would stay when its process is killed
    lock = filelock.FileLock(os.path.join(folder, name), fallback_to_soft=False)
    try:
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            if not wait:
                raise
            level = logging.WARNING if name == WRITER_LOCK else logging.INFO
            _log.log(level, "%s is writing to %s: waiting for it", _locked(folder).holder, folder)
            lock.acquire(timeout=-1 if wait == float("inf") else wait)
    except filelock.Timeout as error:
        raise _locked(folder) from error
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _named(folder: str) -> Iterator[None]:
    """Say beside the lock who holds it, as well as can be."""
    path = os.path.join(folder, _HOLDER)
    holder = {
        "process": os.getpid(),
        "computer": socket.gethostname(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S %z"),
    }
    with contextlib.suppress(OSError), open(path, "w", encoding="utf-8") as file:
        json.dump(holder, file)
    _written_here.add(folder)
    try:
        yield
    finally:
        _written_here.discard(folder)
        with contextlib.suppress(OSError):
            os.remove(path)


def _locked(folder: str) -> CollectionLockedError:
    """The error that names the process that holds the lock, as far as it is known."""
    try:
        with open(os.path.join(folder, _HOLDER), encoding="utf-8") as file:
            holder = json.load(file)
        process, computer, since = holder["process"], holder["computer"], holder["since"]
    except (OSError, ValueError, KeyError, TypeError):
        return CollectionLockedError(folder)
    if computer == socket.gethostname() and folder in _written_here:
        remedy = "write from one thread at a time, or open the collection with wait="
        return CollectionLockedError(folder, "another thread of this process", remedy)
    if computer == socket.gethostname():
        return CollectionLockedError(folder, f"process {process} (since {since})")
    return CollectionLockedError(
        folder,
        f"process {process} on {computer} (since {since})",
        "try again when it is done; if that computer is gone and its lock is left behind,"
        f" delete {os.path.join(folder, WRITER_LOCK)}",
    )


def missing_locks(folder: str) -> str | None:
    """Why the drive of ``folder`` has no locks of the kind that SQLite uses; None if it has."""
    try:
        from fcntl import LOCK_EX, LOCK_NB, lockf
    except ImportError:
        return None
    with contextlib.suppress(OSError), tempfile.TemporaryFile(dir=folder) as file:
        try:
            lockf(file, LOCK_EX | LOCK_NB)
        except OSError as error:
            return reason_of(error)
    return None


def no_locks(path: str, reason: str) -> CollectionUnwritableError:
    """The error for a drive that nothing can be locked on."""
    return CollectionUnwritableError(
        path,
        f"its drive does not support locks between processes ({reason}), like some network drives",
        "keep the index on a local disk (--index-dir); the pictures may be anywhere",
    )


def _unwritable(path: str, error: OSError) -> CollectionUnwritableError:
    reason = reason_of(error)
    if error.errno in _NO_LOCKS:
        return no_locks(path, reason)
    return CollectionUnwritableError(path, reason)
