"""Indexes of FAISS as it is, all of them with the vectors in float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from image_similarity_search.types import FloatArray, IdArray
from peers.base import PART, Peer, Searching

_FILE = "index.faiss"
_TRAINED_PER_LIST = 64


class _FaissPeer(Peer):
    module, package = "faiss", "faiss-cpu"
    parameter: str = ""

    def factory(self, count: int) -> str:
        """The factory string for so many vectors."""
        raise NotImplementedError

    def build(self, rows: FloatArray, folder: Path) -> dict[str, float]:
        import faiss

        text = self.factory(len(rows))
        index = faiss.index_factory(rows.shape[1], text, faiss.METRIC_INNER_PRODUCT)
        if hasattr(index, "nlist"):
            size = min(len(rows), _TRAINED_PER_LIST * index.nlist)
            some = np.random.default_rng(1).choice(len(rows), size, replace=False)
            index.train(np.ascontiguousarray(rows[np.sort(some)]))
        if hasattr(index, "hnsw"):
            index.hnsw.efConstruction = 80
        for start in range(0, len(rows), PART):
            index.add(np.ascontiguousarray(rows[start : start + PART]))
        faiss.write_index(index, str(folder / _FILE))
        return {}

    def open(self, folder: Path) -> Searching:
        import faiss

        return _Open(faiss.read_index(str(folder / _FILE)), self.parameter)


class _Open(Searching):
    def __init__(self, index: Any, parameter: str) -> None:
        self._index = index
        self._parameter = parameter

    def set(self, value: int) -> None:
        import faiss

        if self._parameter:
            faiss.ParameterSpace().set_index_parameter(self._index, self._parameter, value)

    def search(self, query: FloatArray, k: int) -> IdArray:
        ids: IdArray = self._index.search(query[None], k)[1][0]
        return ids


class Flat(_FaissPeer):
    """Compares with every vector."""

    name = "faiss-flat"

    def factory(self, count: int) -> str:
        """The factory string for so many vectors."""
        return "Flat"


class Ivf(_FaissPeer):
    """Vectors in lists around centroids, of which the nearest are looked through."""

    name = "faiss-ivf"
    knob, values = "nprobe", (1, 4, 16, 64, 128, 256)
    parameter = "nprobe"

    def factory(self, count: int) -> str:
        """The factory string for so many vectors: about four times the root of the count."""
        return f"IVF{2 ** round(np.log2(4 * count**0.5))},Flat"


class Hnsw(_FaissPeer):
    """A graph of neighbours."""

    name = "faiss-hnsw"
    knob, values = "efSearch", (16, 32, 64, 128, 256, 512, 1024)
    parameter = "efSearch"

    def factory(self, count: int) -> str:
        """The factory string for so many vectors."""
        return "HNSW32"
