"""Pairs of images that look alike at a size of 16 pixels, whichever way up they are.

Found as those of embeddings are, through a store: of signatures instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from image_similarity_search.collection.duplicates.candidates import Pairs
from image_similarity_search.collection.duplicates.likeness import normalised, orientations
from image_similarity_search.collection.duplicates.signatures import Signatures
from image_similarity_search.collection.duplicates.signing import SIDE
from image_similarity_search.stores.faiss_store import FaissStore
from image_similarity_search.types import FloatArray, IdArray, PixelArray

_SIDE = 16
_AT_ONCE = 64  # images, each in eight orientations
_LOADED_AT_ONCE = 8192
_NEIGHBOURS = 8


def pairs_by_pixels(
    seen: Signatures, queries: IdArray, step: Callable[[int], None]
) -> Iterator[Pairs]:
    """Pairs that may look alike, one of them in ``queries``; their distance is not known.

    A pair may come twice.
    """
    ids = seen.ids
    store = FaissStore(_SIDE * _SIDE, "cosine", "auto")
    for start in range(0, len(ids), _LOADED_AT_ONCE):
        stop = start + _LOADED_AT_ONCE
        store.upsert(ids[start:stop], _rows(seen.grey[start:stop].astype(np.float32)))
    asked = [id_ for id_ in queries.tolist() if id_ in seen.rows]
    for start in range(0, len(asked), _AT_ONCE):
        some = asked[start : start + _AT_ONCE]
        views = [orientations(_grey(seen.grey[seen.rows[id_]])) for id_ in some]
        answers = store.search(_rows(np.concatenate(views)), _NEIGHBOURS + 1)
        asking = np.repeat(np.array(some, dtype=np.int64), len(views[0]))
        found = np.concatenate(
            [
                np.stack([np.full_like(answer, id_), answer], axis=1)
                for id_, answer in zip(asking, answers, strict=True)
            ]
        )
        found = np.unique(np.sort(found[found[:, 0] != found[:, 1]]), axis=0)
        yield Pairs(found, np.full(len(found), np.inf, dtype=np.float32))
        step(len(some))


def _grey(signature: PixelArray) -> FloatArray:
    return signature.astype(np.float32)


def _rows(grey: FloatArray) -> FloatArray:
    """Unit vectors ``(n, 256)`` of signatures ``(n, 32, 32)``."""
    part = SIDE // _SIDE
    small = grey.reshape(-1, _SIDE, part, _SIDE, part).mean(axis=(2, 4))
    return normalised(small).reshape(len(small), -1)
