"""LanceDB: tables on disk with an index, read as far as a search needs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from image_similarity_search.types import FloatArray, IdArray
from peers.base import PART, Peer, Searching

_TABLE = "embeddings"
_ROWS_PER_LIST = 4096  # LanceDB's own advice for the size of a partition
_REFINED = 20  # times k rows are compared exactly


class _Lance(Peer):
    module = package = "lancedb"
    knob, values = "nprobes", (1, 4, 16, 64, 256)
    index_type: Any = ""

    def build(self, rows: FloatArray, folder: Path) -> dict[str, float]:
        import lancedb
        import pyarrow as pa

        dim = rows.shape[1]
        schema = pa.schema([("id", pa.int64()), ("vector", pa.list_(pa.float32(), dim))])

        def batches() -> Iterator[Any]:
            for start in range(0, len(rows), PART):
                part = np.ascontiguousarray(rows[start : start + PART])
                ids = pa.array(np.arange(start, start + len(part)))
                vectors = pa.FixedSizeListArray.from_arrays(pa.array(part.reshape(-1)), dim)
                yield pa.record_batch([ids, vectors], schema=schema)

        table = lancedb.connect(folder).create_table(_TABLE, batches(), schema=schema)
        lists = max(1, len(rows) // _ROWS_PER_LIST)
        options: Any = self.options(dim)
        table.create_index(
            metric="cosine", num_partitions=lists, index_type=self.index_type, **options
        )
        return {}

    def options(self, dim: int) -> dict[str, int]:
        return {}

    def open(self, folder: Path) -> Searching:
        import lancedb

        return _Open(lancedb.connect(folder).open_table(_TABLE))


class LanceRq(_Lance):
    """One bit a value in lists (RaBitQ), then compared exactly."""

    name, index_type = "lancedb-rq", "IVF_RQ"


class LancePq(_Lance):
    """Product quantisation in lists, then compared exactly."""

    name, index_type = "lancedb-pq", "IVF_PQ"

    def options(self, dim: int) -> dict[str, int]:
        """Eight values in a byte."""
        return {"num_sub_vectors": dim // 8}


class _Open(Searching):
    def __init__(self, table: Any) -> None:
        self._table = table
        self._probed = 1

    def set(self, value: int) -> None:
        self._probed = value

    def search(self, query: FloatArray, k: int) -> IdArray:
        search = self._table.search(query).distance_type("cosine").nprobes(self._probed)
        found = search.refine_factor(_REFINED).limit(k).select(["id", "_distance"]).to_arrow()
        ids: IdArray = found["id"].to_numpy()
        return ids
