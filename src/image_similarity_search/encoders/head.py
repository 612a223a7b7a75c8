"""What is done with a network's vector: centred, and without what an alteration changes most."""

from __future__ import annotations

import numpy as np

from image_similarity_search.types import FloatArray

_LEAST = np.float32(1e-12)  # a length that is none


class Head:
    """Made from the file that ``tools/encoder/head.py`` writes.

    Args:
        path: of an array ``(1 + axes, dim)``: the mean of unit vectors, and directions in which a
            picture moves when it is altered. Of a vector's part along each, as much is taken away
            as the square of that direction's length.
    """

    def __init__(self, path: str) -> None:
        stored = np.load(path, allow_pickle=False).astype(np.float32)
        self._mean, self._axes = stored[0], np.ascontiguousarray(stored[1:])

    def applied(self, rows: FloatArray) -> FloatArray:
        """Vectors ``(n, dim)`` float32, each whatever the others are, to the last bit."""
        out = np.empty_like(rows)
        for place, row in enumerate(rows):
            unit = row / np.maximum(np.sqrt(np.square(row).sum()), _LEAST) - self._mean
            along = np.einsum("kj,j->k", self._axes, unit)
            out[place] = unit - np.einsum("k,kj->j", along, self._axes)
        return out
