"""Recall and time of each kind of index, on vectors that lie in clusters.

    python benchmarks/index_kinds.py [COUNT] [KIND ...]

Prints for each kind: seconds to make it, recall@10 after the exact re-rank, milliseconds of one
search (candidates alone) and memory. Half a gigabyte for 20,000 vectors, the default.
"""

from __future__ import annotations

import sys
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from image_similarity_search import vectors
from image_similarity_search.stores import FaissStore
from image_similarity_search.stores.kinds import NAMED
from image_similarity_search.types import FloatArray

_DIM, _QUERIES, _K = 1280, 200, 10


def main() -> None:
    """Measure what the command line names."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(count // 40, _DIM)).astype(np.float32)
    rows = centres[rng.integers(0, len(centres), count + _QUERIES)]
    rows += 0.7 * rng.normal(size=rows.shape).astype(np.float32)
    rows += 2 * np.abs(rng.normal(size=_DIM)).astype(np.float32)  # about the same direction
    rows = vectors.comparable(rows, "cosine")
    rows, queries = rows[:count], rows[count:]
    products = queries @ rows.T
    best = np.argpartition(-products, _K, axis=1)[:, :_K]
    print(f"{count:,} x {_DIM}, cosine, {_QUERIES} queries, one at a time")
    for kind in sys.argv[2:] or NAMED:
        measure(kind, rows, queries, best)


def measure(kind: str, rows: FloatArray, queries: FloatArray, best: NDArray[np.int64]) -> None:
    """Print a line about one kind."""
    store, count = FaissStore(_DIM, "cosine", kind), len(rows)
    begin = perf_counter()
    if size := store.sample_size(count):
        store.train(rows[np.random.default_rng(1).choice(count, size, replace=False)], count)
    for start in range(0, count, 4096):
        part = rows[start : start + 4096]
        store.upsert(np.arange(start, start + len(part), dtype=np.int64), part)
    made = perf_counter()
    found = [store.search(query[None], store.candidates(_K))[0] for query in queries]
    seconds = perf_counter() - made
    recall = np.mean([np.isin(near, some).mean() for near, some in zip(best, found, strict=True)])
    print(
        f"{store.describe():<55} made in {made - begin:6.1f} s  recall@{_K} {recall:.3f}"
        f"  {1e3 * seconds / len(queries):6.2f} ms  {store.memory_bytes() / 1e6:6.1f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
