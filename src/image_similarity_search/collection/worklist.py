"""The files that a scan found work in: on disk when they are many, so memory stays bounded."""

from __future__ import annotations

import marshal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from image_similarity_search.catalog.values import FileStat

_IN_MEMORY_BYTES = 4 << 20


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
        """Add at the end."""
        stat = work.stat
        item = (work.folder, work.name, stat.size, stat.mtime_ns, work.known_id)
        self._file.write(marshal.dumps(item))
        self._count += 1

    def __iter__(self) -> Iterator[Work]:
        self._file.seek(0)
        for _ in range(self._count):
            folder, name, size, mtime_ns, known_id = marshal.load(self._file)  # noqa: S302 - ours
            yield Work(folder, name, FileStat(size, mtime_ns), known_id)

    def close(self) -> None:
        """Drop the list."""
        self._file.close()
