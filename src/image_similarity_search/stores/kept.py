"""What a store holds, read back from it."""

from __future__ import annotations

from collections.abc import Iterator

from image_similarity_search.stores import kinds
from image_similarity_search.stores.faiss_library import faiss_library
from image_similarity_search.stores.faiss_store import FaissStore
from image_similarity_search.types import FloatArray, IdArray

_ROWS_AT_ONCE = 16_384


def kept_ids(store: FaissStore) -> IdArray:
    """The ids ``(n,)`` of the vectors that can be found, in no particular order."""
    ids: IdArray = faiss_library().vector_to_array(store.index.id_map)
    return ids[ids >= 0]


def kept_vectors(store: FaissStore) -> Iterator[tuple[IdArray, FloatArray]]:
    """The vectors, a part at a time, with their ids; nothing from a store that keeps less."""
    faiss = faiss_library()
    vectors = faiss.downcast_index(store.index.index)
    if not kinds.keeps_all(vectors):
        return
    ids: IdArray = faiss.vector_to_array(store.index.id_map)
    for start in range(0, len(ids), _ROWS_AT_ONCE):
        part = ids[start : start + _ROWS_AT_ONCE]
        rows: FloatArray = vectors.reconstruct_n(start, len(part))
        yield part[part >= 0], rows[part >= 0]
