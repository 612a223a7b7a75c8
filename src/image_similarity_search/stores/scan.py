"""Looking through one FAISS index: a part of it that holds the nearest, or all of it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.stores.faiss_library import faiss_library, fitting_threads
from image_similarity_search.stores.kinds import innermost, transforms
from image_similarity_search.stores.turn import quickest
from image_similarity_search.types import FloatArray, IdArray

# FAISS's numbers for a scan whose threads take lists, and for one whose threads take queries
_BY_LISTS, _BY_QUERIES = 14, 0
_MANY = 4000  # found in each list by itself, and put together, so many take longer than the scan


class Scan:
    """How ``index`` is searched.

    Args:
        index: the index of vectors, known by their position.
        whole: look at every vector, not only where the nearest are supposed.

    Attributes:
        takes_filter: whether ``positions`` can leave vectors out; otherwise the caller must.
    """

    def __init__(self, index: Any, *, whole: bool) -> None:
        faiss = faiss_library()
        self._outer = index
        index = innermost(index)
        if whole and isinstance(index, faiss.IndexHNSW):
            index = faiss.downcast_index(index.storage)  # its graph may not lead everywhere
        self._index = index
        self._whole = whole
        self._in_lists = isinstance(index, faiss.IndexIVF)
        self._shared = isinstance(index, faiss.IndexIVFFastScan)
        self._in_graph = isinstance(index, faiss.IndexHNSW)
        refusing = (faiss.IndexPQ, faiss.IndexFastScan, faiss.IndexIVFFastScan)
        self.takes_filter = not isinstance(index, refusing)

    @cached_property
    def _transforms(self) -> list[Any]:
        """What a query goes through before it is searched for."""
        return [quickest(one) for one in transforms(self._outer)]

    def positions(self, queries: FloatArray, fetch: int, wanted: NDArray[np.bool_]) -> IdArray:
        """Positions ``(q, fetch)`` of the nearest vectors, -1 where there are no more."""
        faiss = faiss_library()
        values = len(queries) * len(wanted) * queries.shape[1]
        with fitting_threads(len(queries), values, in_lists=self._shared):
            for transform in self._transforms:  # matrix products, which threads are woken for, too
                queries = transform.apply(queries)
            if self._shared:  # what a thread does alone takes a quarter less of its time
                alone = fetch >= _MANY or len(queries) >= faiss.omp_get_max_threads()
                self._index.implem = _BY_QUERIES if alone else _BY_LISTS
            parameters = self._parameters(fetch, wanted)
            labels: IdArray = self._index.search(queries, fetch, params=parameters)[1]
            return labels

    def _parameters(self, fetch: int, wanted: NDArray[np.bool_]) -> Any:
        faiss = faiss_library()
        chosen: dict[str, Any] = {}
        if self.takes_filter and not wanted.all():
            bits = np.packbits(wanted, bitorder="little")
            chosen["sel"] = faiss.IDSelectorBitmap(bits)
        if self._in_lists:
            usual = self._index.nprobe
            chosen["nprobe"] = self._index.nlist if self._whole else usual
            if chosen == {"nprobe": usual}:
                return None  # to make them takes a while
            return faiss.SearchParametersIVF(**chosen)
        if self._in_graph:
            chosen["efSearch"] = max(2 * fetch, self._index.hnsw.efSearch)
            return faiss.SearchParametersHNSW(**chosen)
        return faiss.SearchParameters(**chosen) if chosen else None
