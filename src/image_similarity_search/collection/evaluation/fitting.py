"""Which group an image looks like, and how well it fits its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.types import IdArray

_NEAREST = 2  # images of each group that speak for it: one could be in the wrong group itself


Distances = NDArray[np.float64]


def reach_of(far: Distances, *, exact: bool) -> float:
    """How far images are that say nothing of one that has others so ``far``, the nearest first.

    The half of all that is farther than the median says nothing; of the hits of a search, which
    are near all, it is the last.
    """
    if not len(far):
        return 0.0
    return float(np.median(far) if exact else far[-1])


def fit_of(
    far: Distances, groups: IdArray, own: int, right: int, reach: float
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
    """
    count = min((right + 1) // 2, _NEAREST)
    counts = (groups >= 0) & (far < reach)
    near, groups = reach - far[counts], groups[counts]
    if not len(groups):
        return None, 0.0
    order = np.argsort(groups, kind="stable")
    numbers, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    within = np.arange(len(order)) - np.repeat(starts, sizes)
    speaking = np.where(within < count, near[order], 0)
    sums = np.add.reduceat(speaking, starts)
    best = sums.max()
    of_own = float(sums[numbers == own].sum())
    if of_own == best:
        return own, 1.0
    return int(numbers[sums.argmax()]), of_own / float(best)
