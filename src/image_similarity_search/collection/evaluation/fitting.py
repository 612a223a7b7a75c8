"""Which group an image looks like, and how well it fits its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.types import IdArray

_NEAREST = 2  # images of each group that speak for it: one could be in the wrong group itself


Distances = NDArray[np.float64]


def fit_of(
    far: Distances, groups: IdArray, own: int, right: int, reach: float, total: int
) -> tuple[int | None, float]:
    """The group that an image looks like, None where it is like none, and how it fits its own.

    How near a group is, is by how much the two nearest images of it are nearer than ``reach``, on
    average; of a group that has fewer, the missing are as far as that. Where its own group has but
    one or two others, the nearest of each counts: of three, one may well be in the wrong group.
    The fit is how near its own is, as a share of the nearest.

    Args:
        far: the distances to the other images ``(n,)``, the nearest first.
        groups: the number of the group of each; less than 0: none.
        own: that of the image itself.
        right: how many others belong to it, at least one.
        reach: the distance of images that say nothing, by any metric.
        total: how many groups there are.
    """
    count = min((right + 1) // 2, _NEAREST)
    within = int(np.searchsorted(far, reach))
    near, groups = reach - far[:within], groups[:within]
    grouped = groups >= 0
    if not grouped.all():
        near, groups = near[grouped], groups[grouped]
    if not len(groups):
        return None, 0.0
    sums = np.zeros(total)
    for _ in range(count):
        first = _first_of_each(groups, total)
        sums[groups[first]] += near[first]
        near, groups = near[~first], groups[~first]
    best = sums.max()
    if sums[own] == best:
        return own, 1.0
    return int(sums.argmax()), float(sums[own]) / float(best)


def _first_of_each(groups: IdArray, total: int) -> NDArray[np.bool_]:
    """Which of ``groups`` ``(n,)``, numbers less than ``total``, are the first of that number."""
    places = np.arange(len(groups))
    firsts = np.empty(total, dtype=np.int64)
    firsts[groups[::-1]] = places[::-1]  # of several the last counts
    return np.asarray(firsts[groups] == places)
