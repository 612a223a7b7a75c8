"""Arithmetic on embeddings: the stored form, distances and scores.

An embedding is stored as a float16 unit vector and its float32 norm. Queries are rounded the
same way before they are compared, so that the same picture is at distance exactly 0.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.types import FloatArray, HalfArray, Metric

_CHUNK = 8192  # rows per step of a difference, which bounds its temporary memory
_IN_CACHE = 2**16  # values of a temporary array that a processor's own cache holds

_HALF_SHIFT = 13  # a float's mantissa has so many bits more than a half's
_HALF_BITS = np.int32(np.uint32(0x8FFFE000).view(np.int32))  # sign, exponent and mantissa there
_HALF_SCALE = np.float32(2.0**112)  # by the difference of their exponents' offsets


def pack(embeddings: FloatArray) -> tuple[HalfArray, FloatArray]:
    """Split embeddings ``(n, dim)`` into float16 unit vectors ``(n, dim)`` and norms ``(n,)``.

    A zero vector keeps norm 0 and a zero unit vector. A norm that float32 has no number for is
    infinite.
    """
    rows = np.ascontiguousarray(embeddings, dtype=np.float32)
    # float64, because the square of a large float32 component may overflow
    norms = np.sqrt(np.square(rows, dtype=np.float64).sum(axis=1))
    safe = np.where(norms > 0, norms, 1.0)
    with np.errstate(over="ignore"):
        return (rows / safe[:, None]).astype(np.float16), norms.astype(np.float32)


def unit_vectors(embeddings: FloatArray, norms: FloatArray) -> HalfArray:
    """The unit vectors ``(n, dim)`` of which ``unpack`` (for ``l2``) made ``embeddings``, exactly.

    Embeddings that come from elsewhere are given to ``pack`` instead.
    """
    safe = np.where(norms > 0, norms, 1).astype(np.float64)
    with np.errstate(all="ignore"):  # what is no number stays none
        return (embeddings / safe[:, None]).astype(np.float16)


def widened(halves: HalfArray) -> FloatArray:
    """The same numbers in float32: ``astype`` in a fraction of its time.

    The bits of a finite half are those of a float that is 2^112 times smaller, further right.
    """
    bits = halves.view(np.int16).astype(np.int32)
    bits <<= _HALF_SHIFT
    bits &= _HALF_BITS
    rows: FloatArray = bits.view(np.float32)
    rows *= _HALF_SCALE
    return rows


def unpack(units: HalfArray, norms: FloatArray, metric: Metric) -> FloatArray:
    """Turn the stored form into the float32 vectors ``(n, dim)`` that ``metric`` compares.

    ``cosine`` compares unit vectors, the other metrics the encoder's own values.
    """
    rows = widened(units)
    if metric != "cosine":
        rows *= norms[:, None]
        return rows
    lengths = np.sqrt(np.square(rows).sum(axis=1))  # rounding to float16 left them a hair off 1
    rows /= np.where(lengths > 0, lengths, 1.0)[:, None]
    return rows


def comparable(embeddings: FloatArray, metric: Metric) -> FloatArray:
    """Round embeddings ``(n, dim)`` as the catalog does, then make them comparable."""
    return unpack(*pack(embeddings), metric)


def distances(query: FloatArray, rows: FloatArray, metric: Metric) -> FloatArray:
    """Exact distances ``(n,)`` from one comparable vector ``(dim,)`` to ``rows`` ``(n, dim)``.

    ``cosine``: 1 - cos. ``l2``: Euclidean (not squared). ``l1``: sum of absolute differences.
    ``ip``: the negative inner product, so that smaller is more alike there too.
    """
    out = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        out[start : start + _CHUNK] = _distances(query, part, metric)
    return out


def _distances(query: FloatArray, rows: FloatArray, metric: Metric) -> FloatArray:
    if metric == "ip":
        # not a product with the matrix, by which equal rows differ a hair by where they stand
        return np.asarray(-np.vecdot(rows, query), dtype=np.float32)
    difference = rows - query
    if metric == "l1":
        return np.asarray(np.abs(difference).sum(axis=1), dtype=np.float32)
    squared = np.square(difference).sum(axis=1)
    if metric == "l2":
        return np.asarray(np.sqrt(squared), dtype=np.float32)
    # 1 - cos of unit vectors, written as a difference so that equal vectors give exactly 0;
    # a zero vector has no direction: its cosine with anything but itself counts as 0
    one_is_zero = rows.any(axis=1) != query.any()
    return np.where(one_is_zero, np.float32(1), squared / 2).astype(np.float32)


def all_distances(queries: FloatArray, rows: FloatArray, metric: Metric) -> NDArray[np.float64]:
    """Distances ``(q, n)`` from many comparable vectors ``(q, dim)``, as ``distances`` of each.

    In float64, since in float32 a product of matrices would bring nearly equal ones in any order.
    """
    if metric == "l1":
        return np.array([distances(query, rows, metric) for query in queries], float)
    left, right = queries.astype(np.float64), rows.astype(np.float64)
    products = left @ right.T
    if metric == "ip":
        return np.asarray(-products)
    left_squares = np.square(left).sum(axis=1)[:, None]
    right_squares = np.square(right).sum(axis=1)[None]
    squared = np.maximum(left_squares + right_squares - 2 * products, 0)
    if metric == "l2":
        return np.asarray(np.sqrt(squared))
    return np.where((left_squares == 0) != (right_squares == 0), 1, squared / 2)


def as_near(distance: float, query: FloatArray, norms: FloatArray, metric: Metric) -> float:
    """Upper bound of the true distance of what float32 found at ``distance`` from ``query``.

    Products and sums of ``dim`` numbers are wrong by about the root of as many roundings. By ``ip``
    that depends on the lengths of vectors, too: ``norms`` are those of some that were found.
    """
    rounding = 2 * math.sqrt(len(query)) * float(np.finfo(np.float32).eps)
    if metric == "cosine":
        return distance + rounding
    if metric == "ip":  # of the usual norm, for a single long vector says little of the others
        length = float(np.linalg.norm(query.astype(np.float64)))
        return distance + rounding * length * float(np.median(norms))
    return distance * (1 + rounding)  # of differences, which are small where the distance is


def rough(
    query: FloatArray, units: HalfArray, norms: FloatArray, metric: Metric
) -> tuple[FloatArray, float]:
    """A cheap monotone proxy of the distance from a vector ``(dim,)``, and its error bound.

    A value for each of ``units`` ``(n, dim)``, in a fraction of the time of ``distances``: a row is
    certainly nearer than another if its value is less by more than twice the second result.
    """
    if metric == "l1":
        return distances(query, unpack(units, norms, metric), metric), 0.0
    products, squares = np.empty((2, len(units)), dtype=np.float32)
    step = max(1, _IN_CACHE // units.shape[1])
    for start in range(0, len(units), step):
        part = slice(start, start + step)
        rows = widened(units[part])
        np.vecdot(rows, query, out=products[part])  # wakes no threads for so little
        np.vecdot(rows, rows, out=squares[part])
    rounding = 4 * units.shape[1] * float(np.finfo(np.float32).eps)
    if metric == "cosine":
        far = -products / np.sqrt(np.where(squares > 0, squares, 1))
        return np.asarray(far, dtype=np.float32), rounding
    length, longest = float(np.linalg.norm(query)), float(norms.max(initial=0.0))
    with np.errstate(all="ignore"):  # what is too large for float32 comes out as no number
        products *= norms
        if metric == "ip":
            return -products, rounding * length * longest
        return squares * np.square(norms) - 2 * products, rounding * (length + longest) ** 2


def scores(distances_: FloatArray, metric: Metric) -> FloatArray:
    """``1 / (1 + distance)``; for ``ip`` the inner product."""
    if metric == "ip":
        return -distances_
    return np.asarray(1 / (1 + distances_), dtype=np.float32)
