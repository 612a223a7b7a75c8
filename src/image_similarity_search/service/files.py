"""Picture files handed out and taken in: inside the roots, whatever links lead elsewhere."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import IO

from image_similarity_search.addresses import is_address, real_address
from image_similarity_search.collection import originals
from image_similarity_search.errors import (
    CollectionUnwritableError,
    ConfigError,
    FolderNotFoundError,
    ImageNotFoundError,
    ImageSearchError,
    ImageUnreadableError,
    reason_of,
)
from image_similarity_search.images.formats import SNIFF_BYTES, format_of, is_picture_name
from image_similarity_search.service.roots import Roots

SHOWN = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WebP": "image/webp",
    "GIF": "image/gif",
    "AVIF": "image/avif",
    "BMP": "image/bmp",
}
"""What a browser may show by itself. Everything else is data to be saved, whatever it holds."""

DATA = "application/octet-stream"

MOST_BYTES = 256 * 1024**2
"""Of a file that is read whole, to be decoded."""

_OBJECT_SECONDS = 30.0  # in which an object must have come: nobody waits for it as long
_CHUNK = 1 << 18
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_STEPS = os.open in os.supports_dir_fd and _NO_FOLLOW  # Windows has neither


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file to be handed out: open, its size in bytes, its time of change, and its type.

    ``shown_upright``: browsers show it, and as a person sees it.
    """

    path: str
    file: IO[bytes]
    size: int
    mtime_ns: int
    media_type: str
    shown_upright: bool

    @property
    def tag(self) -> str:
        """What tells it from what it was before."""
        return f'"{self.mtime_ns:x}-{self.size:x}"'

    def chunks(self) -> Iterator[bytes]:
        """What it holds, as long as it was when it was opened."""
        left = self.size
        while left and (data := self.file.read(min(_CHUNK, left))):
            left -= len(data)
            yield data

    def close(self) -> None:
        """Close it."""
        self.file.close()


def open_inside(path: str, roots: Roots) -> OpenFile:
    """Open the picture at the absolute ``path`` to be handed out.

    Links are followed only as long as they stay within the roots. Of an object it is a copy.

    Raises:
        ImageNotFoundError: there is no such file within the roots.
        ImageUnreadableError: it is no picture file, or can't be read.
        SourceUnavailableError: the object storage that it lies in can't be reached.
    """
    stored = is_address(path)
    real = _real(path)
    root = roots.holds(real)
    if root is None:
        raise ImageNotFoundError(path, "its file is not inside an indexed folder")
    try:
        with originals.reading():
            stored_ns = originals.stat(path).mtime_ns if stored else None
            file = originals.opened(path, _OBJECT_SECONDS) if stored else _opened(root, real)
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            raise ImageNotFoundError(path, "its file does not exist") from None
        raise ImageUnreadableError(path, "its file can't be read") from error
    try:
        status = os.fstat(file.fileno())
        mtime_ns = status.st_mtime_ns if stored_ns is None else stored_ns
        head = file.read(SNIFF_BYTES)
        picture_format = format_of(head)
        if picture_format is None:
            raise ImageUnreadableError(path, "its file is not a picture")
        file.seek(0)
    except BaseException:
        file.close()
        raise
    media_type = SHOWN.get(picture_format.name, DATA)
    shown_upright = media_type != DATA and not _may_be_turned(head)
    return OpenFile(path, file, status.st_size, mtime_ns, media_type, shown_upright)


def _may_be_turned(head: bytes) -> bool:
    """Whether it is a WebP with EXIF or XMP: browsers pass over the orientation in these."""
    return head[8:16] == b"WEBPVP8X" and bool(int.from_bytes(head[20:21], "big") & 0b1100)


def read_inside(path: str, roots: Roots) -> bytes:
    """All of the picture at the absolute ``path``, at most ``MOST_BYTES``.

    Raises:
        ImageNotFoundError: there is no such file within the roots.
        ImageUnreadableError: it is no picture file, too large, or can't be read.
    """
    return read_opened(open_inside(path, roots))


def read_opened(opened: OpenFile) -> bytes:
    """The same of one that is open, which is closed.

    Raises:
        ImageUnreadableError: it is too large.
    """
    with closing(opened):
        if opened.size > MOST_BYTES:
            raise ImageUnreadableError(opened.path, f"a file of more than {MOST_BYTES:,} bytes")
        return opened.file.read(opened.size)


def is_inside(path: str, roots: Roots) -> bool:
    """Whether a file lies within the roots, links followed."""
    return roots.holds(_real(path)) is not None


