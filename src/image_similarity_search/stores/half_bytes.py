"""Half a byte for each dimension of vectors: what puts the candidates of a scan of bits in order.

One bit tells so little that hundreds of candidates must be compared exactly for ten hits. Four
bits leave a few dozen, in an eighth of the memory of the vectors.
"""

from __future__ import annotations

import numpy as np

from image_similarity_search.types import FloatArray, IdArray

MOST_BYTES = 2**26
"""How much memory they take, at most."""

_STEPS = 16  # that half a byte tells apart
_RANGE = 0.002, 0.998  # of the values of a dimension lie below the steps, and not above them
_LENGTH = np.dtype(np.float32)  # that which the steps of a vector stand for has
_AT_ONCE = 64  # vectors whose steps a processor's own cache holds


def most(dim: int) -> int:
    """How many vectors of length ``dim`` there is room for."""
    return MOST_BYTES // (_packed(dim) + _LENGTH.itemsize)


class HalfBytes:
    """Unit vectors by their position, in steps that fit a ``sample`` ``(n, dim)`` of them."""

    def __init__(self, sample: FloatArray) -> None:
        dim = sample.shape[1]
        least, largest = np.quantile(sample, _RANGE, axis=0).astype(np.float32)
        self._step = (largest - least) / _STEPS
        self._per_value = 1 / np.where(self._step > 0, self._step, 1)
        self._least, self._first = least, least + self._step / 2  # the first step stands for this
        # a system gives this memory only as it is written to
        self._bytes = np.empty((most(dim), _packed(dim)), dtype=np.uint8)
        self._stretched = np.empty(most(dim), dtype=_LENGTH)
        self._count = 0

    def __len__(self) -> int:
        """How many vectors there are."""
        return self._count

    def memory_bytes(self) -> int:
        """How much memory they take."""
        return self._count * (self._bytes.shape[1] + _LENGTH.itemsize)

    def add(self, rows: FloatArray) -> None:
        """Put ``rows`` ``(n, dim)`` behind those that are there; there must be room for them."""
        for start in range(0, len(rows), _AT_ONCE):
            self._add(rows[start : start + _AT_ONCE])

    def _add(self, rows: FloatArray) -> None:
        half, at = self._bytes.shape[1], slice(self._count, self._count + len(rows))
        coarse = rows - self._least
        coarse *= self._per_value
        steps = coarse.clip(0, _STEPS - 1, out=coarse).astype(np.uint8)
        self._bytes[at] = steps[:, :half]
        self._bytes[at, : steps.shape[1] - half] |= steps[:, half:] << 4
        np.floor(coarse, out=coarse)
        coarse *= self._step
        coarse += self._first
        squares = np.vecdot(coarse, coarse)
        self._stretched[at] = 1 / np.sqrt(np.where(squares > 0, squares, 1))
        self._count += len(rows)

    def nearest(self, query: FloatArray, positions: IdArray, k: int) -> IdArray:
        """The ``k`` of ``positions`` that are nearest to ``query`` ``(dim,)``, nearest first.

        By cosine: what the steps stand for is made as long as the vector was, for its length is
        what they tell worst.
        """
        weights, half = query * self._step, self._bytes.shape[1]
        found = self._bytes.take(positions, axis=0)
        first, second = found & (_STEPS - 1), found[:, : len(weights) - half] >> 4
        products = np.vecdot(first.astype(np.float32), weights[:half])
        products += np.vecdot(second.astype(np.float32), weights[half:])
        products += np.vecdot(query, self._first)
        far = -products * self._stretched[positions]
        nearest: IdArray = positions[np.argsort(far)[:k]]
        return nearest


def _packed(dim: int) -> int:
    """How many bytes a vector of length ``dim`` takes."""
    return (dim + 1) // 2
