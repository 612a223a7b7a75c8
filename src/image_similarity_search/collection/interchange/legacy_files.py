"""The files of the well-known recipe: ``faiss.index`` and ``image_paths.pkl``.

Row i of the index is the embedding of path i of the pickled list. Both files may be anybody's, and
damaged: the list is read as data, and of the index, whose format has no checksum, the few fields
that matter are checked (``faiss_rows``) and the rows read as they are needed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_similarity_search import plain_pickle
from image_similarity_search.collection.interchange.faiss_rows import (
    FoundRows,
    is_faiss,
    rows_in,
)
from image_similarity_search.collection.interchange.path_lists import checked_paths, read_path_list
from image_similarity_search.errors import ImportSourceError, LegacyIndexError, reason_of
from image_similarity_search.stores.index_file import is_ours
from image_similarity_search.types import FloatArray, Metric

INDEX_NAME = "faiss.index"
PATHS_NAME = "image_paths.pkl"
KEPT = ".legacy"
"""What is put behind the names of files that are kept beside a collection made of them."""

_IN_THE_WAY = (INDEX_NAME, PATHS_NAME)  # of a collection in the same folder
_LISTS = (".pkl", ".pickle", ".npy", ".json", ".txt", ".csv")
_LARGEST_LIST = 4 << 30  # bytes of pickled paths
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class LegacyFiles:
    """An index of the recipe, checked.

    Attributes:
        folder: its real path.
        index_path: of the FAISS file.
        paths_path: of the list of paths.
        paths: as they are listed.
        found: where in it the embeddings lie, and what they are.
        mtime_ns: when it was written.
    """

    folder: str
    index_path: str
    paths_path: str
    paths: list[str]
    found: FoundRows
    mtime_ns: int

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self.found.dim

    @property
    def metric(self) -> Metric:
        """What the index compares by."""
        return self.found.metric

    def rows(self) -> Iterator[FloatArray]:
        """The embeddings ``(n, dim)``, some at a time, in order.

        Raises:
            ImportSourceError: they can't be read.
        """
        length = 4 * self.dim
        try:
            with open(self.index_path, "rb") as file:
                for start in range(0, len(self.paths), _ROWS_AT_ONCE):
                    offsets = self.found.offsets[start : start + _ROWS_AT_ONCE]
                    data = bytearray()
                    for first, count in _in_one_piece(offsets, length):
                        file.seek(first)
                        data += file.read(length * count)
                    yield np.frombuffer(data, "<f4").reshape(len(offsets), self.dim)
        except (OSError, ValueError) as error:  # it was cut short meanwhile
            raise ImportSourceError(self.index_path, f"it can't be read ({error})") from error


def read_legacy(folder: str, index_path: str = "", paths_path: str = "") -> LegacyFiles:
    """The index of the recipe in ``folder``; one that was kept beside a collection, too.

    Its files may be named; otherwise they are those of the recipe, or the only ones of their kind.

    Raises:
        ImportSourceError: there is none, it is damaged, or none that can be taken over.
    """
    if index_path or paths_path:
        index_path, paths_path = _only_ones(folder, index_path, paths_path)
    else:
        index_path, paths_path = _found(folder)
    paths = _read_paths(paths_path)
    try:
        with open(index_path, "rb") as file:
            status = os.fstat(file.fileno())
            found = rows_in(file, status.st_size, index_path)
    except OSError as error:
        raise ImportSourceError(index_path, f"it can't be read ({error})") from error
    if (count := len(found.offsets)) != len(paths):
        raise ImportSourceError(
            folder,
            f"{os.path.basename(index_path)} has {count:,} embeddings and"
            f" {os.path.basename(paths_path)} {len(paths):,} paths: they don't belong together",
        )
    return LegacyFiles(
        os.path.realpath(folder), index_path, paths_path, paths, found, status.st_mtime_ns
    )


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
        if _is_in_the_way(path, files):
            try:
                os.rename(path, path + KEPT)
            except OSError as error:
                raise ImportSourceError(
                    path, f"it can't be renamed ({reason_of(error)})"
                ) from error


def _is_in_the_way(path: str, files: LegacyFiles) -> bool:
    """Whether a collection in the folder that was asked for would overwrite or miss this file."""
    inside = os.path.realpath(os.path.dirname(path)) == files.folder
    return inside and os.path.basename(path) in _IN_THE_WAY


def refuse_to_keep_twice(files: LegacyFiles) -> None:
    """Raise ImportSourceError where what was kept, or another index, would be overwritten."""
    for path in (files.index_path, files.paths_path):
        if _is_in_the_way(path, files) and os.path.lexists(path + KEPT):
            raise ImportSourceError(path, f"{path + KEPT} is there already: move one of them away")
    other = os.path.join(files.folder, INDEX_NAME)
    if (
        os.path.exists(other)
        and not is_ours(other)
        and not os.path.samefile(other, files.index_path)
    ):
        raise ImportSourceError(other, "another index, in the collection's place: move it away")


def _found(folder: str) -> tuple[str, str]:
    if not os.path.isdir(folder):
        raise ImportSourceError(folder, "no such folder")
    index_path, paths_path = (os.path.join(folder, name) for name in (INDEX_NAME, PATHS_NAME))
    if not os.path.isfile(paths_path):
        if not os.path.isfile(paths_path + KEPT):
            return _only_ones(folder)
        index_path, paths_path = index_path + KEPT, paths_path + KEPT
    elif not os.path.isfile(index_path) and os.path.isfile(index_path + KEPT):
        index_path += KEPT  # a process was killed while it renamed them
    return (index_path, paths_path) if os.path.isfile(index_path) else _only_ones(folder)


def _only_ones(folder: str, index_path: str = "", paths_path: str = "") -> tuple[str, str]:
    """The only FAISS index and the only list in ``folder``, whatever their names; or those given.

    Raises:
        ImportSourceError: there is not one of each.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError as error:
        raise ImportSourceError(folder, f"it can't be read ({error.strerror})") from error
    paths = {name: os.path.join(folder, name) for name in names}
    indexes = [name for name, path in paths.items() if is_faiss(path) and not is_ours(path)]
    lists = [name for name in names if name.removesuffix(KEPT).lower().endswith(_LISTS)]
    if (index_path or len(indexes) == 1) and (paths_path or len(lists) == 1):
        return index_path or paths[indexes[0]], paths_path or paths[lists[0]]
    raise ImportSourceError(
        folder,
        f"there is no {INDEX_NAME} with {PATHS_NAME} in it, nor one FAISS index with one list of"
        f" paths by other names; there are the indexes {_told(indexes)} and the lists"
        f" {_told(lists)}: say which (--faiss FILE --paths FILE; faiss_file=, paths_file=)",
    )


