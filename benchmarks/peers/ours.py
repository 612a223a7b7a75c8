"""This project: a whole collection, whose answers are hits with their records."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import filling
import numpy as np
from searching import warm

from image_similarity_search import Collection, vectors
from image_similarity_search.types import FloatArray, IdArray
from peers.base import PART, Peer, Searching

_INNER = "collection"


class Ours(Peer):
    """A collection with the index ``auto``."""

    name = "ours-auto"
    module, package = "image_similarity_search", "image-similarity-search"
    index = "auto"

    def build(self, rows: FloatArray, folder: Path) -> dict[str, float]:
        """Fill a catalog and make its store; the time of the store alone is told, too."""
        blocks = (rows[start : start + PART] for start in range(0, len(rows), PART))
        began = perf_counter()
        filling.fill(folder / _INNER, blocks, self.index)
        filled = perf_counter()
        with Collection.open(folder / _INNER) as collection:
            collection.rebuild()
        return {"catalog_s": filled - began, "store_s": perf_counter() - filled}

    def open(self, folder: Path) -> Searching:
        """Open the collection."""
        return _Open(Collection.open(folder / _INNER))


class OursInLists(Ours):
    """A collection with the index ``ivf-rabitq``."""

    name = "ours-ivf-rabitq"
    index = "ivf-rabitq"


class _Open(Searching):
    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._first = next(iter(collection)).id  # ids follow the order of rows
        searcher = collection._searcher
        warm(searcher, collection._keeper, searcher.stored([self._first])[0])

    def set(self, value: int) -> None:
        """There is nothing to set."""

    def search(self, query: FloatArray, k: int) -> IdArray:
        row = vectors.comparable(query[None], "cosine")[0]
        hits = self._collection._searcher.nearest(row, k, None, left_out=None)
        return np.array([hit.id for hit in hits], dtype=np.int64) - self._first
