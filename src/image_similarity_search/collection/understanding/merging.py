"""Groups of alike vectors by merging two at a time: where k-means begins well.

Ward's way: of all groups those two are merged that by it lose the least of what k-means counts.
How far apart all pairs are is held at once: 64 MB for 4,096 vectors. Groups that are nearest to
each other are found by following a chain from nearest to nearest, so the time grows by the square.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.types import FloatArray, IdArray

_Merge: TypeAlias = tuple[float, int, int]  # how far apart, and one row of each of the two groups


class Merging:
    """Unit vectors ``(n, dim)``, and in which order they merge."""

    def __init__(self, rows: FloatArray) -> None:
        self._rows = rows
        self._merges = sorted(_merges(rows), key=lambda merge: merge[0])

    def __len__(self) -> int:
        return len(self._rows)

    def middles(self, count: int) -> FloatArray:
        """The middles ``(count, dim)``, unit vectors, of so many groups, of 1 to ``n``."""
        groups = self._groups(count)
        sums = np.zeros((count, self._rows.shape[1]), dtype=np.float32)
        np.add.at(sums, groups, self._rows)
        return vectors.comparable(sums, "cosine")

    def _groups(self, count: int) -> IdArray:
        """Which of so many groups each row is in."""
        above = list(range(len(self)))

        def top(row: int) -> int:
            while above[row] != row:
                above[row] = row = above[above[row]]
            return row

        for _, one, other in self._merges[: len(self) - count]:
            above[top(one)] = top(other)
        return np.unique([top(row) for row in range(len(self))], return_inverse=True)[1]


def _merges(rows: FloatArray) -> list[_Merge]:
    """All ``n - 1`` merges of unit vectors, in the order in which the chain meets them."""
    far = rows @ rows.T
    np.subtract(1, far, out=far)
    np.fill_diagonal(far, np.inf)
    sizes = np.ones(len(rows), dtype=np.float32)
    left = np.ones(len(rows), dtype=bool)
    merges: list[_Merge] = []
    chain: list[int] = []
    while len(merges) < len(rows) - 1:
        if not chain:
            chain.append(int(left.argmax()))
        one, other = _mutual_nearest(far, chain)
        merges.append((float(far[one, other]), one, other))
        _merge(far, sizes, one, other)
        left[one] = False
    return merges


def _mutual_nearest(far: FloatArray, chain: list[int]) -> tuple[int, int]:
    """Two groups of which each is nearest to the other: taken off the end of the chain."""
    while True:
        last = chain[-1]
        nearest = int(far[last].argmin())
        if len(chain) > 1 and far[last, chain[-2]] <= far[last, nearest]:  # equals: that one
            return chain.pop(), chain.pop()
        chain.append(nearest)


def _merge(far: FloatArray, sizes: FloatArray, one: int, other: int) -> None:
    """Put the group ``one`` into the ``other``: by Lance and Williams, how far that is from all."""
    both = sizes[one] + sizes[other]
    merged = (sizes[one] + sizes) * far[one] + (sizes[other] + sizes) * far[other]
    merged = (merged - sizes * far[one, other]) / (both + sizes)
    # never nearer than either was, which rounding could make it: the chain relies on that
    merged = np.maximum(merged, np.minimum(far[one], far[other]))
    far[other] = far[:, other] = merged
    far[one] = far[:, one] = np.inf
    sizes[other] = both
