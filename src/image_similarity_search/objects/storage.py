"""Listing and reading objects.

What failed for a passing reason is repeated by the libraries themselves; what is left is raised in
our words.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime
from typing import Any

from image_similarity_search.addresses import bucket_of, is_row, scheme_of
from image_similarity_search.errors import (
    ImageError,
    ImageUnreadableError,
    SourceUnavailableError,
)
from image_similarity_search.objects import parquet_rows
from image_similarity_search.objects.opening import file_system_of
from image_similarity_search.objects.problems import problem_of
from image_similarity_search.objects.stored import Stored
from image_similarity_search.types import storable_time

_AT_ONCE = 32
"""Objects of which the first bytes are read at once."""

ANSWER_SECONDS = 60.0
"""In which a page of a listing, or what is known of objects, must have come, however often a
library asks: one that is never answered would be asked for minutes."""

_LOOK = 1.0
"""Seconds between looks at how much of an object has come."""

_ETAGS = ("ETag", "etag")
_TIMES = ("LastModified", "last_modified", "mtime", "updated")


def pages(
    folder: str, passed_over: Callable[[str], bool] = lambda address: False
) -> Iterator[list[Stored]]:
    """The objects at and below an address, a page at a time, in no order that counts.

    Of S3 a page is what the server gives at once, 1,000; of Parquet files as many rows; of other
    kinds what is in one folder. Parquet files of which it is said so are ``passed_over``, unread.

    Raises:
        SourceUnavailableError: it can't be listed; ``pages`` may have given some already.
    """
    if is_row(folder):
        yield from parquet_rows.pages(folder, passed_over)
        return
    fs = file_system_of(folder)
    listing = _s3_pages(fs, folder) if scheme_of(folder) == "s3" else _folders(fs, folder)
    while True:
        try:
            page = next(listing, None)
        except Exception as error:
            raise _unlisted(folder, error) from None
        if page is None:
            return
        yield page


def stat(address: str) -> Stored:
    """What is known of one object without reading it.

    Raises:
        ImageNotFoundError, ImageUnreadableError, SourceUnavailableError: as ``problem_with`` says.
    """
    if is_row(address):
        return parquet_rows.stat(address)
    try:
        fs = file_system_of(address)
        info = _in_time(fs, fs._info(_path(address)))
    except ImageError:
        raise
    except Exception as error:
        raise problem_with(address, error) from None
    if info.get("type") != "file":
        raise problem_of(address, FileNotFoundError())
    return _stored(address, info)


def begins(addresses: Sequence[str], size: int) -> list[bytes]:
    """The first ``size`` bytes of objects, by range reads, at once; empty where there are none.

    Raises:
        SourceUnavailableError: it can't be read.
    """
    if not addresses:
        return []
    fs = file_system_of(addresses[0])
    found: list[Any] = []
    for start in range(0, len(addresses), _AT_ONCE):
        paths = [_path(address) for address in addresses[start : start + _AT_ONCE]]
        try:
            found += _in_time(fs, fs._cat_ranges(paths, 0, size, on_error="return"))
        except Exception as error:
            found += [error] * len(paths)
    for address, data in zip(addresses, found, strict=True):
        if isinstance(data, BaseException):
            problem = problem_with(address, data)
            if isinstance(problem, SourceUnavailableError):
                raise problem from None
    return [data if isinstance(data, bytes) else b"" for data in found]


def fetch(address: str, target: str, seconds: float, *, in_all: bool = False) -> Future[None]:
    """Begin to copy an object into the file ``target``, a part at a time.

    The future raises TimeoutError when nothing came for ``seconds``, of this object or of others
    that are copied into the same folder; with ``in_all``, after so many seconds. Otherwise it
    raises what ``problem_with`` takes. A row of a Parquet file is read for as long as that takes.

    Raises:
        SourceUnavailableError: what reads this kind of object storage is not installed.
    """
    if is_row(address):
        return parquet_rows.fetch(address, target)
    import asyncio  # here, or every search waits for it

    fs = file_system_of(address)
    copying = fs._get_file(_path(address), target)
    if in_all:
        copying = asyncio.wait_for(copying, seconds)
    else:
        copying = _while_it_comes(copying, os.path.dirname(target), seconds)
    return asyncio.run_coroutine_threadsafe(copying, fs.loop)


async def _while_it_comes(copying: Coroutine[Any, Any, None], folder: str, seconds: float) -> None:
    """Wait for a copy for as long as files in the folder grow: on a slow link all share it."""
    import asyncio  # late, as above

    task = asyncio.ensure_future(copying)
    try:
        size, since = -1, time.monotonic()
        while not (await asyncio.wait([task], timeout=min(_LOOK, seconds / 4)))[0]:
            if (now := _bytes_in(folder)) != size:
                size, since = now, time.monotonic()
            elif time.monotonic() - since > seconds:
                raise TimeoutError
        task.result()
    finally:
        task.cancel()


def _bytes_in(folder: str) -> int:
    size = 0
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # one that was read, and removed
                size += entry.stat().st_size
    return size


def problem_with(address: str, error: BaseException) -> ImageError:
    """The error of ours for one that came up when an object was read, or did not come in time.

    Where that may be the fault of all that lies there, its bucket is asked for something else:
    ``SourceUnavailableError`` where it does not answer, and ``ImageUnreadableError`` where it does.
    """
    problem = problem_of(address, error)
    if is_row(address):
        return problem
    if isinstance(problem, SourceUnavailableError) and _answers(address):
        return ImageUnreadableError(address, problem.reason)
    return problem


def _answers(address: str) -> bool:
    scheme, (bucket, _) = scheme_of(address), bucket_of(address)
    fs = file_system_of(address)
    try:
        if scheme == "s3":
            _in_time(fs, fs._call_s3("list_objects_v2", Bucket=bucket, MaxKeys=1))
        else:
            _in_time(fs, fs._ls(bucket, detail=False))
    except Exception:
        return False
    return True


def _s3_pages(fs: Any, folder: str) -> Iterator[list[Stored]]:
    bucket, key = bucket_of(folder)
    more: dict[str, str] = {}
    while True:
        prefix = f"{key}/" if key else ""
        page = _in_time(fs, fs._call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, **more))
        yield [
            _stored(f"s3://{bucket}/{entry['Key']}", entry | {"size": entry["Size"]})
            for entry in page.get("Contents", ())
        ]
        if not page.get("IsTruncated"):
            return
        more = {"ContinuationToken": page["NextContinuationToken"]}


def _folders(fs: Any, folder: str) -> Iterator[list[Stored]]:
    scheme = scheme_of(folder)
    for _, _, files in fs.walk(_path(folder), detail=True, on_error="raise"):
        yield [_stored(f"{scheme}://{info['name']}", info) for info in files.values()]


def _in_time(fs: Any, asking: Coroutine[Any, Any, Any]) -> Any:
    """What is asked of a file system.

    Raises:
        TimeoutError: it did not come in time.
    """
    import asyncio  # late, as above

    within = asyncio.wait_for(asking, ANSWER_SECONDS)
    return asyncio.run_coroutine_threadsafe(within, fs.loop).result()


def _path(address: str) -> str:
    """An address as fsspec has it."""
    return address.partition("://")[2]


def _stored(address: str, info: dict[str, Any]) -> Stored:
    etag = next((str(info[name]) for name in _ETAGS if info.get(name)), "")
    time = next((info[name] for name in _TIMES if info.get(name)), None)
    return Stored(address, int(info["size"]), _nanoseconds(time), etag.strip('"'))


def _nanoseconds(time: object) -> int:
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    if not isinstance(time, datetime):
        return 0
    return storable_time(round(time.timestamp() * 1000) * 1_000_000)


def _unlisted(folder: str, error: Exception) -> ImageError:
    """Why nothing could be listed, always as what concerns the whole."""
    problem = error if isinstance(error, ImageError) else problem_of(folder, error)
    if isinstance(problem, SourceUnavailableError):
        return problem
    return SourceUnavailableError(folder, problem.reason)
