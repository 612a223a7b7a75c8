"""Rows of Parquet files as objects: one column has the bytes of pictures.

The address of a row is that of its file and a name that begins with its number:
``parquet:///data/train.parquet/00000012-cat.jpg``. A folder's address is that of all such files in
it. What a row holds is told by a hash of it, the content hash of a file with the same bytes, so a
file that is written again changes only the rows that are others.
"""

from __future__ import annotations

import functools
import hashlib
import os
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from itertools import accumulate, islice
from typing import Any, NamedTuple

from image_similarity_search.addresses import file_of, rows_at
from image_similarity_search.errors import ImageNotFoundError, SourceUnavailableError, reason_of
from image_similarity_search.objects.stored import Stored
from image_similarity_search.types import storable_time

SUFFIX = ".parquet"

_AT_ONCE = 16  # rows read together: a picture may have megabytes
_PAGE = 1_000
_BUFFER = 1 << 20  # bytes read at once, or pyarrow takes a column of a row group into memory
_BEGIN = 4096  # bytes of a picture that tell what it is

_PICTURES = ("image", "img", "picture", "photo", "jpg", "jpeg", "png", "webp", "bytes", "data")
_NAMES = ("file_name", "filename", "path", "file", "name", "key")
_LONGEST_NAME = 120  # characters of a name behind the number

_PACKAGE = "pip install 'image-similarity-search[parquet]'"
_COLUMNS = (
    "none of its columns has the bytes of pictures; to add files by their paths use 'iss"
    " add --files-from'"
)


class _Row(NamedTuple):
    number: int
    data: bytes
    name: str
    mtime_ns: int  # of the file


def pages(folder: str, passed_over: Callable[[str], bool]) -> Iterator[list[Stored]]:
    """The rows of a Parquet file, or of all in a folder and below it, a page at a time, in order.

    Files and folders are left out by their address, where they are to be ``passed_over``.

    Raises:
        SourceUnavailableError: a folder can't be listed, or a file read to its end.
    """
    for path in _files(folder, passed_over):
        with closing(_File(path, storable_time(_status(path).st_mtime_ns))) as file:
            rows, address = file.rows(), rows_at(path)
            while page := [_stored(address, row) for row in islice(rows, _PAGE)]:
                yield page


def reading() -> AbstractContextManager[None]:
    """Let the file that a row was read from stay open, for the next one, to the end of the block.

    Rows that are read in their order are quick so. Outside, a file is closed after each row.
    """
    return _kept.reading()


def stat(address: str) -> Stored:
    """What is known of one row.

    Raises:
        ImageNotFoundError: there is none.
        SourceUnavailableError: the file can't be read.
    """
    return _stored(address.rpartition("/")[0], _row(address))._replace(address=address)


def fetch(address: str, target: str) -> Future[None]:
    """Begin to copy the picture of a row into the file ``target``.

    The future raises as ``stat`` does, or OSError where ``target`` can't be written.
    """

    def copy() -> None:
        data = _row(address).data
        with open(target, "wb") as copied:
            copied.write(data)

    return _reader().submit(copy)


class _File:
    """A Parquet file, open for reading.

    Raises:
        SourceUnavailableError: it can't be read.
    """

    def __init__(self, path: str, mtime_ns: int) -> None:
        self._address = rows_at(path)
        self._mtime_ns = mtime_ns
        try:
            from pyarrow import parquet
        except ImportError:
            reason = f"reading Parquet needs pyarrow, which is not installed: {_PACKAGE}"
            raise SourceUnavailableError(self._address, reason) from None
        try:
            self._file = parquet.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False)
            self._picture, self._name = _columns(self._file.schema_arrow)
        except Exception as error:
            raise _problem(self._address, error) from None
        if not self._picture:
            self._file.close()
            raise SourceUnavailableError(self._address, _COLUMNS)
        groups = range(self._file.metadata.num_row_groups)
        counts = [int(self._file.metadata.row_group(at).num_rows) for at in groups]
        self._ends = list(accumulate(counts))
        self._end = self._ends[-1] if self._ends else 0
        self._running: Iterator[_Row] = iter(())
        self._last: _Row | None = None
        self._next = self._end  # the row that comes next, where some were asked for

    def close(self) -> None:
        """Close it, so that it can be replaced."""
        self._rest()
        self._file.close()

    def rows(self, start: int = 0) -> Iterator[_Row]:
        """The rows from the beginning of the row group on that has row ``start``."""
        group = bisect_right(self._ends, start)
        number = self._ends[group - 1] if group else 0
        columns = [".".join(one) for one in (self._picture, self._name) if one]
        groups = list(range(group, len(self._ends)))
        try:
            for batch in self._file.iter_batches(_AT_ONCE, row_groups=groups, columns=columns):
                pictures, names = (_leaf(batch, one) for one in (self._picture, self._name))
                for at in range(batch.num_rows):
                    name = names[at].as_py() if names is not None else ""
                    data = pictures[at].as_py() or b""
                    yield _Row(number, data, str(name or ""), self._mtime_ns)
                    number += 1
        except Exception as error:
            raise _problem(self._address, error) from None

    def row(self, number: int) -> _Row | None:
        """One of the rows; the same again and those that follow it are quicker than others."""
        if self._last and self._last.number == number:
            return self._last
        if number < self._next or bisect_right(self._ends, number) > bisect_right(
            self._ends, self._next
        ):
            self._running = self.rows(number)
        try:
            for row in self._running:
                self._next = row.number + 1
                if row.number == number:
                    self._last = row
                    return row
        except BaseException:
            self._rest()  # or what failed would seem to have ended
            raise
        self._rest()
        return None

    def _rest(self) -> None:
        """Have the next row looked for anew."""
        self._running, self._next, self._last = iter(()), self._end, None


