"""The scan of ``auto``, trained: which bits it keeps, by what vectors are like."""

from __future__ import annotations

from typing import Any

import numpy as np

from image_similarity_search.stores import kinds
from image_similarity_search.stores.faiss_library import fitting_threads
from image_similarity_search.stores.kmeans import held_by_middles
from image_similarity_search.types import FloatArray, Metric

TRAINED_ON = 640
"""So many vectors, or a few more, are enough to train one."""

_IN_COMMON, _ROUNDS = 0.25, 10  # share of vectors that some middles hold, found in these rounds


def trained_scan(metric: Metric, sample: FloatArray) -> Any:
    """An empty one-bit scan, trained on ``sample`` ``(n, dim)``; ``n`` is at least 1."""
    sample, dim = _enough(sample), sample.shape[1]
    with fitting_threads(1, 0):  # so few vectors are not worth waking threads for
        scan = kinds.one_bit_scan(dim, metric, by_codes=_codes_tell(metric, sample))
        kinds.train(scan, sample)
    return scan


def _codes_tell(metric: Metric, sample: FloatArray) -> bool:
    """Whether codes tell as much as signs of vectors like these.

    Signs are those of what a vector has beside the middle of its list; codes stand for all of it.
    So they tell less where groups lie far apart, or all in one direction.
    """
    if metric != "cosine" or sample.shape[1] % kinds.DIMENSIONS_A_CODE:
        return False
    return held_by_middles(sample, kinds.SCANNED_LISTS, _ROUNDS) < _IN_COMMON


def _enough(rows: FloatArray) -> FloatArray:
    """``rows``, repeated until there is one for each list of a scan."""
    return np.resize(rows, (max(len(rows), kinds.SCANNED_LISTS), rows.shape[1]))
