"""From a vector to hits: candidates of the store, ranked exactly by the catalog."""

from __future__ import annotations

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.values import Embeddings, is_displaced
from image_similarity_search.collection.filtering import Filtering
from image_similarity_search.collection.keeping import Keeper, MovedOn
from image_similarity_search.errors import (
    CollectionCorruptError,
    ConfigError,
    ImageNotFoundError,
)
from image_similarity_search.filters import Filter
from image_similarity_search.stores.base import Store
from image_similarity_search.types import FloatArray, Hit, IdArray, Metric

# So few of the images are compared with each by itself, whatever the store is: an index that
# can't leave images out takes as long to look further for those that are wanted.
_FEW_SHARE = 0.01
_AT_ONCE = 8192  # embeddings, which bounds the memory that this takes


class Searcher:
    """Searches one catalog with the help of its store."""

    def __init__(self, catalog: Catalog, keeper: Keeper, filtering: Filtering) -> None:
        self._catalog = catalog
        self._keeper = keeper
        self._filtering = filtering

    def stored(self, id_: int) -> FloatArray:
        """The comparable vector ``(dim,)`` of an indexed image.

        Raises:
            ImageNotFoundError: no indexed image has this id.
        """
        with self._catalog.snapshot():
            record = self._catalog.record(id_)
            if record is None or record.state == "skipped":
                raise ImageNotFoundError(f"id {id_}", "no indexed image has this id")
            picture = self._catalog.picture(id_)
        metric = self._catalog.identity.metric
        norms = np.array([picture.norm], dtype=np.float32)
        row: FloatArray = vectors.unpack(picture.unit[None], norms, metric)[0]
        return row

    def nearest(
        self,
        row: FloatArray,
        k: int,
        threshold: float | None,
        left_out: int | None,
        where: Filter | None = None,
    ) -> list[Hit]:
        """The ``k`` images nearest to a comparable vector ``(dim,)``, by (distance, id).

        With ``where``, of those that it lets through.

        Raises:
            ConfigError: ``k`` is less than 1, or the filter can't be used.
            FolderNotFoundError: the collection does not know the filter's folder.
        """
        if not isinstance(k, int | np.integer) or k < 1:
            raise ConfigError("k", k, "a number of images, at least 1")
        if threshold is not None and not _is_number(threshold):
            raise ConfigError("threshold", threshold, "a score")
        hidden = set() if left_out is None else {left_out}
        while True:
            try:
                shown = self._shown(row, k, hidden, where)
            except MovedOn:
                continue
            return [hit for hit in shown if threshold is None or hit.score >= threshold]

    def _shown(self, row: FloatArray, k: int, hidden: set[int], where: Filter | None) -> list[Hit]:
        """The nearest, but for those that are hidden; all of one moment."""
        with self._keeper.current() as store:
            allowed = None if where is None else self._filtering.ids(where)
            while True:
                hits = self._hits(store, row, k + len(hidden), allowed)
                displaced = {hit.id for hit in hits if is_displaced(hit.path)} - hidden
                if not displaced:
                    return [hit for hit in hits if hit.id not in hidden][:k]
                hidden = hidden | displaced

    def _hits(self, store: Store, row: FloatArray, k: int, allowed: IdArray | None) -> list[Hit]:
        ids, distances = self._ranked(store, row, k, allowed)
        ids, distances = ids[:k], distances[:k]
        scores = vectors.scores(distances, self._catalog.identity.metric)
        records = self._catalog.records(ids.tolist())
        if len(records) < len(ids):
            lacking = np.setdiff1d(ids, list(records))[0]
            raise CollectionCorruptError(self._catalog.path, f"image {lacking} has no record")
        return [
            Hit(records[id_], float(distance), float(score))
            for id_, distance, score in zip(ids.tolist(), distances, scores, strict=True)
        ]

    def by_distance(
        self, row: FloatArray, ids: IdArray, k: int | None = None
    ) -> tuple[IdArray, FloatArray]:
        """These ids by (exact distance, id), those that there are, and their distances.

        With ``k``, only the nearest ``k``, and those that may be as near, have a distance; the
        others stand behind them, infinitely far.
        """
        metric = self._catalog.identity.metric
        found = self._catalog.embeddings(ids)
        distances = np.full(len(found.ids), np.inf, dtype=np.float32)
        near = _nearest(row, found, metric, k)
        rows = vectors.unpack(found.units[near], found.norms[near], metric)
        distances[near] = vectors.distances(row, rows, metric)
        order = np.lexsort((found.ids, distances))
        return found.ids[order], distances[order]

    def _ranked(
        self, store: Store, row: FloatArray, k: int, allowed: IdArray | None
    ) -> tuple[IdArray, FloatArray]:
        """The nearest ids by (exact distance, id), and their distances; ``k`` or more of them."""
        if allowed is not None and len(allowed) <= max(
            store.candidates(k), _FEW_SHARE * len(store)
        ):
            return self._ranked_few(row, k, allowed)
        depth, known = k, store
        available = len(store) if allowed is None else len(allowed)
        while True:
            # one to spare tells whether the candidates end among equals
            candidates = store.search(row[None], store.candidates(depth) + 1, allowed)[0]
            ids, distances = self.by_distance(row, candidates, k)
            if len(ids) < len(candidates):
                lacking = f"image {np.setdiff1d(candidates, ids)[0]} has no embedding"
                if store is not known:
                    raise CollectionCorruptError(self._catalog.path, lacking)
                store = self._keeper.made_anew(lacking)
                continue
            all_seen = len(candidates) >= available or len(ids) <= k
            if all_seen or distances[-1] > distances[k - 1]:
                return ids, distances
            depth *= 2  # which of the equals at the border are candidates is chance: look further

    def _ranked_few(self, row: FloatArray, k: int, allowed: IdArray) -> tuple[IdArray, FloatArray]:
        """The same, of so few images that to compare with each is quickest."""
        ids, distances = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        for start in range(0, len(allowed), _AT_ONCE):
            part = allowed[start : start + _AT_ONCE]
            some, far = self.by_distance(row, part, k)
            if len(some) < len(part):
                lacking = f"image {np.setdiff1d(part, some)[0]} has no embedding"
                raise CollectionCorruptError(self._catalog.path, lacking)
            ids, distances = np.append(ids, some[:k]), np.append(distances, far[:k])
            order = np.lexsort((ids, distances))[:k]
            ids, distances = ids[order], distances[order]
        return ids, distances


def _nearest(row: FloatArray, found: Embeddings, metric: Metric, k: int | None) -> IdArray:
    """Positions of the ``k`` nearest to ``row``, and of all that rounding may put among them."""
    if k is None or k >= len(found.ids):
        return np.arange(len(found.ids))
    far, error = vectors.rough(row, found.units, found.norms, metric)
    if not np.isfinite(far).all():
        return np.arange(len(found.ids))
    border = np.partition(far, k - 1)[k - 1] + 2 * error
    return np.flatnonzero(far <= border)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not np.isnan(value)
