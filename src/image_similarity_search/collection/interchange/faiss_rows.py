"""Where in a FAISS file of anybody's the vectors lie that it keeps in full.

FAISS itself may crash at damaged bytes, so the few fields that matter are read and checked here: of
an ``IndexFlat``, of one inside an ``IndexIDMap``, of one below an ``IndexHNSWFlat``, and of the
lists of an ``IndexIVFFlat``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.errors import ImportSourceError
from image_similarity_search.types import IdArray, Metric

# type, dim, count, two fields that are not used, whether trained, metric
_HEADER = struct.Struct("<4siqqq?i")
_SIZE = struct.Struct("<Q")
_FLOAT, _ID = 4, 8  # bytes
_METRICS: dict[int, Metric] = {0: "ip", 1: "l2"}
_FLAT = {b"IxF2": 1, b"IxFI": 0}
_MAPPED = (b"IxMp", b"IxM2")
_KINDS = {
    b"IxFl": "a flat index of another metric",
    b"IwPQ": "an IndexIVFPQ",
    b"IxPq": "an IndexPQ",
    b"IxSQ": "an IndexScalarQuantizer",
    b"IxPT": "an IndexPreTransform",
    b"IBxF": "an IndexBinaryFlat",
}
_EXPECTED = (
    "expected an IndexFlatL2 or IndexFlatIP, alone, in an IndexIDMap or below an IndexHNSWFlat, or"
    " an IndexIVFFlat. What faiss.read_index(PATH).reconstruct_n() gives of another one can be"
    " taken over as embeddings: 'iss import', import_embeddings"
)


@dataclass(frozen=True, slots=True, eq=False)
class FoundRows:
    """The vectors in a file: float32, little-endian.

    Attributes:
        dim: length of a vector.
        metric: what the index compares by.
        offsets: where each begins, in order of the ids, which are 0 to n - 1.
    """

    dim: int
    metric: Metric
    offsets: NDArray[np.int64]


def rows_in(file: BinaryIO, size: int, path: str) -> FoundRows:
    """The vectors in a file of ``size`` bytes, which is open.

    Raises:
        ImportSourceError: it is damaged, or keeps none in full.
    """
    return _Reader(file, path).rows(0, size)


def is_faiss(path: str) -> bool:
    """Whether a file begins as one of FAISS does that is known here."""
    try:
        with open(path, "rb") as file:
            return file.read(4) in {*_FLAT, *_MAPPED, *_KINDS, b"IHNf", b"IwFl"}
    except OSError:
        return False


class _Reader:
    """Reads fields of one file."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file = file
        self._path = path

    def rows(self, start: int, end: int) -> FoundRows:
        """Those of the index in this part of the file."""
        type_ = self._bytes(start, 4)
        if type_ in _FLAT:
            return self._flat(start, end)
        if type_ in _MAPPED:
            return self._mapped(start, end)
        if type_ == b"IHNf":  # its vectors are an index of their own, the last of its parts
            _, dim, count = self._header(start)
            first = end - _HEADER.size - _SIZE.size - _FLOAT * dim * count
            if first < start + _HEADER.size or self._bytes(first, 4) not in _FLAT:
                raise self._damaged("it does not end with its vectors")
            return self._flat(first, end)
        if type_ == b"IwFl":
            return self._listed(start, end)
        found = _KINDS.get(type_, f"a file that begins with {type_!r}")
        raise ImportSourceError(self._path, f"it is {found}; {_EXPECTED}")

    def _flat(self, start: int, end: int) -> FoundRows:
        metric, dim, count = self._header(start)
        values = self._number(start + _HEADER.size)
        first = start + _HEADER.size + _SIZE.size
        if values != dim * count or metric != _FLAT[self._bytes(start, 4)]:
            raise self._damaged(
                f"{count:,} embeddings of dimension {dim:,} and metric {metric}, but"
                f" {values:,} values"
            )
        if first + _FLOAT * values != end:
            raise ImportSourceError(
                self._path, f"it has {end:,} bytes; expected {first + _FLOAT * values:,}"
            )
        offsets = first + _FLOAT * dim * np.arange(count, dtype=np.int64)
        return FoundRows(dim, _METRICS[metric], offsets)

    def _mapped(self, start: int, end: int) -> FoundRows:
        _, _, count = self._header(start)
        last = end - _ID * count
        if last - _SIZE.size < start or self._number(last - _SIZE.size) != count:
            raise self._damaged("it does not end with its ids")
        if self._bytes(start + _HEADER.size, 4) in _MAPPED:
            raise self._damaged("its ids have ids")
        inner = self.rows(start + _HEADER.size, last - _SIZE.size)
        ids = self._array(last, count, "<i8")
        if len(inner.offsets) != count:
            raise self._damaged(f"{count:,} ids for {len(inner.offsets):,} embeddings")
        return FoundRows(inner.dim, inner.metric, self._ordered(ids, inner.offsets))

    def _listed(self, start: int, end: int) -> FoundRows:
        metric, dim, count = self._header(start)
        lists = self._number(start + _HEADER.size)
        at = start + _HEADER.size + 2 * _SIZE.size
        quantizer = self._bytes(at, 4)
        if quantizer not in _FLAT:
            raise ImportSourceError(
                self._path, f"its lists are found by {quantizer!r}; {_EXPECTED}"
            )
        at += _HEADER.size
        at += _SIZE.size + _FLOAT * self._number(at)
        if self._bytes(at, 1) == b"\2":  # a direct map that is a table of hashes
            raise ImportSourceError(self._path, f"it has a direct map of hashes; {_EXPECTED}")
        at += 1
        at += _SIZE.size + _ID * self._number(at)
        if self._bytes(at, 4) != b"ilar" or self._number(at + 4) != lists:
            raise self._damaged("its lists are not where they are looked for")
        row = self._number(at + 4 + _SIZE.size)
        form, at = self._bytes(at + 4 + 2 * _SIZE.size, 4), at + 8 + 2 * _SIZE.size
        told = self._number(at)
        sizes = self._array(at + _SIZE.size, told, "<u8")
        at += _SIZE.size * (1 + told)
        sizes = sizes if form == b"full" else sizes[1::2]  # else pairs of a list and its size
        if row != _FLOAT * dim or (sizes > count).any() or int(sizes.sum()) != count:
            raise self._damaged(f"{int(sizes.sum()):,} of {count:,} embeddings are in its lists")
        ids, offsets = [], []
        for length in sizes[sizes > 0].tolist():
            offsets.append(at + row * np.arange(length, dtype=np.int64))
            ids.append(self._array(at + row * length, length, "<i8"))
            at += (row + _ID) * length
        if at != end:
            raise ImportSourceError(self._path, f"it has {end:,} bytes; expected {at:,}")
        none = np.empty(0, dtype=np.int64)
        ordered = self._ordered(np.concatenate([none, *ids]), np.concatenate([none, *offsets]))
        return FoundRows(dim, _METRICS[metric], ordered)

    def _ordered(self, ids: IdArray, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        """The offsets in order of the ids."""
        order = np.argsort(ids, kind="stable")
        if not np.array_equal(ids[order], np.arange(len(ids))):
            raise ImportSourceError(
                self._path,
                "its ids are not 0 to n - 1, so rows can't be matched with paths: import its"
                " embeddings and a list of paths in their order with 'iss import'"
                " (import_embeddings)",
            )
        return offsets[order]

    def _header(self, start: int) -> tuple[int, int, int]:
        """Metric, dimension and count of an index."""
        _, dim, count, _, _, _, metric = _HEADER.unpack(self._bytes(start, _HEADER.size))
        if dim < 1 or count < 0 or metric not in _METRICS:
            raise self._damaged(f"{count:,} embeddings of dimension {dim:,} and metric {metric}")
        return metric, dim, count

    def _number(self, start: int) -> int:
        number: int = _SIZE.unpack(self._bytes(start, _SIZE.size))[0]
        return number

    def _array(self, start: int, count: int, dtype: str) -> NDArray[Any]:
        return np.frombuffer(self._bytes(start, np.dtype(dtype).itemsize * count), dtype)

    def _bytes(self, start: int, count: int) -> bytes:
        self._file.seek(0, 2)
        if start + count > self._file.tell():  # before so much memory is asked for
            raise ImportSourceError(self._path, "it is cut short")
        self._file.seek(start)
        return self._file.read(count)

    def _damaged(self, why: str) -> ImportSourceError:
        return ImportSourceError(self._path, f"it is damaged: {why}")
