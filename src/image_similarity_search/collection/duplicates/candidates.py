"""Pairs of images whose embeddings are close, through a store of their own: never N x N.

The store is made of the catalog's embeddings for the purpose, in a second for 100,000: it holds
the images that count and no other, and compares by cosine whatever the collection's metric is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.vectors_of import store_of, unit_vectors_of
from image_similarity_search.stores.faiss_store import FaissStore
from image_similarity_search.types import FloatArray, IdArray

_AT_ONCE = 256  # queries
_NEIGHBOURS = 32  # of an image that are looked at
_MOST_NEIGHBOURS = 256  # in a heap of images that are all alike
_HEAPED = 0.15  # where even the last neighbour is no farther, it may be such a heap


class Pairs(NamedTuple):
    """Pairs of ids ``(n, 2)``, the lower one first, and their cosine distances ``(n,)``."""

    ids: IdArray
    distances: FloatArray

    def where(self, which: slice | NDArray[np.bool_]) -> Pairs:
        """Some of them."""
        return Pairs(self.ids[which], self.distances[which])

    @classmethod
    def joined(cls, parts: Iterable[Pairs]) -> Pairs:
        """All of these, each pair once, in order."""
        some = [*parts, cls(np.empty((0, 2), dtype=np.int64), np.empty(0, dtype=np.float32))]
        ids = np.concatenate([part.ids for part in some])
        unique, first = np.unique(ids, axis=0, return_index=True)
        return cls(unique, np.concatenate([part.distances for part in some])[first])


def close_pairs(
    catalog: Catalog,
    queries: IdArray,
    among: IdArray,
    distance: float,
    step: Callable[[int], None],
) -> Iterator[Pairs]:
    """Pairs of an image of ``queries`` and one of ``among``, no farther apart than ``distance``.

    A pair may come twice. ``step`` is told of how many queries each part was.
    """
    store = store_of(catalog, among)
    for start in range(0, len(queries), _AT_ONCE):
        ids, rows = unit_vectors_of(catalog, queries[start : start + _AT_ONCE])
        yield from _pairs(catalog, store, ids, rows, distance, _NEIGHBOURS)
        step(len(ids))


def _pairs(
    catalog: Catalog, store: FaissStore, ids: IdArray, rows: FloatArray, distance: float, k: int
) -> Iterator[Pairs]:
    answers = store.search(rows, k + 1) if len(rows) else []
    found_ids, found_rows = unit_vectors_of(catalog, np.unique(np.concatenate([ids[:0], *answers])))
    again = []
    for position, (id_, row, answer) in enumerate(zip(ids, rows, answers, strict=True)):
        at = np.searchsorted(found_ids, np.intersect1d(answer, found_ids))
        far = vectors.distances(row, found_rows[at], "cosine")
        if len(at) > k and far.max() <= _HEAPED and k < _MOST_NEIGHBOURS:
            again.append(position)
            continue
        close = (far <= distance) & (found_ids[at] != id_)
        others = found_ids[at[close]]
        yield Pairs(np.sort(np.stack([np.full_like(others, id_), others], axis=1)), far[close])
    if again:
        yield from _pairs(catalog, store, ids[again], rows[again], distance, 2 * k)
