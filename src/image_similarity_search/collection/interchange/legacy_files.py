"""The files of the well-known recipe: ``faiss.index`` and ``image_paths.pkl``.

Row i of the index, an ``IndexFlatL2`` or ``IndexFlatIP``, is the embedding of path i of the pickled
list. Both files may be anybody's, and damaged: the list is read as data, and of the index, whose
format has no checksum, the few fields are checked here and the rows read as they are needed.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from image_similarity_search.errors import (
    ImportSourceError,
    LegacyIndexError,
    RefusedPickleError,
)
from image_similarity_search.restricted_pickle import load
from image_similarity_search.stores.index_file import is_ours
from image_similarity_search.types import FloatArray, Metric

INDEX_NAME = "faiss.index"
PATHS_NAME = "image_paths.pkl"
KEPT = ".legacy"
"""What is put behind the names of files that are kept beside a collection made of them."""

# type, dim, count, two fields that are not used, whether trained, metric, number of values
_FLAT = struct.Struct("<4siqqq?iQ")
_METRICS: dict[bytes, tuple[int, Metric]] = {b"IxF2": (1, "l2"), b"IxFI": (0, "ip")}
_KINDS = {
    b"IxFl": "a flat index of another metric",
    b"IxMp": "an IndexIDMap",
    b"IxM2": "an IndexIDMap2",
    b"IwFl": "an IndexIVFFlat",
    b"IwPQ": "an IndexIVFPQ",
    b"IxPq": "an IndexPQ",
    b"IxSQ": "an IndexScalarQuantizer",
    b"IHNf": "an IndexHNSWFlat",
    b"IxPT": "an IndexPreTransform",
    b"IBxF": "an IndexBinaryFlat",
}
_EXPECTED = "expected an IndexFlatL2 or IndexFlatIP"
_LARGEST_LIST = 4 << 30  # bytes of pickled paths
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class LegacyFiles:
    """An index of the recipe, checked.

    Attributes:
        index_path: of the FAISS file.
        paths_path: of the list of paths.
        paths: as they are listed.
        dim: length of an embedding.
        metric: what the index compares by.
        mtime_ns: when it was written.
    """

    index_path: str
    paths_path: str
    paths: list[str]
    dim: int
    metric: Metric
    mtime_ns: int

    def rows(self) -> Iterator[FloatArray]:
        """The embeddings ``(n, dim)``, some at a time, in order.

        Raises:
            ImportSourceError: they can't be read.
        """
        left = len(self.paths)
        try:
            with open(self.index_path, "rb") as file:
                file.seek(_FLAT.size)
                while left:
                    count = min(left, _ROWS_AT_ONCE)
                    data = file.read(4 * self.dim * count)
                    yield np.frombuffer(data, "<f4").reshape(count, self.dim)
                    left -= count
        except (OSError, ValueError) as error:  # it was cut short meanwhile
            raise ImportSourceError(self.index_path, f"it can't be read ({error})") from error


def read_legacy(folder: str) -> LegacyFiles:
    """The index of the recipe in ``folder``; one that was kept beside a collection, too.

    Raises:
        ImportSourceError: there is none, it is damaged, or none that can be taken over.
    """
    index_path, paths_path = _found(folder)
    paths = _read_paths(paths_path)
    try:
        with open(index_path, "rb") as file:
            dim, count, metric = _read_header(file, index_path)
            mtime_ns = os.fstat(file.fileno()).st_mtime_ns
    except OSError as error:
        raise ImportSourceError(index_path, f"it can't be read ({error})") from error
    if count != len(paths):
        raise ImportSourceError(
            folder,
            f"{os.path.basename(index_path)} has {count:,} embeddings and"
            f" {os.path.basename(paths_path)} {len(paths):,} paths: they don't belong together",
        )
    return LegacyFiles(index_path, paths_path, paths, dim, metric, mtime_ns)


def refuse_to_overwrite(folder: str) -> None:
    """Raise LegacyIndexError where a new collection would overwrite another program's index.

    Call where there is no collection in ``folder``.
    """
    if os.path.exists(os.path.join(folder, PATHS_NAME)):
        raise LegacyIndexError(folder, f"an index of the ResNet-50 + FAISS tutorial ({PATHS_NAME})")
    index_path = os.path.join(folder, INDEX_NAME)
    if os.path.exists(index_path) and not is_ours(index_path):
        raise LegacyIndexError(folder, f"a {INDEX_NAME} of another program")


def keep_aside(files: LegacyFiles) -> None:
    """Rename the files, so that a collection may be where they are.

    The list goes last: as long as it has its name, the index is looked for under both.

    Raises:
        ImportSourceError: they can't be renamed.
    """
    for path in (files.index_path, files.paths_path):
        if not path.endswith(KEPT):
            try:
                os.rename(path, path + KEPT)
            except OSError as error:
                raise ImportSourceError(path, f"it can't be renamed ({error.strerror})") from error


def refuse_to_keep_twice(files: LegacyFiles) -> None:
    """Raise ImportSourceError where ``keep_aside`` would overwrite what was kept before."""
    for path in (files.index_path, files.paths_path):
        if not path.endswith(KEPT) and os.path.lexists(path + KEPT):
            raise ImportSourceError(path, f"{path + KEPT} is there already: move one of them away")


def _found(folder: str) -> tuple[str, str]:
    if not os.path.isdir(folder):
        raise ImportSourceError(folder, "no such folder")
    index_path, paths_path = (os.path.join(folder, name) for name in (INDEX_NAME, PATHS_NAME))
    if not os.path.isfile(paths_path):
        if not os.path.isfile(paths_path + KEPT):
            raise ImportSourceError(folder, f"there is no {PATHS_NAME} in it")
        index_path, paths_path = index_path + KEPT, paths_path + KEPT
    elif not os.path.isfile(index_path) and os.path.isfile(index_path + KEPT):
        index_path += KEPT  # a process was killed while it renamed them
    if not os.path.isfile(index_path):
        raise ImportSourceError(folder, f"there is no {os.path.basename(index_path)} in it")
    return index_path, paths_path


def _read_paths(path: str) -> list[str]:
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > _LARGEST_LIST:
                raise ImportSourceError(path, f"{size:,} bytes are too many for a list of paths")
            paths = load(file)
            if file.read(1):
                raise ImportSourceError(path, "there is more data after the list of paths")
    except RefusedPickleError as error:
        hint = "expected a list of text, as of [str(path) for path in paths]"
        raise ImportSourceError(path, f"{error}; {hint}") from error
    except OSError as error:
        raise ImportSourceError(path, f"it can't be read ({error.strerror})") from error
    if type(paths) is not list:
        raise ImportSourceError(path, f"a {type(paths).__name__}; expected a list of text")
    for position, item in enumerate(paths):
        if type(item) is not str:
            reason = f"item {position} is a {type(item).__name__}; expected a list of text"
            raise ImportSourceError(path, reason)
        if not item or "\0" in item:
            raise ImportSourceError(path, f"item {position} is not a path: {item[:100]!r}")
    return paths


def _read_header(file: BinaryIO, path: str) -> tuple[int, int, Metric]:
    """Dimension, count and metric of a flat index that is as long as these say."""
    start = file.read(_FLAT.size)
    type_ = start[:4]
    if type_ not in _METRICS:
        found = _KINDS.get(type_, f"a file that begins with {type_!r}")
        raise ImportSourceError(path, f"it is {found}; {_EXPECTED}")
    if len(start) < _FLAT.size:
        raise ImportSourceError(path, "it is cut short")
    _, dim, count, _, _, _, metric_code, values = _FLAT.unpack(start)
    code, metric = _METRICS[type_]
    if dim < 1 or count < 0 or metric_code != code or values != dim * count:
        raise ImportSourceError(
            path,
            f"it is damaged: {count:,} embeddings of dimension {dim:,} and metric {metric_code},"
            f" but {values:,} values",
        )
    expected = _FLAT.size + 4 * values
    size = os.fstat(file.fileno()).st_size
    if size != expected:
        raise ImportSourceError(path, f"it has {size:,} bytes; expected {expected:,}")
    return dim, count, metric
