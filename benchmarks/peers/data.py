"""The embeddings that all peers search in, and the right answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from embeddings import BLOCK, encoded, grown
from numpy.lib.format import open_memmap

from image_similarity_search.types import FloatArray

K = 10
_ROWS, _QUERIES, _BORDERS = "rows.npy", "queries.npy", "borders.npy"


@dataclass(frozen=True, slots=True)
class Data:
    """Unit vectors in a folder.

    Attributes:
        rows: ``(n, dim)`` to search in; mapped from the file, not read.
        queries: ``(q, dim)``; no picture among them has a part in ``rows``.
        borders: ``(q,)`` how alike the tenth nearest row is to each query: the inner product.
    """

    rows: FloatArray
    queries: FloatArray
    borders: FloatArray


def make(cache: Path, count: int, pictures: Sequence[str]) -> Path:
    """The folder of ``count`` embeddings grown from those of pictures, made where it is missing."""
    folder = cache / f"embeddings-{count}"
    if (folder / _BORDERS).exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    base, queries = _real(cache, pictures)
    rows = open_memmap(folder / _ROWS, "w+", np.float32, (count, base.shape[1]))
    best = np.full((len(queries), K), -np.inf, dtype=np.float32)
    for number, block in enumerate(grown(base, count)):
        units = _units(block)
        rows[number * BLOCK : number * BLOCK + len(units)] = units
        near = np.hstack([best, queries @ units.T])
        best = np.partition(near, -K, axis=1)[:, -K:]
    rows.flush()
    np.save(folder / _QUERIES, queries)
    np.save(folder / _BORDERS, best.min(axis=1))
    return folder


def load(folder: Path) -> Data:
    """What ``make`` put into a folder."""
    rows = np.load(folder / _ROWS, mmap_mode="r")
    return Data(rows, np.load(folder / _QUERIES), np.load(folder / _BORDERS))


def queries(folder: Path) -> FloatArray:
    """The queries alone."""
    found: FloatArray = np.load(folder / _QUERIES)
    return found


def _real(cache: Path, pictures: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """Embeddings of pictures and of their crops, and of other pictures, whole: unit vectors."""
    file = cache / "real.npz"
    if not file.exists():
        real = encoded(pictures)
        np.savez(file, base=real.base, queries=real.queries)
    with np.load(file) as arrays:
        return arrays["base"], _units(arrays["queries"])


def _units(rows: FloatArray) -> FloatArray:
    units: FloatArray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return units
