"""The middles of groups of vectors, by FAISS."""

from __future__ import annotations

import numpy as np

from image_similarity_search.stores.faiss_library import faiss_library
from image_similarity_search.types import FloatArray, IdArray

_SEED = 1
_AT_ONCE = 4096  # rows that are compared with all middles


def middles(
    rows: FloatArray, count: int, rounds: int, begin: FloatArray | None = None
) -> FloatArray:
    """The middles ``(count, dim)``, unit vectors, of groups of unit vectors ``(n, dim)``.

    Each row is nearer to the middle of its group than to any other, by cosine, after so many
    ``rounds`` of k-means as good as it gets from where it began: from ``begin``, middles as those
    that are returned, or from rows by chance. ``count`` is at most ``n``.

    Raises:
        StoreUnavailableError: FAISS can't be imported.
    """
    faiss = faiss_library()
    kmeans = faiss.Kmeans(
        rows.shape[1],
        count,
        niter=rounds,
        seed=_SEED,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=len(rows),  # no sample of the sample
    )
    kmeans.train(np.ascontiguousarray(rows, dtype=np.float32), init_centroids=begin)
    return np.asarray(kmeans.centroids, dtype=np.float32)


def held_by_middles(rows: FloatArray, count: int, rounds: int) -> float:
    """How much of unit vectors ``(n, dim)`` the means of ``count`` groups hold, of 1.

    That is the square of a mean's length, on the average. ``count`` is at most ``n``.

    Raises:
        StoreUnavailableError: FAISS can't be imported.
    """
    groups, _ = nearest_middles(rows, middles(rows, count, rounds))
    sums = np.zeros((count, rows.shape[1]))
    np.add.at(sums, groups, rows)
    sizes = np.bincount(groups, minlength=count)
    return float((np.vecdot(sums, sums) / np.maximum(sizes, 1)).sum() / len(rows))


def nearest_middles(rows: FloatArray, centres: FloatArray) -> tuple[IdArray, FloatArray]:
    """Which middle is nearest to each row ``(n,)``, and the two greatest cosines ``(n, 2)``."""
    nearest = np.empty(len(rows), dtype=np.int64)
    cosines = np.empty((len(rows), 2), dtype=np.float32)
    for start in range(0, len(rows), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        products = rows[part] @ centres.T
        nearest[part] = products.argmax(axis=1)
        if len(centres) == 1:
            cosines[part] = np.concatenate([products, np.full_like(products, -1.0)], axis=1)
        else:
            cosines[part] = np.partition(products, -2, axis=1)[:, :-3:-1]
    return nearest, cosines
