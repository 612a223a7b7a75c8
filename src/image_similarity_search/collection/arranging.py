"""Hits arranged: copies folded into the better one, and some chosen that are unlike one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.search_options import SearchOptions
from image_similarity_search.types import FloatArray, Hit, Metric

if TYPE_CHECKING:  # what few searches need, they import when they do
    from image_similarity_search.collection.folding import Folding

_SPARE = 3  # times as many hits as are wanted are looked at,
_LEAST_SPARE, _MOST_SPARE = 30, 1_000  # within these bounds
_DEEPEST, _MOST = 32, 2_000  # so many times as many, and so many, where most are folded


def depth(k: int, options: SearchOptions) -> int:
    """How many hits are looked at, to choose ``k`` of them."""
    return k + min(max(_SPARE * k, _LEAST_SPARE), _MOST_SPARE) if options.arranges else k


def deepest(k: int) -> int:
    """How many hits are looked at, at the most, where those that were are too few.

    Each is a thumbnail to be decoded.
    """
    return max(min(_DEEPEST * k, _MOST), 2 * k)


def arranged(
    hits: Sequence[Hit], k: int, options: SearchOptions, catalog: Catalog, folding: Folding | None
) -> list[Hit]:
    """``k`` of the hits, the most alike first; what ``folding`` folds into one is with it."""
    chosen = list(hits)
    if len(chosen) > 1 and folding:
        chosen = folding.folded(chosen)
    if len(chosen) > k and options.diverse:
        chosen = _diverse(chosen, k, options.diverse, catalog)
    return chosen[:k]


def _diverse(hits: list[Hit], k: int, share: float, catalog: Catalog) -> list[Hit]:
    """``k`` hits by maximal marginal relevance, in the order in which they were given.

    Each next one is that of the most ``(1 - share) * score - share * likeness``, where likeness
    is the score that it would have if the most alike of those chosen were searched by.
    """
    metric: Metric = catalog.identity.metric
    rows = _rows(catalog, hits, "cosine" if metric == "ip" else metric)
    score = np.array([hit.score for hit in hits])
    if metric == "ip":  # inner products have no bounds: the most alike counts as 1
        score = score / max(float(np.abs(score).max()), 1e-30)
    chosen = [0]
    likeness = np.full(len(hits), -np.inf)
    free = np.ones(len(hits), dtype=bool)
    while len(chosen) < k:
        free[chosen[-1]] = False
        near = vectors.distances(rows[chosen[-1]], rows, "cosine" if metric == "ip" else metric)
        likeness = np.maximum(likeness, vectors.scores(near, "cosine"))
        value = np.where(free, (1 - share) * score - share * likeness, -np.inf)
        chosen.append(int(value.argmax()))
    return [hits[at] for at in sorted(chosen)]


def _rows(catalog: Catalog, hits: Sequence[Hit], metric: Metric) -> FloatArray:
    """The vectors of hits ``(n, dim)`` that ``metric`` compares; zero for an image that is gone."""
    ids = np.array([hit.id for hit in hits], dtype=np.int64)
    found = catalog.embeddings.of(ids)
    rows = np.zeros((len(ids), catalog.identity.dim), dtype=np.float32)
    order = np.argsort(ids)
    at = order[np.searchsorted(ids, found.ids, sorter=order)]
    rows[at] = found.comparable(metric)
    return rows
