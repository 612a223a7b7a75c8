"""From ranks to figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from image_similarity_search.types import IdArray

MAP = "mAP"
MAP_OF_GROUPS = "mAP of groups"
N_S = "N-S"
GROUP_OF_N_S = 4  # N-S is defined for groups of four, with the query found as the first of them


def figures_of(ranks: IdArray, right: int, ks: Sequence[int]) -> dict[str, float]:
    """The figures of one query.

    Args:
        ranks: where those that belong to it were found, from 1, in order.
        right: how many there are, at least one; those that were not found have no rank.
        ks: for precision and recall among the first so many.

    Returns:
        ``mAP``: the precision at each rank, summed, divided by ``right``: average precision.
        ``P@k``: how many of the first k are right, divided by k. ``R@k``: divided by ``right``.
        ``N-S``: one, and how many of the first three are right.
    """
    found = np.arange(1, len(ranks) + 1)
    among = {k: int(np.count_nonzero(ranks <= k)) for k in (*ks, GROUP_OF_N_S - 1)}
    return {
        MAP: float((found / ranks).sum() / right),
        **{f"P@{k}": among[k] / k for k in ks},
        **{f"R@{k}": among[k] / right for k in ks},
        N_S: 1.0 + among[GROUP_OF_N_S - 1],
    }
