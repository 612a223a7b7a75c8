"""The pictures that embeddings from elsewhere are of: what is there, and what is recorded."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.addresses import checked_address, is_address
from image_similarity_search.catalog.values import FileStat, ImageBatch
from image_similarity_search.errors import ConfigError, ImageError, ImportSourceError
from image_similarity_search.images import decode
from image_similarity_search.images.plain import header_of
from image_similarity_search.processors import available_processors
from image_similarity_search.reports import ImportReport
from image_similarity_search.types import FloatArray, ImageRecord, storable_time

_NAMED_AT_MOST = 10  # rows that are left out
_NOTHING_SEEN = FileStat(0, 0)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PictureFile:
    """What is to be recorded of a picture file.

    ``as_it_was`` ones are unchanged for the next sync. The others are recorded as never seen, so
    that it looks at them: ``missing`` ones, and those that it must ``encode`` again.
    """

    fate: Literal["as_it_was", "missing", "encode"]
    stat: FileStat = _NOTHING_SEEN
    content_hash: str | None = None
    width: int | None = None
    height: int | None = None

    def to_encode(self) -> PictureFile:
        """The same, if its old embedding says nothing of it."""
        if self.fate == "missing":
            return self
        return PictureFile("encode", width=self.width, height=self.height)


def look_at(path: str, written_ns: int | None = None) -> PictureFile:
    """What is at ``path`` now; an object in a storage is not looked at.

    ``written_ns`` is when an index of the recipe was written. Its embedding is not that of a
    picture which changed since, or which the recipe does not see as it is. Without that, an
    embedding is believed to be of the picture as it lies there.
    """
    if is_address(path):
        return PictureFile("encode")
    try:
        status = os.stat(path)
        data = decode.read_file(path)
    except (OSError, ImageError):
        return PictureFile("missing")
    header = header_of(data)
    if header is None:
        return PictureFile("missing")
    seen = PictureFile("encode", width=header.width, height=header.height)
    if written_ns is not None and (status.st_mtime_ns > written_ns or not header.plain):
        return seen
    stat = FileStat(status.st_size, storable_time(status.st_mtime_ns))
    return replace(seen, fate="as_it_was", stat=stat, content_hash=decode.content_hash(data))


def canonical_paths(paths: Sequence[str], base: str, source: str) -> list[str]:
    """The paths under which a catalog knows these files, as ``places.canonical`` has them.

    Those that are relative start from the folder ``base``.

    Raises:
        ImportSourceError: of ``source``, where one is an address that nothing is read from.
    """
    real: dict[str, str] = {}  # folders, of which there are fewer than files
    found = []
    for path in paths:
        if is_address(path):
            try:
                found.append(checked_address(path))
            except ConfigError as error:
                raise ImportSourceError(source, str(error)) from error
            continue
        folder, name = os.path.split(os.path.normpath(os.path.join(base, path)))
        if folder not in real:
            real[folder] = os.path.realpath(folder)
        found.append(os.path.join(real[folder], name))
    return found


class Taking:
    """Images of which ``report`` counts what became of them: row ``i`` gets the id ``i + 1``."""

    def __init__(
        self,
        paths: Sequence[str],
        blocks: Iterable[FloatArray],
        report: ImportReport,
        *,
        look: Callable[[str], PictureFile],
        told: Callable[[int], None],
    ) -> None:
        """For ``paths`` as ``canonical_paths`` gives them; of one that is there twice the last.

        Args:
            paths: of the images.
            blocks: their embeddings ``(n, dim)``, some at a time.
            report: what is counted in.
            look: says what is at a path.
            told: called with the number of rows that are done, for each.
        """
        self._paths = paths
        self._blocks = blocks
        self._last = {path: row for row, path in enumerate(paths)}
        self._report = report
        self._look = look
        self._told = told

    def parts(self) -> Generator[ImageBatch]:
        """The images, some at a time; their files are read in a thread a processor."""
        pool = ThreadPoolExecutor(available_processors(), thread_name_prefix="read")
        first = 0
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", module=r"PIL\.")
                for block in self._blocks:
                    yield self._part(first, block, pool)
                    first += len(block)
        finally:
            pool.shutdown(cancel_futures=True)

    def _part(self, first: int, block: FloatArray, pool: ThreadPoolExecutor) -> ImageBatch:
        with np.errstate(over="ignore"):  # lengths that float32 can't hold are left out
            numbers = np.isfinite(block)
            units, norms = vectors.pack(np.where(numbers, block, 0))
        finite = numbers.all(axis=1) & np.isfinite(norms)
        taken = []
        for at, path in enumerate(self._paths[first : first + len(block)]):
            if self._last[path] != first + at:
                continue
            if finite[at]:
                taken.append(at)
            else:
                self._leave_out(first + at)
        paths = [self._paths[first + at] for at in taken]
        records = [
            self._record(first + at, path, file if norms[at] else file.to_encode())
            for at, path, file in zip(taken, paths, pool.map(self._look, paths), strict=True)
        ]
        return ImageBatch(records, units[taken], norms[taken])

    def _leave_out(self, row: int) -> None:
        self._report.not_finite += 1
        if self._report.not_finite <= _NAMED_AT_MOST:
            _log.warning("row %d has no finite embedding: %s is left out", row, self._paths[row])

    def _record(self, row: int, path: str, file: PictureFile) -> ImageRecord:
        report = self._report
        report.taken_over += 1
        report.missing += file.fate == "missing"
        report.to_encode += file.fate == "encode"
        self._told(row + 1)
        return ImageRecord(
            id=row + 1,
            path=path,
            size=file.stat.size,
            mtime_ns=file.stat.mtime_ns,
            content_hash=file.content_hash,
            width=file.width,
            height=file.height,
            state="indexed",
        )
