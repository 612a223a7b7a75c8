"""The nearest others of each image, through a store made for the purpose: never N x N."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.vectors_of import store_of, unit_vectors_of
from image_similarity_search.types import FloatArray, IdArray

_AT_ONCE = 256  # queries
_DEPTH = 4  # times as many candidates as neighbours


class Neighbours(NamedTuple):
    """The ids of images ``(n,)``, of their nearest ``(n, k)``, and the cosine distances to these.

    The nearest come first; an image is not among its own.
    """

    ids: IdArray
    nearest: IdArray
    distances: FloatArray


class Neighbourhood:
    """Some images of a catalog, in a store that compares by cosine."""

    def __init__(self, catalog: Catalog, ids: IdArray) -> None:
        self._catalog = catalog
        self._store = store_of(catalog, ids)

    def of(
        self, ids: IdArray, k: int, step: Callable[[int], None], *, thorough: bool = False
    ) -> Neighbours:
        """The ``k`` nearest of each; there must be more images than ``k``.

        Where the store scans bits, four times as many candidates are compared exactly, or with
        ``thorough`` as many as a search compares.
        """
        depth = self._store.candidates(k) if thorough else _DEPTH * k
        parts = []
        for start in range(0, len(ids), _AT_ONCE):
            parts.append(self._part(ids[start : start + _AT_ONCE], k, max(depth, k + 1)))
            step(len(parts[-1].ids))
        if not parts:
            empty = np.empty((0, k))
            return Neighbours(ids, empty.astype(np.int64), empty.astype(np.float32))
        return Neighbours(*map(np.concatenate, zip(*parts, strict=True)))

    def _part(self, ids: IdArray, k: int, depth: int) -> Neighbours:
        ids, rows = unit_vectors_of(self._catalog, ids)
        answers = self._store.search(rows, depth + 1)
        found_ids, found_rows = unit_vectors_of(
            self._catalog, np.unique(np.concatenate([ids[:0], *answers]))
        )
        nearest = np.zeros((len(ids), k), dtype=np.int64)
        distances = np.ones((len(ids), k), dtype=np.float32)
        for place, (id_, row, answer) in enumerate(zip(ids, rows, answers, strict=True)):
            at = np.searchsorted(found_ids, np.setdiff1d(answer, [id_]))
            far = vectors.distances(row, found_rows[at], "cosine")
            order = np.lexsort((found_ids[at], far))[:k]
            nearest[place, : len(order)] = found_ids[at[order]]
            distances[place, : len(order)] = far[order]
        return Neighbours(ids, nearest, distances)
