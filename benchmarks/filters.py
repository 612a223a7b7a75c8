"""How long a search among some of the images takes, and how many of the nearest it finds.

    python benchmarks/filters.py INDEX_DIR

The collection is one of ``synthetic.build``, whose file names are numbers: a pattern of their last
digits lets through a tenth, a hundredth, a thousandth of them, from all folders.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np

from image_similarity_search import Collection, Filter, vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.types import FloatArray, IdArray

_QUERIES = 20
_K = 10
_AT_ONCE = 8192  # images of a page, and embeddings compared at a time
_ROUNDING = 1e-6  # of a distance that a matrix product gives
_PATTERNS = {"all": "*", "10_percent": "*7.jpg", "1_percent": "*77.jpg", "0.1_percent": "*777.jpg"}


def filtered_search(index_dir: str) -> dict[str, Any]:
    """Times and recall of searches by images of the collection; a minute at a million."""
    with Collection.open(index_dir) as collection, closing(Catalog(index_dir)) as catalog:
        drawn = np.random.default_rng(0).choice(len(collection), _QUERIES, replace=False) + 1
        queries = [int(id_) for id_ in drawn]
        collection.search(queries[0])  # opening the store is not measured
        figures: dict[str, Any] = {
            "images": len(collection),
            "no_filter_p50_ms": _p50_ms(collection, queries, None),
        }
        folder = os.path.dirname(collection.get(queries[0]).path)
        conditions = {
            "width": Filter(min_width=641),
            "format": Filter(formats="jpeg"),
            "name": Filter(name="*7.JPG"),
            "folder": Filter(folder=folder),
        }
        for name, where in conditions.items():
            figures[f"select_{name}_ms"] = _ms(lambda where=where: collection.count(where))  # type: ignore[misc]
        for name, pattern in _PATTERNS.items():
            where = Filter(name=pattern)
            allowed = catalog.selection.ids(where, None, ())
            figures[f"{name}_images"] = len(allowed)
            figures[f"{name}_p50_ms"] = _p50_ms(collection, queries, where)
            borders = _borders(catalog, queries, allowed)
            figures[f"{name}_recall_at_10"] = _recall(collection, queries, where, borders)
    return figures


def _ms(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return round(1000 * (time.perf_counter() - begin), 1)


def _p50_ms(collection: Collection, queries: list[int], where: Filter | None) -> float:
    """Of one search; the filter's answer is there already."""
    collection.count(where)
    times = [_ms(lambda id_=id_: collection.search(id_, _K, where=where)) for id_ in queries]  # type: ignore[misc]
    return round(statistics.median(times), 1)


def _recall(
    collection: Collection, queries: list[int], where: Filter, borders: FloatArray
) -> float:
    found = 0
    for id_, border in zip(queries, borders.tolist(), strict=True):
        hits = collection.search(id_, _K, where=where)
        found += sum(hit.distance <= border + _ROUNDING for hit in hits)
    return round(found / (_K * len(queries)), 4)


def _borders(catalog: Catalog, queries: list[int], allowed: IdArray) -> FloatArray:
    """The distance of the ``_K``-th nearest of ``allowed`` from each query, by comparing all."""
    stored = catalog.embeddings.of(np.array(queries, dtype=np.int64))
    order = [stored.ids.tolist().index(id_) for id_ in queries]
    rows = vectors.unpack(stored.units, stored.norms, "cosine")[order]
    nearest = np.full((len(queries), _K), np.inf, dtype=np.float32)
    for start in range(0, len(allowed), _AT_ONCE):
        part = catalog.embeddings.of(allowed[start : start + _AT_ONCE])
        far = 1 - rows @ vectors.unpack(part.units, part.norms, "cosine").T
        far[np.array(queries)[:, None] == part.ids] = np.inf
        nearest = np.partition(np.hstack([nearest, far]), _K, axis=1)[:, :_K]
    return np.asarray(nearest.max(axis=1))


if __name__ == "__main__":
    print(json.dumps(filtered_search(sys.argv[1]), indent=2))
