"""What each place adds to the similarity, where an embedding is an average over places.

With ``f`` the mean of the features ``f_p`` of one picture and ``g`` that of the other, the inner
product is the sum of ``<f_p, g>`` over the places, divided by their number; and of ``<f_p, g_r>``
over all pairs of places. No approximation is in it.
"""

from __future__ import annotations

import numpy as np

from image_similarity_search.collection.explaining.explanation import Match
from image_similarity_search.types import FloatArray

_MATCHES = 5
_SAME = 0.999  # the cosine that two runtimes leave of the same vector


def is_average_of(features: FloatArray, embedding: FloatArray) -> bool:
    """Whether an embedding ``(dim,)`` has the direction of the mean of ``(rows, columns, dim)``."""
    mean = features.mean(axis=(0, 1), dtype=np.float64)
    lengths = np.linalg.norm(mean) * np.linalg.norm(embedding)
    return bool(lengths > 0 and mean @ embedding >= _SAME * lengths)


def parts_of(features: FloatArray, own: FloatArray, other: FloatArray) -> FloatArray:
    """What each place of ``features`` ``(rows, columns, dim)`` adds, ``(rows, columns)``.

    Args:
        features: whose mean has the direction of ``own``.
        own: the picture's vector as it is compared, ``(dim,)``.
        other: that of the other picture.
    """
    scaled = _scaled(features, own)
    return np.asarray(scaled @ other / scaled[..., 0].size, dtype=np.float32)


def matches_of(
    query: FloatArray, hit: FloatArray, query_row: FloatArray, hit_row: FloatArray
) -> tuple[Match, ...]:
    """Those pairs of places that add most, none beside another of them in both pictures."""
    (rows, columns, dim), across = query.shape, hit.shape[1]
    one, other = (
        _scaled(features, row).reshape(-1, dim)
        for features, row in ((query, query_row), (hit, hit_row))
    )
    pairs = one @ other.T / (len(one) * len(other))
    at_one = np.stack(np.divmod(np.arange(rows * columns), columns), axis=1)
    at_other = np.stack(np.divmod(np.arange(len(other)), across), axis=1)
    found: list[Match] = []
    while len(found) < _MATCHES:
        here, there = np.unravel_index(int(pairs.argmax()), pairs.shape)
        part = float(pairs[here, there])
        if not part > 0:
            break
        (row, column), (other_row, other_column) = at_one[here], at_other[there]
        places = (int(row), int(column)), (int(other_row), int(other_column))
        found.append(Match(*places, part))
        pairs[_beside(at_one, at_one[here])] = -np.inf
        pairs[:, _beside(at_other, at_other[there])] = -np.inf
    return tuple(found)


def _beside(places: FloatArray, one: FloatArray) -> FloatArray:
    return np.asarray(np.abs(places - one).max(axis=1) <= 1)


def _scaled(features: FloatArray, row: FloatArray) -> FloatArray:
    """Features whose mean is as long as the vector that is compared."""
    mean = np.linalg.norm(features.mean(axis=(0, 1), dtype=np.float64))
    return np.asarray(features * np.float32(np.linalg.norm(row) / mean), dtype=np.float32)
