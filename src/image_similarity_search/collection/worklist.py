"""The files that a scan found work in: on disk when they are many, so memory stays bounded."""

from __future__ import annotations

import contextlib
import marshal
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from image_similarity_search.catalog.values import FileStat
from image_similarity_search.errors import CollectionUnwritableError, reason_of

_IN_MEMORY_BYTES = 4 << 20
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Work:
    """A new or changed file, in a ``folder`` relative to its root.

    ``known_id`` is the id under which the catalog holds that path already, if it does.
    """

    folder: str
    name: str
    stat: FileStat
    known_id: int | None


class Worklist:
    """A list of work that is first filled, then read, as often as wanted."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - see close
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, work: Work) -> None:
        """Add at the end.

        Raises:
            CollectionUnwritableError: the folder for temporary files is full.
        """
        stat = work.stat
        item = marshal.dumps((work.folder, work.name, *stat, work.known_id))
        with _translated():
            self._file.write(_LENGTH.pack(len(item)) + item)
        self._count += 1

    def __iter__(self) -> Iterator[Work]:
        with _translated():
            self._file.seek(0)  # which writes what is buffered
        for _ in range(self._count):
            # not marshal.load: that reads a byte at a time
            (length,) = _LENGTH.unpack(self._file.read(_LENGTH.size))
            folder, name, *stat, known_id = marshal.loads(self._file.read(length))  # noqa: S302 - ours
            yield Work(folder, name, FileStat(*stat), known_id)

    def close(self) -> None:
        """Drop the list."""
        with contextlib.suppress(OSError):  # of what is buffered, and not wanted any more
            self._file.close()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CollectionUnwritableError(
            tempfile.gettempdir(),
            f"no room for the list of new files, which is kept there ({reason_of(error)})",
            "free disk space there, or set TMPDIR to another folder",
        ) from error
