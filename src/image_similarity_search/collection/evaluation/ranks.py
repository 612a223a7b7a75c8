"""Where searches find the images that belong to the query."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.search import Searcher
from image_similarity_search.filters import Filter
from image_similarity_search.types import FloatArray, IdArray

Ranking = Iterator[tuple[int, IdArray, NDArray[np.float64]]]
"""The id of each query, the ids of the other images, the most alike first, and how far they are."""

_MEMORY = 2**27  # bytes of the distances that are there at once
_COMPARED_AT_ONCE = 256  # queries, at most, which bounds what is made on the way to distances
_SEARCHED_AT_ONCE = 64


def exact_ranking(
    catalog: Catalog, stored: Callable[[list[int]], FloatArray], asked: IdArray, ids: IdArray
) -> Ranking:
    """All of ``ids`` in the order of their exact distance to each of ``asked``; equals by id.

    Those that were removed meanwhile are passed over. As a search orders them, whatever its
    index. Every embedding is compared, a part of the catalog being in memory at a time.
    """
    at_once = max(1, min(_COMPARED_AT_ONCE, _MEMORY // (4 * max(1, len(ids)))))
    for start in range(0, len(asked), at_once):
        block, queries = _still_there(catalog, stored, asked[start : start + at_once])
        far = _distances(catalog, queries, ids)
        for id_, row in zip(block, far, strict=True):
            order = np.argsort(row, kind="stable")
            order = order[ids[order] != id_]
            yield id_, ids[order], row[order].astype(np.float64)


def searched_ranking(
    catalog: Catalog, searcher: Searcher, asked: IdArray, depth: int, where: Filter | None
) -> Ranking:
    """The first ``depth`` hits of a search by each of ``asked``, but for those removed by then."""
    for start in range(0, len(asked), _SEARCHED_AT_ONCE):
        some = asked[start : start + _SEARCHED_AT_ONCE]
        block, queries = _still_there(catalog, searcher.stored, some)
        answers = searcher.nearest_to_each(queries, depth, None, block, where)
        for id_, hits in zip(block, answers, strict=True):
            found = np.array([hit.id for hit in hits], dtype=np.int64)
            yield id_, found, np.array([hit.distance for hit in hits], dtype=np.float64)


def _still_there(
    catalog: Catalog, stored: Callable[[list[int]], FloatArray], asked: IdArray
) -> tuple[list[int], FloatArray]:
    """Those of some images that are there now, and their comparable vectors."""
    with catalog.snapshot():
        there = asked[np.isin(asked, catalog.embeddings.of(asked).ids)].tolist()
        return there, stored(there)


def _distances(catalog: Catalog, queries: FloatArray, ids: IdArray) -> FloatArray:
    """Distances ``(q, n)`` from comparable vectors to the images ``ids``, which are in order."""
    metric = catalog.identity.metric
    out = np.full((len(queries), len(ids)), np.inf, dtype=np.float32)
    for part in catalog.embeddings.since(0):
        wanted = np.isin(part.ids, ids, assume_unique=True)
        columns = np.searchsorted(ids, part.ids[wanted])
        rows = vectors.unpack(part.units[wanted], part.norms[wanted], metric)
        out[:, columns] = vectors.all_distances(queries, rows, metric)
    return out