def _real(path: str) -> str:
    """Where a file or object lies, links followed; empty where that is no place."""
    if "\0" in path:
        return ""
    try:
        return real_address(path) if is_address(path) else os.path.realpath(path)
    except ConfigError:
        return ""


def _opened(root: str, real: str) -> IO[bytes]:
    """Open a file below ``root``, of which no part may have become a link meanwhile."""
    flags = os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not _STEPS:
        return _regular(os.open(real, flags), real)
    *folders, name = os.path.relpath(real, root).split(os.sep)
    with _folder(root, folders) as folder:
        return _regular(os.open(name, flags, dir_fd=folder), real)


def _regular(descriptor: int, real: str) -> IO[bytes]:
    """The file of a descriptor, which is closed if it is a folder or a device."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ImageUnreadableError(real, "it is not a file")
    return os.fdopen(descriptor, "rb")


@contextmanager
def _folder(root: str, folders: list[str]) -> Iterator[int]:
    """A descriptor of the folder below ``root``, reached step by step and by no link."""
    flags = os.O_RDONLY | os.O_DIRECTORY
    folder = os.open(root, flags)
    try:
        for name in folders:
            inner = os.open(name, flags | _NO_FOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def check_name(path: str) -> None:
    """Refuse a file name that says to be no picture.

    Raises:
        ImageUnreadableError: it does.
    """
    if not is_picture_name(os.path.basename(path)):
        raise ImageUnreadableError(path, "the name of a picture file, which ends in .jpg, .png …")


@contextmanager
def new_file(root: str, target: str, data: bytes) -> Iterator[None]:
    """Write ``data`` to ``target``, a path below ``root``: all of it or nothing, over nothing.

    Folders below the root are made. What fails, here or inside the block, leaves nothing behind.

    Raises:
        FolderNotFoundError: the root is not there, as when its disk is not.
        FileExistsError: something is there already.
        ImageUnreadableError: a part of its path is no folder, such as a link.
        ConfigError: the drive takes no such name, or it is no path on a drive.
        CollectionUnwritableError: the drive is full, read-only, or out of order.
    """
    if is_address(target):
        raise ConfigError("root", target, "a folder on this computer: objects are never written")
    folder = os.path.dirname(target)
    if os.path.realpath(folder) != folder:
        raise ImageUnreadableError(target, "a part of its path is a link")
    if not os.path.isdir(root):
        raise FolderNotFoundError(root, "this folder does not exist now")
    made = _lacking(folder)
    try:
        _write(target, data)
        with _removed_on_failure(target):
            yield
    except BaseException:
        with contextlib.suppress(OSError):  # somebody else has put something there meanwhile
            for lacking in made:
                os.rmdir(lacking)
        raise


@contextmanager
def _removed_on_failure(target: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(target)
        raise


def _lacking(folder: str) -> list[str]:
    """Which of a folder and those that it is to lie in are not there, the innermost first."""
    lacking = []
    while not os.path.lexists(folder):
        lacking.append(folder)
        folder = os.path.dirname(folder)
    return lacking


def _write(target: str, data: bytes) -> None:
    """Write a file aside first, so that no sync meets half of it."""
    folder = os.path.dirname(target)
    aside = os.path.join(folder, f".{os.urandom(8).hex()}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | getattr(os, "O_BINARY", 0)
    try:
        os.makedirs(folder, exist_ok=True)
        with open(os.open(aside, flags, 0o666), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _appear(aside, target)
    except FileExistsError:
        raise
    except OSError as error:
        raise _unwritten(target, error) from error
    finally:
        with contextlib.suppress(OSError):
            os.remove(aside)


def _unwritten(target: str, error: OSError) -> ImageSearchError:
    """Why a file can't be written: its path is at fault, or the drive."""
    reason = reason_of(error)
    if error.errno in (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL):
        return ConfigError("path", target, f"a name that the file system accepts ({reason})")
    if error.errno in (errno.ENOTDIR, errno.ELOOP):
        return ImageUnreadableError(target, f"it can't be written: {reason}")
    return CollectionUnwritableError(
        os.path.dirname(target), reason, "free disk space or change its permissions"
    )


def _appear(aside: str, target: str) -> None:
    """Give a file its name, unless something has it."""
    try:
        os.link(aside, target)  # unlike a rename, it replaces nothing
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        # a drive without links: between the question and the rename there is a moment
        if os.path.lexists(target):
            raise FileExistsError(target) from None
        os.rename(aside, target)