def _told(names: list[str]) -> str:
    some = ", ".join(names[:5])
    return f"({some or 'none'}{', ...' if len(names) > 5 else ''})"


def _in_one_piece(offsets: NDArray[np.int64], length: int) -> Iterator[tuple[int, int]]:
    """Rows of ``length`` bytes that follow each other: where the first begins, and how many."""
    breaks = np.flatnonzero(np.diff(offsets) != length) + 1
    for part in np.split(offsets, breaks):
        yield int(part[0]), len(part)


def _read_paths(path: str) -> list[str]:
    ending = os.path.splitext(path.removesuffix(KEPT))[1].lower()
    if ending == ".npy":
        return _in_npy(path)
    if ending not in ("", *_LISTS[:2]):
        return read_path_list(path)
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > _LARGEST_LIST:
                raise ImportSourceError(path, f"{size:,} bytes are too many for a list of paths")
            paths = plain_pickle.load(file, {}, largest=size + 1)
            if file.read(1):
                raise ImportSourceError(path, "there is more data after the list of paths")
    except ValueError as error:
        hint = "expected a list of text, as of [str(path) for path in paths]"
        raise ImportSourceError(path, f"{error}; {hint}") from error
    except OSError as error:
        raise ImportSourceError(path, f"it can't be read ({reason_of(error)})") from error
    if type(paths) is not list:
        raise ImportSourceError(path, f"a {type(paths).__name__}; expected a list of text")
    for position, item in enumerate(paths):
        if type(item) is not str:
            reason = f"item {position} is a {type(item).__name__}; expected a list of text"
            raise ImportSourceError(path, reason)
        if not item or "\0" in item:
            raise ImportSourceError(path, f"item {position} is not a path: {item[:100]!r}")
    return paths


def _in_npy(path: str) -> list[str]:
    """The paths in an array of text."""
    try:
        array = np.load(path, allow_pickle=False, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise ImportSourceError(path, f"it can't be read ({error})") from error
    if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind != "U":
        raise ImportSourceError(path, "expected an array of text, as of np.array(paths)")
    return checked_paths(array.tolist(), path)
