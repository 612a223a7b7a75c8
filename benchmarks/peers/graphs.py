"""Libraries of graphs (HNSW) beside that of FAISS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from image_similarity_search.types import FloatArray, IdArray
from peers.base import PART, Peer, Searching

_FILE, _DIM = "index.graph", "dim"
_EFS = (16, 32, 64, 128, 256, 512, 1024)
_M, _EF_CONSTRUCTION = 16, 100


class Hnswlib(Peer):
    """hnswlib, float32."""

    name = "hnswlib"
    module = package = "hnswlib"
    knob, values = "ef", _EFS

    def build(self, rows: FloatArray, folder: Path) -> dict[str, float]:
        """Add all rows to a graph."""
        import hnswlib

        index = hnswlib.Index("ip", rows.shape[1])
        index.init_index(len(rows), M=_M, ef_construction=_EF_CONSTRUCTION)
        for start in range(0, len(rows), PART):
            part = rows[start : start + PART]
            index.add_items(part, np.arange(start, start + len(part)))
        index.save_index(str(folder / _FILE))
        (folder / _DIM).write_text(str(rows.shape[1]))
        return {}

    def open(self, folder: Path) -> Searching:
        """Read the graph into memory."""
        import hnswlib

        index = hnswlib.Index("ip", int((folder / _DIM).read_text()))
        index.load_index(str(folder / _FILE))
        return _OpenHnswlib(index)


class _OpenHnswlib(Searching):
    def __init__(self, index: Any) -> None:
        self._index = index

    def set(self, value: int) -> None:
        self._index.set_ef(value)

    def search(self, query: FloatArray, k: int) -> IdArray:
        ids: IdArray = self._index.knn_query(query, k, num_threads=1)[0][0].astype(np.int64)
        return ids


class _Usearch(Peer):
    module = package = "usearch"
    knob, values = "expansion", _EFS
    dtype: str = ""

    def build(self, rows: FloatArray, folder: Path) -> dict[str, float]:
        from usearch.index import Index

        index = Index(
            ndim=rows.shape[1], metric="cos", dtype=self.dtype,
            connectivity=_M, expansion_add=_EF_CONSTRUCTION,
        )  # fmt: skip
        for start in range(0, len(rows), PART):
            part = np.ascontiguousarray(rows[start : start + PART])
            index.add(np.arange(start, start + len(part)), part)
        index.save(str(folder / _FILE))
        return {}

    def open(self, folder: Path) -> Searching:
        from usearch.index import Index

        return _OpenUsearch(Index.restore(str(folder / _FILE)))


class UsearchF32(_Usearch):
    """usearch, float32."""

    name, dtype = "usearch-f32", "f32"


class UsearchI8(_Usearch):
    """usearch, 8 bits a value."""

    name, dtype = "usearch-i8", "i8"


class _OpenUsearch(Searching):
    def __init__(self, index: Any) -> None:
        self._index = index

    def set(self, value: int) -> None:
        self._index.expansion_search = value

    def search(self, query: FloatArray, k: int) -> IdArray:
        ids: IdArray = self._index.search(query, k).keys.astype(np.int64)
        return ids
