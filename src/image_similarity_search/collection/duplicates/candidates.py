"""Pairs of images whose embeddings are close, through a store of their own: never N x N.

The store is made of the catalog's embeddings for the purpose, in a second for 100,000: it holds
the images that count and no other, and compares by cosine whatever the collection's metric is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.stores.faiss_store import FaissStore
from image_similarity_search.types import FloatArray, IdArray

_AT_ONCE = 256  # queries
_LOADED_AT_ONCE = 4096
_NEIGHBOURS = 32  # looked at first
MOST_NEIGHBOURS = 256
"""Of one image; in a heap of more that are all alike, the others are found by their own."""


def close_pairs(
    catalog: Catalog,
    queries: IdArray,
    among: IdArray,
    distance: float,
    step: Callable[[int], None],
) -> Iterator[tuple[int, int, float]]:
    """Pairs of an image of ``queries`` and one of ``among``, no farther apart than ``distance``.

    The ids in order, and their cosine distance; a pair may come twice. ``step`` is told of how
    many queries each part was.
    """
    store = FaissStore(catalog.identity.dim, "cosine", "auto")
    for start in range(0, len(among), _LOADED_AT_ONCE):
        store.upsert(*_loaded(catalog, among[start : start + _LOADED_AT_ONCE]))
    for start in range(0, len(queries), _AT_ONCE):
        ids, rows = _loaded(catalog, queries[start : start + _AT_ONCE])
        yield from _pairs(catalog, store, ids, rows, distance, _NEIGHBOURS)
        step(len(ids))


def _pairs(
    catalog: Catalog,
    store: FaissStore,
    ids: IdArray,
    rows: FloatArray,
    distance: float,
    k: int,
) -> Iterator[tuple[int, int, float]]:
    answers = store.search(rows, k + 1) if len(rows) else []
    found_ids, found_rows = _loaded(catalog, np.unique(np.concatenate([ids[:0], *answers])))
    again = []
    for position, (id_, row, answer) in enumerate(zip(ids.tolist(), rows, answers, strict=True)):
        at = np.searchsorted(found_ids, answer)
        at = at[(at < len(found_ids)) & (found_ids[np.minimum(at, len(found_ids) - 1)] == answer)]
        far = vectors.distances(row, found_rows[at], "cosine")
        close = at[far <= distance]
        if len(close) > k and k < MOST_NEIGHBOURS:
            again.append(position)
            continue
        for other, value in zip(found_ids[close].tolist(), far[far <= distance], strict=True):
            if other != id_:
                yield min(id_, other), max(id_, other), float(value)
    if again:
        yield from _pairs(catalog, store, ids[again], rows[again], distance, 2 * k)


def _loaded(catalog: Catalog, ids: IdArray) -> tuple[IdArray, FloatArray]:
    """The ids that there are, in order, and their unit vectors."""
    found = catalog.embeddings(ids)
    order = np.argsort(found.ids)
    return found.ids[order], vectors.unpack(found.units[order], found.norms[order], "cosine")
