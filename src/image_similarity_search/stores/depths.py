"""How many candidates of an inexact index an exact re-rank needs.

Measured for a recall@k above 0.99, k from 1 to 100.
"""

from __future__ import annotations

from image_similarity_search.types import Metric

ROUNDING_MARGIN = 16
"""So many more than are asked for, even of an exact index: float32 rounding swaps near ties."""

# so many of a scan of one bit for each dimension, and so many more per neighbour asked for
_ONE_BIT, _ONE_BIT_PER_HIT = 180, 6
# of these, once half bytes put them in order; more than usual, for here one costs little
_HALF_BYTES, _HALF_BYTES_PER_HIT = 10, 2
_ORDERED, _ORDERED_PER_HIT = 240, 6
# of other codes, or so many per neighbour, if that is more
_CODES: dict[Metric, tuple[int, int]] = {"cosine": (300, 20), "l2": (1000, 50)}

_MEASURED_AT = 100_000  # vectors; more of them need more, by this power
_GROWTH, _GROWTH_OF_CODES = 0.5, 0.25  # of bits that are signs, or codes of several dimensions


def one_bit_tells(metric: Metric) -> bool:
    """Whether one bit for each dimension tells enough of vectors compared by ``metric``.

    RaBitQ has no l1, and of the largest inner products of vectors of unlike lengths it misses too
    many.
    """
    return metric in _CODES


def of_codes(k: int, count: int, metric: Metric) -> float:
    """Of ``count`` vectors kept as codes of any kind, for the ``k`` nearest."""
    least, per_hit = _CODES.get(metric, _CODES["l2"])
    return _grown(max(least, per_hit * k), count)


def of_bits(k: int, count: int, *, by_codes: bool) -> float:
    """Of a scan of one bit for each dimension, its sign or by codes of several."""
    power = _GROWTH_OF_CODES if by_codes else _GROWTH
    return _grown(_ONE_BIT + _ONE_BIT_PER_HIT * k, count, power)


def of_half_bytes(k: int, count: int) -> float:
    """The same, put in order by half bytes."""
    return _grown(_HALF_BYTES + _HALF_BYTES_PER_HIT * k, count)


def behind_half_bytes(candidates: int, count: int, depth: float) -> float:
    """How many a scan, ``depth`` times as deep as usual, gives to half bytes for ``candidates``."""
    times = _ORDERED_PER_HIT / _HALF_BYTES_PER_HIT
    return times * candidates + depth * _grown(_ORDERED - times * _HALF_BYTES, count)


def _grown(candidates: float, count: int, power: float = _GROWTH) -> float:
    growth: float = max(1.0, (count / _MEASURED_AT) ** power)
    return growth * candidates
