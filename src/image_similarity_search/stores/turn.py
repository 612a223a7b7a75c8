"""Turning vectors at random, in blocks of dimensions: a turn that takes a query little time.

After it each bit of a vector tells as much as after a turn of all dimensions together, for a tenth
of the products. To FAISS, and in the file of a store, its matrix is one as any other, but mostly
zeros: by these the blocks are found again.
"""

from __future__ import annotations

from itertools import groupby
from math import ceil
from typing import Any

import numpy as np

from image_similarity_search.stores.faiss_library import faiss_library
from image_similarity_search.types import FloatArray, IdArray

_BLOCK = 128  # dimensions that are turned together, at most

_Block = tuple[IdArray, FloatArray]
"""The columns of a matrix that some of its rows have values in, and these ``(rows, columns)``."""


def set_turn(rotation: Any) -> None:
    """Let FAISS's ``RandomRotationMatrix`` turn in blocks; one that leaves out dimensions stays."""
    if rotation.d_in != rotation.d_out:
        return
    faiss_library().copy_array_to_vector(random_turn(rotation.d_in).ravel(), rotation.A)
    rotation.is_trained = rotation.is_orthonormal = True


def random_turn(dim: int) -> FloatArray:
    """An orthogonal matrix ``(dim, dim)``, in blocks of shuffled dimensions, of one seed."""
    rng = np.random.default_rng(0)
    matrix, first = np.zeros((dim, dim), dtype=np.float32), 0
    for columns in np.array_split(rng.permutation(dim), ceil(dim / _BLOCK)):
        last = first + len(columns)
        matrix[first:last, columns] = np.linalg.qr(rng.normal(size=(len(columns),) * 2))[0]
        first = last
    return matrix


def quickest(transform: Any) -> Any:
    """What does the same as a FAISS transform of vectors: by blocks, where it has some."""
    faiss = faiss_library()
    if not isinstance(transform, faiss.RandomRotationMatrix):
        return transform
    matrix = faiss.rev_swig_ptr(transform.A.data(), transform.A.size())
    blocks = _blocks(matrix.reshape(transform.d_out, transform.d_in))
    return TurnInBlocks(blocks) if blocks else transform


class TurnInBlocks:
    """Multiplies vectors by a matrix of which only the blocks are kept, from above."""

    def __init__(self, blocks: list[_Block]) -> None:
        alike = [list(group) for _, group in groupby(blocks, lambda block: block[1].shape)]
        self._stacks = [tuple(map(np.stack, zip(*group, strict=True))) for group in alike]

    def apply(self, rows: FloatArray) -> FloatArray:
        """``rows`` ``(n, dim)``, turned."""
        parts = [np.matmul(values, rows[:, columns, None]) for columns, values in self._stacks]
        return np.concatenate([part.reshape(len(rows), -1) for part in parts], axis=1)


def _blocks(matrix: FloatArray) -> list[_Block]:
    """The blocks of a matrix ``(n, dim)``, copied; none where there is anything beside them."""
    filled, first = matrix != 0, 0
    blocks: list[_Block] = []
    while first < len(matrix):
        columns = np.flatnonzero(filled[first])
        if len(columns) in (0, len(filled.T)):
            return []
        last = first + len(columns)
        blocks.append((columns, matrix[first:last, columns]))
        first = last
    inside = sum(np.count_nonzero(values) for _, values in blocks)
    return blocks if inside == np.count_nonzero(filled) else []
