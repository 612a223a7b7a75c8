"""Hits arranged: copies folded into the better one, and some chosen that are unlike one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.duplicates.levels import NEAR_LIKENESS
from image_similarity_search.collection.duplicates.likeness import (
    is_plain,
    normalised,
    orientations,
)
from image_similarity_search.collection.duplicates.signing import SIDE, grey_signature
from image_similarity_search.search_options import SearchOptions
from image_similarity_search.types import (
    FloatArray,
    Hit,
    ImageRecord,
    Metric,
)

Kept = Callable[[ImageRecord], bytes | None]
"""The kept thumbnail of an image, if there is one."""

_SPARE = 3  # times as many hits as are wanted are looked at,
_LEAST_SPARE, _MOST_SPARE = 30, 1_000  # within these bounds


def depth(k: int, options: SearchOptions) -> int:
    """How many hits are looked at, to choose ``k`` of them."""
    return k + min(max(_SPARE * k, _LEAST_SPARE), _MOST_SPARE) if options.arranges else k


def arranged(
    hits: Sequence[Hit], k: int, options: SearchOptions, catalog: Catalog, thumbnail: Kept
) -> list[Hit]:
    """``k`` of the hits, the most alike first; what is folded into one is with it."""
    chosen = list(hits)
    if len(chosen) > 1 and options.fold:
        chosen = _folded(chosen, thumbnail)
    if len(chosen) > k and options.diverse:
        chosen = _diverse(chosen, k, options.diverse, catalog)
    return chosen[:k]


def _folded(hits: list[Hit], thumbnail: Kept) -> list[Hit]:
    """The hits without those that are copies of a better one, which are put to it.

    The same bytes are copies, and what ``iss duplicates`` calls near by the pixels of the whole
    picture, whichever way up. Pixels are those of the thumbnails that are kept.
    """
    seen = np.zeros((len(hits), SIDE * SIDE), dtype=np.float32)  # of the better ones alone
    first: list[int] = []
    contents: dict[str, int] = {}
    folded: dict[int, list[ImageRecord]] = {}
    for at, hit in enumerate(hits):
        home = contents.get(hit.image.content_hash or "")
        signature = _signature(thumbnail(hit.image)) if home is None else None
        if signature is not None:
            likeness = (orientations(signature).reshape(-1, SIDE * SIDE) @ seen.T).max(axis=0)
            alike = np.flatnonzero(likeness >= NEAR_LIKENESS)
            home = int(alike[0]) if len(alike) else None
        if home is not None:
            folded.setdefault(home, []).append(hit.image)
            continue
        first.append(at)
        if signature is not None:
            seen[at] = signature.reshape(-1)
        if hit.image.content_hash:
            contents[hit.image.content_hash] = at
    return [replace(hits[at], folded=tuple(folded.get(at, ()))) for at in first]


def _signature(jpeg: bytes | None) -> FloatArray | None:
    """The signature of a thumbnail, normalised; None where it shows nothing to compare."""
    if not jpeg:
        return None
    from PIL import Image

    with Image.open(BytesIO(jpeg), formats=["JPEG"]) as image:
        image.draft(None, (2 * SIDE, 2 * SIDE))
        grey = np.asarray(grey_signature(image.convert("RGB")))
    return None if is_plain(grey[None])[0] else normalised(grey.astype(np.float32))


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
    found = catalog.embeddings(ids)
    rows = np.zeros((len(ids), catalog.identity.dim), dtype=np.float32)
    order = np.argsort(ids)
    at = order[np.searchsorted(ids, found.ids, sorter=order)]
    rows[at] = vectors.unpack(found.units, found.norms, metric)
    return rows
