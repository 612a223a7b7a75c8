"""Embeddings that any program wrote: an array ``(n, dim)``, or a column of a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.collection.interchange.parquet_file import (
    HEADER_KEY,
    arrow,
    opened_table,
)
from image_similarity_search.errors import ImportSourceError, reason_of
from image_similarity_search.types import FloatArray

PARQUET = ".parquet"

_EXPECTED = "expected float32 or float16 of shape (n, dim), a row for each picture"
_ROWS_AT_ONCE = 1024


class EmbeddingFile(Protocol):
    """Embeddings of pictures, in order.

    Attributes:
        count: how many they are.
        dim: length of each.
    """

    count: int
    dim: int

    def blocks(self) -> Iterator[FloatArray]:
        """They themselves, ``(n, dim)`` float32, some at a time.

        Raises:
            ImportSourceError: they can't be read.
        """
        ...


class ArrayEmbeddings:
    """Embeddings in an array of NumPy's.

    Raises:
        ImportSourceError: it holds none.
    """

    def __init__(self, array: NDArray[Any], source: str) -> None:
        self._array = array
        self.count, self.dim = _shape(array, source)

    def blocks(self) -> Iterator[FloatArray]:
        """They themselves, some at a time."""
        for first in range(0, self.count, _ROWS_AT_ONCE):
            yield _as_float32(self._array[first : first + _ROWS_AT_ONCE])


class NpyEmbeddings:
    """Embeddings in a ``.npy`` file.

    It is read, and not mapped: a mapped file that is cut short meanwhile ends the process.

    Raises:
        ImportSourceError: it can't be read, or holds none.
    """

    def __init__(self, path: str) -> None:
        try:
            mapped = np.lib.format.open_memmap(path, mode="r")  # which checks the header
        except OSError as error:
            raise ImportSourceError(path, reason_of(error)) from error
        except Exception as error:  # of a damaged header NumPy raises what its parser does
            raise ImportSourceError(
                path, f"its array can't be read ({error}); {_EXPECTED}"
            ) from error
        self.count, self.dim = _shape(mapped, path)
        if not mapped.flags.c_contiguous:
            reason = "its array is in column order; numpy.ascontiguousarray makes it row order"
            raise ImportSourceError(path, reason)
        self._path, self._dtype, self._start = path, mapped.dtype, mapped.offset

    def blocks(self) -> Iterator[FloatArray]:
        """They themselves, some at a time."""
        try:
            with open(self._path, "rb") as file:
                file.seek(self._start)
                for first in range(0, self.count, _ROWS_AT_ONCE):
                    rows = min(_ROWS_AT_ONCE, self.count - first)
                    data = file.read(rows * self.dim * self._dtype.itemsize)
                    yield _as_float32(np.frombuffer(data, self._dtype).reshape(rows, self.dim))
        except (OSError, ValueError) as error:  # it was cut short meanwhile
            raise ImportSourceError(self._path, f"it can't be read ({error})") from error


class ParquetEmbeddings:
    """Embeddings in the column ``embedding`` of a Parquet file, or in its only one of lists.

    Raises:
        ImportSourceError: it has none, or can't be read here.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        with _table(path) as table:
            self._column = _column_of_embeddings(table.schema_arrow, path)
            self.count = table.metadata.num_rows
            first = next(table.iter_batches(1, columns=[self._column]), None)
        self.dim = len(first.column(0)[0] or ()) if first else 0
        if not self.dim:
            raise ImportSourceError(path, f"its column {self._column} has no embedding")

    def blocks(self) -> Iterator[FloatArray]:
        """They themselves, some at a time."""
        first = 0
        with _table(self._path) as table:
            for batch in table.iter_batches(_ROWS_AT_ONCE, columns=[self._column]):
                column = batch.column(0)
                lengths = column.value_lengths().to_numpy(zero_copy_only=False)
                if not (lengths == self.dim).all():
                    row = first + int(np.argmin(lengths == self.dim))
                    reason = f"the embedding in row {row} does not have {self.dim:,} values"
                    raise ImportSourceError(self._path, reason)
                values = column.flatten().to_numpy(zero_copy_only=False)
                first += len(batch)
                yield np.asarray(values, dtype=np.float32).reshape(-1, self.dim)


def is_plain_table(path: str) -> bool:
    """Whether this is a Parquet file that ``export_collection`` did not write."""
    if not path.endswith(PARQUET):
        return False
    _, parquet = arrow()
    try:
        metadata = parquet.read_schema(path).metadata or {}
    except (OSError, ValueError):  # ValueError: what is damaged
        return False
    return HEADER_KEY not in metadata


def _shape(array: NDArray[Any], source: str) -> tuple[int, int]:
    """How many embeddings an array holds, and their length."""
    if array.ndim != 2 or array.dtype.kind != "f" or not array.shape[1]:
        found = f"an array of {array.dtype} of shape {array.shape}"
        raise ImportSourceError(source, f"{found}; {_EXPECTED}")
    count, dim = array.shape
    return count, dim


def _as_float32(rows: NDArray[Any]) -> FloatArray:
    with np.errstate(over="ignore"):  # of float64: what is too large is infinite then
        return np.asarray(rows, dtype=np.float32)


def _table(path: str) -> AbstractContextManager[Any]:
    """An open Parquet file; what is wrong with it is told as an ImportSourceError."""
    return opened_table(path, partial(ImportSourceError, path))


def _column_of_embeddings(schema: Any, path: str) -> str:
    pa, _ = arrow()
    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    lists: list[str] = [
        field.name
        for field in schema
        if any(kind(field.type) for kind in kinds) and pa.types.is_floating(field.type.value_type)
    ]
    if "embedding" in lists:
        return "embedding"
    if len(lists) != 1:
        found = f"columns of number lists: {', '.join(lists)}" if lists else "it has no such lists"
        raise ImportSourceError(
            path,
            f"which column has the embeddings, a list of floats each? Call it embedding; {found}",
        )
    return lists[0]
