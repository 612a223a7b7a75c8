"""How far figures would vary with other groups of the same kind: the bootstrap."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.evaluation import Estimate
from image_similarity_search.types import IdArray

_RESAMPLES = 2_000
_AT_ONCE = 100
_BOUNDS = (2.5, 97.5)

Values = NDArray[np.float64]


def estimates(values: Values, groups: IdArray) -> list[Estimate]:
    """The mean of each column of ``values`` ``(n, f)``, and its 95 % interval.

    Whole groups are drawn anew, with replacement: the images of one group are found, or not,
    for the same reasons, so each by itself would say that more is known than is. Percentiles of
    2,000 draws; seeded, so that the same values give the same interval.
    """
    means = rounded(values.mean(axis=0))
    _, numbers = np.unique(groups, return_inverse=True)
    counts = np.bincount(numbers).astype(np.float64)
    if len(counts) < 2:
        return [Estimate(float(mean)) for mean in means]
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, numbers, values)
    drawn = np.concatenate(list(_draws(sums, counts)))
    low, high = rounded(np.percentile(drawn, _BOUNDS, axis=0))
    return [
        Estimate(float(mean), float(least), float(most))
        for mean, least, most in zip(means, low, high, strict=True)
    ]


def _draws(sums: Values, counts: Values) -> Iterator[Values]:
    """The means of some resamples at a time."""
    rng = np.random.default_rng(0)
    even = np.full(len(counts), 1 / len(counts))
    for _ in range(0, _RESAMPLES, _AT_ONCE):
        times = rng.multinomial(len(counts), even, size=_AT_ONCE).astype(np.float64)
        yield (times @ sums) / (times @ counts)[:, None]


def rounded(values: Values) -> Values:
    """Without what summing in another order changes: a mean of equal values is that value."""
    return np.asarray(np.round(values, 12))