def _columns(schema: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The paths of the column with the bytes of pictures and of that with their names, or ()."""
    import pyarrow.types as kinds

    def holds_bytes(kind: Any) -> bool:
        return bool(kinds.is_binary(kind) or kinds.is_large_binary(kind))

    pictures: list[tuple[str, ...]] = []
    names: list[tuple[str, ...]] = []
    for field in schema:
        if kinds.is_struct(field.type):  # as Hugging Face's datasets have pictures
            inner = {one.name: one.type for one in field.type}
            if "bytes" in inner and holds_bytes(inner["bytes"]):
                pictures.append((field.name, "bytes"))
                names[:0] = [(field.name, "path")] if "path" in inner else []
        elif holds_bytes(field.type):
            pictures.append((field.name,))
        elif field.name.lower() in _NAMES:
            names.append((field.name,))
    pictures.sort(key=lambda path: path[0].lower() not in _PICTURES)
    return next(iter(pictures), ()), next(iter(names), ())


def _leaf(batch: Any, path: tuple[str, ...]) -> Any:
    if not path:
        return None
    column = batch.column(path[0])
    return column.field(path[1]) if len(path) > 1 else column


def _stored(file: str, row: _Row) -> Stored:
    base = "".join(one for one in os.path.basename(row.name) if one.isprintable())
    name = f"{row.number:08}{'-' * bool(base)}{base[-_LONGEST_NAME:]}"
    digest = hashlib.blake2b(row.data, digest_size=16).hexdigest()
    return Stored(f"{file}/{name}", len(row.data), row.mtime_ns, digest, row.data[:_BEGIN])


def _files(folder: str, passed_over: Callable[[str], bool]) -> Iterator[str]:
    path = file_of(folder)
    if path.endswith(SUFFIX) and not os.path.isdir(path):
        yield path
        return

    def refuse(error: OSError) -> None:
        raise _problem(folder, error) from None

    for parent, folders, names in os.walk(path, onerror=refuse):

        def is_wanted(name: str, parent: str = parent) -> bool:
            return not passed_over(rows_at(os.path.join(parent, name)))

        folders[:] = sorted(filter(is_wanted, folders))
        files = sorted(name for name in names if name.endswith(SUFFIX))
        yield from (os.path.join(parent, name) for name in filter(is_wanted, files))


def _row(address: str) -> _Row:
    file, _, name = address.rpartition("/")
    number = name.partition("-")[0]
    if not file.endswith(SUFFIX) or not number.isdecimal():
        raise ImageNotFoundError(
            address, "not a row of a Parquet file; 'iss index' indexes all rows"
        )
    row = _kept.row(file_of(file), int(number))
    if row is None:
        raise ImageNotFoundError(address, "the file has no such row")
    return row


class _Kept:
    """The file that was opened last: the next row that is asked for is likely its."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counting = threading.Lock()  # another one: to read a row may take long
        self._readers = 0
        self._file: _File | None = None
        self._opened = ("", 0, 0)  # its path, time and size

    @contextmanager
    def reading(self) -> Iterator[None]:
        with self._counting:
            self._readers += 1
        try:
            yield
        finally:
            with self._counting:
                self._readers -= 1
                last = not self._readers
            if last:
                with self._lock:
                    self._close()

    def row(self, path: str, number: int) -> _Row | None:
        with self.reading(), self._lock:
            return self._open(path).row(number)

    def _open(self, path: str) -> _File:
        status = _status(path)
        wanted = (path, status.st_mtime_ns, status.st_size)
        if self._file is None or self._opened != wanted:
            self._close()
            self._file, self._opened = _File(path, storable_time(status.st_mtime_ns)), wanted
        return self._file

    def _close(self) -> None:
        file, self._file = self._file, None
        if file:
            file.close()


_kept = _Kept()


def _status(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError as error:
        raise _problem(rows_at(path), error) from None


@functools.cache
def _reader() -> ThreadPoolExecutor:
    """One thread, so that rows are read in the order in which they are asked for."""
    return ThreadPoolExecutor(1, thread_name_prefix="parquet")


def _problem(file: str, error: Exception) -> SourceUnavailableError:
    if isinstance(error, OSError) and error.strerror:
        return SourceUnavailableError(file, f"can't be read: {reason_of(error)}")
    if type(error).__name__ in ("ArrowInvalid", "OSError"):
        return SourceUnavailableError(file, "not a Parquet file, or a damaged one")
    return SourceUnavailableError(file, f"can't be read as Parquet ({type(error).__name__})")
