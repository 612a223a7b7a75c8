"""The unit vectors of images, read from the catalog, and a store of them."""

from __future__ import annotations

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.stores.faiss_store import FaissStore
from image_similarity_search.types import FloatArray, IdArray

_LOADED_AT_ONCE = 4096


def store_of(catalog: Catalog, ids: IdArray) -> FaissStore:
    """A store that holds these images and no other, and compares by cosine.

    Raises:
        CollectionCorruptError: one of them is not as it was written.
    """
    store = FaissStore(catalog.identity.dim, "cosine")
    if size := store.sample_size(len(ids)):
        drawn = np.random.default_rng(0).choice(ids, size, replace=False)
        store.train(unit_vectors_of(catalog, drawn)[1], len(ids))
    for start in range(0, len(ids), _LOADED_AT_ONCE):
        store.upsert(*unit_vectors_of(catalog, ids[start : start + _LOADED_AT_ONCE]))
    return store


def unit_vectors_of(catalog: Catalog, ids: IdArray) -> tuple[IdArray, FloatArray]:
    """Those of these ids that there are, in order, and their unit vectors ``(n, dim)``.

    Raises:
        CollectionCorruptError: one of them is not as it was written.
    """
    found = catalog.embeddings.of(ids)
    order = found.ids.argsort()
    return found.ids[order], vectors.unpack(found.units[order], found.norms[order], "cosine")
