"""The bytes of pictures, wherever they lie: on this machine or in object storage."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from stat import S_ISDIR, S_ISREG
from typing import IO

from image_similarity_search.addresses import is_address, is_row
from image_similarity_search.catalog.values import FileStat
from image_similarity_search.errors import (
    CollectionUnwritableError,
    FolderNotFoundError,
    ImageError,
    ImageNotFoundError,
    ImageUnreadableError,
    SourceUnavailableError,
    reason_of,
)
from image_similarity_search.types import storable_time

LONGEST_READ = 600.0
"""Seconds in which an object that is asked for by itself must have come."""


def read(path: str) -> bytes:
    """The bytes of a file or object.

    Raises:
        ImageError: there is none, or it can't be read.
    """
    from image_similarity_search.images import decode

    with local(path) as file:
        try:
            return decode.read_file(file)
        except ImageError as error:
            error.path = path
            raise


def content_hash(path: str, seen: FileStat | None = None) -> str | None:
    """The content hash of a file or object; None where it can't be read.

    ``seen`` is what ``stat`` said of it, where that is known: of a row that says the hash too.

    Raises:
        SourceUnavailableError: the object storage can't be read at all.
    """
    try:
        return checked_hash(path, seen)
    except SourceUnavailableError:
        raise
    except ImageError:  # reading it to decode it will say why
        return None


def checked_hash(path: str, seen: FileStat | None = None) -> str:
    """The same, without holding it in memory; raises as ``read``."""
    from image_similarity_search.images import decode

    if is_row(path):
        return (seen or stat(path)).etag  # which that is
    with local(path) as file:
        return decode.hash_file(file)


def reading() -> AbstractContextManager[None]:
    """While many are read: what holds several pictures stays open to the end of the block."""
    from image_similarity_search.objects import parquet_rows

    return parquet_rows.reading()


def stat(path: str) -> FileStat:
    """What tells whether a file or object changed.

    Raises:
        OSError: of a file.
        ImageError: of an object; as ``read``.
    """
    if is_address(path):
        from image_similarity_search.objects import storage

        found = storage.stat(path)
        return FileStat(found.size, found.mtime_ns, found.etag)
    status = os.stat(path)
    return FileStat(status.st_size, storable_time(status.st_mtime_ns))


def is_gone(path: str) -> bool:
    """Whether no file is at ``path``; where that can't be seen, one may be.

    Of an object it is not asked: it is gone when the listing that it was in says so.
    """
    if is_address(path):
        return False
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # a displaced image has a NUL
        return True
    except OSError:
        return False
    return False


def is_away(folder: str) -> bool:
    """Whether a folder is not here now: gone, or empty as where a disk would be mounted.

    Where that can't be seen it may be here; of object storage it is not asked.
    """
    if is_address(folder):
        return False
    try:
        with os.scandir(folder) as inside:
            return next(inside, None) is None
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def check_folder(folder: str) -> None:
    """Refuse a folder that is not there or can't be listed, or a bucket that holds nothing at all.

    Raises:
        FolderNotFoundError: it is so; nothing was changed.
        SourceUnavailableError: the object storage can't be read.
    """
    if not is_address(folder):
        try:
            mode = _mode(folder)
        except OSError as error:
            raise FolderNotFoundError(folder, f"{_refused(error)}; nothing was changed") from error
        if not S_ISDIR(mode):
            reason = (
                "a file, not a folder: add it with 'iss add' (Collection.add)"
                if S_ISREG(mode)
                else "no such folder"
            )
            raise FolderNotFoundError(folder, f"{reason}; nothing was changed")
        try:
            os.scandir(folder).close()
        except OSError as error:
            reason = f"can't be read: {reason_of(error)}"
            raise FolderNotFoundError(folder, f"{reason}; nothing was changed") from error
        return
    from image_similarity_search.objects import storage

    if not any(storage.pages(folder)):
        raise FolderNotFoundError(folder, "there are no objects; nothing was changed")


def check_files(paths: Iterable[str]) -> None:
    """Refuse what is no file or object.

    Raises:
        ImageNotFoundError: one is none; nothing was added.
        ImageUnreadableError, SourceUnavailableError: one can't be looked at; the same.
    """
    with reading():
        for path in paths:
            _check_file(path)


def _check_file(path: str) -> None:
    if is_address(path):
        try:
            stat(path)
        except ImageNotFoundError as error:
            raise ImageNotFoundError(path, f"{error.reason}; nothing was added") from None
        return
    try:
        mode = _mode(path)
    except OSError as error:
        raise ImageUnreadableError(path, f"{_refused(error)}; nothing was added") from error
    if not S_ISREG(mode):
        reason = "not a regular file" if mode else "no such file"
        reason = "a folder: use 'iss index' or Collection.sync" if S_ISDIR(mode) else reason
        raise ImageNotFoundError(path, f"{reason}; nothing was added")


def _mode(path: str) -> int:
    """What is at a path, as the system has it; 0 where there is nothing.

    Raises:
        OSError: that can't be seen, as in a folder that this user may not enter.
    """
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _refused(error: OSError) -> str:
    return f"it can't be checked: {reason_of(error)}"


@contextmanager
def local(path: str, seconds: float = LONGEST_READ) -> Iterator[str]:
    """The path of a file on this machine with the same bytes; of an object, a copy for now.

    The object must have come in so many ``seconds``.

    Raises:
        ImageError: of an object: there is none, or it can't be read.
        CollectionUnwritableError: there is no room for the copy.
    """
    if not is_address(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="iss-") as folder:
        copy = os.path.join(folder, "object")
        with reading():
            check_size(path, stat(path).size)
            _copy(path, copy, seconds)
        yield copy


def opened(path: str, seconds: float) -> IO[bytes]:
    """An object as a file without a name, which is gone when it is closed.

    ``seconds`` are those in which it must have come. Raises as ``local``.
    """
    with local(path, seconds) as copy, open(copy, "rb") as source:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever asked closes it
        shutil.copyfileobj(source, file)
    file.seek(0)
    return file


def check_size(path: str, size: int) -> None:
    """Refuse a file that is too large to be read, before it is fetched.

    Raises:
        ImageUnreadableError: it is.
    """
    from image_similarity_search.images.decode import MAX_FILE_BYTES

    if size > MAX_FILE_BYTES:
        raise ImageUnreadableError(
            path, f"the file has {size:,} bytes, the limit is {MAX_FILE_BYTES:,}"
        )


def _copy(address: str, target: str, seconds: float) -> None:
    from image_similarity_search.objects import storage

    try:
        storage.fetch(address, target, seconds, in_all=True).result()
    except Exception as error:
        raise problem_of_copy(address, error, seconds) from None


def problem_of_copy(
    address: str, error: Exception, seconds: float
) -> ImageError | CollectionUnwritableError:
    """Why an object could not be copied to this machine within ``seconds``."""
    from image_similarity_search.objects.storage import problem_with

    if isinstance(error, ImageError):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        return CollectionUnwritableError(
            tempfile.gettempdir(),
            "objects are copied there while they are read, but it is full",
            "free disk space there, or set TMPDIR to another folder",
        )
    problem = problem_with(address, error)
    if isinstance(problem, ImageUnreadableError) and isinstance(error, TimeoutError):
        return ImageUnreadableError(address, f"reading took more than {seconds:g} s")
    return problem
