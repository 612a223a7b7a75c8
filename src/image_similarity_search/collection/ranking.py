"""What the store finds, ranked by exact distance on the catalog's embeddings."""

from __future__ import annotations

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.values import Embeddings
from image_similarity_search.collection.keeping import Keeper
from image_similarity_search.errors import CollectionCorruptError
from image_similarity_search.stores.base import Store
from image_similarity_search.types import FloatArray, IdArray, Metric

Ranked = tuple[IdArray, FloatArray]
"""Ids by (exact distance, id), and their distances."""

# So few of the images are compared with each by itself, whatever the store is: an index that
# can't leave images out takes as long to look further for those that are wanted.
_FEW_SHARE = 0.003
_COMPARED = 64  # of so few, to guess which are the nearest takes longer than to compare them
_AT_ONCE = 16_384  # embeddings read for several queries together, which bounds their memory


class Ranker:
    """Ranks the images of one catalog with the help of its store."""

    def __init__(self, catalog: Catalog, keeper: Keeper) -> None:
        self._catalog = catalog
        self._keeper = keeper

    def by_distance(self, row: FloatArray, ids: IdArray, k: int | None = None) -> Ranked:
        """These ids, those that there are, from a comparable vector ``(dim,)``.

        With ``k``, only the nearest ``k``, and those that may be as near, have a distance; the
        others stand behind them, infinitely far.
        """
        return self._by_distance(row, self._catalog.embeddings.of(ids), k)

    def ranked(
        self, store: Store, rows: FloatArray, k: int, allowed: IdArray | None
    ) -> list[Ranked]:
        """The nearest to each of ``rows`` ``(q, dim)``, ``k`` or more of them, of those allowed."""
        if allowed is not None and len(allowed) <= max(
            store.candidates(k), _FEW_SHARE * len(store)
        ):
            return self._among(rows, k, allowed)
        answers: list[Ranked] = []
        fetched = store.candidates(k) + 1  # one to spare: do the candidates end among equals?
        step = max(1, _AT_ONCE // fetched)
        for start in range(0, len(rows), step):
            block = rows[start : start + step]
            candidates = store.search(block, fetched, allowed)
            read = _Read(self._catalog, candidates)
            for row, some in zip(block, candidates, strict=True):
                found = read.of(some)
                ranked = self._by_distance(row, found, k)
                available = len(store) if allowed is None else len(allowed)
                if not self._settled(row, some, found, ranked, k, available):
                    store, ranked = self._looking_further(store, row, k, allowed)
                answers.append(ranked)
        return answers

    def _looking_further(
        self, store: Store, row: FloatArray, k: int, allowed: IdArray | None
    ) -> tuple[Store, Ranked]:
        """The same for one vector, as deep as it takes; and the store that knew."""
        depth, known = k, store
        while True:
            candidates = store.search(row[None], store.candidates(depth) + 1, allowed)[0]
            found = self._catalog.embeddings.of(candidates)
            ranked = self._by_distance(row, found, k)
            available = len(store) if allowed is None else len(allowed)
            if self._settled(row, candidates, found, ranked, k, available):
                return store, ranked
            if len(found.ids) == len(candidates):
                depth *= 2  # which of the equals at the border are candidates is chance
                continue
            lacking = f"image {np.setdiff1d(candidates, found.ids)[0]} has no embedding"
            if store is not known:
                raise CollectionCorruptError(self._catalog.path, lacking)
            store = self._keeper.made_anew(lacking)

    def _settled(
        self,
        row: FloatArray,
        candidates: IdArray,
        found: Embeddings,
        ranked: Ranked,
        k: int,
        available: int,
    ) -> bool:
        """Whether the ``k`` nearest are known: none is lacking, and none beyond may be as near."""
        if len(found.ids) < len(candidates):
            return False
        if len(candidates) >= available or len(found.ids) <= k:
            return True
        near, far = ranked[1][[k - 1, -1]].tolist()
        return bool(far > vectors.as_near(near, row, found.norms, self._catalog.identity.metric))

    def _among(self, rows: FloatArray, k: int, allowed: IdArray) -> list[Ranked]:
        """The same, of so few images that to compare with each is quickest."""
        nothing = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        answers: list[Ranked] = [nothing] * len(rows)
        for start in range(0, len(allowed), _AT_ONCE):
            part = allowed[start : start + _AT_ONCE]
            found = self._catalog.embeddings.of(part)
            if len(found.ids) < len(part):
                lacking = f"image {np.setdiff1d(part, found.ids)[0]} has no embedding"
                raise CollectionCorruptError(self._catalog.path, lacking)
            for at, (row, (ids, distances)) in enumerate(zip(rows, answers, strict=True)):
                some, far = self._by_distance(row, found, k)
                ids, distances = np.append(ids, some[:k]), np.append(distances, far[:k])
                order = np.lexsort((ids, distances))[:k]
                answers[at] = ids[order], distances[order]
        return answers

    def _by_distance(self, row: FloatArray, found: Embeddings, k: int | None) -> Ranked:
        metric = self._catalog.identity.metric
        distances = np.full(len(found.ids), np.inf, dtype=np.float32)
        near = _nearest(row, found, metric, k)
        rows = vectors.unpack(found.units[near], found.norms[near], metric)
        distances[near] = vectors.distances(row, rows, metric)
        order = np.lexsort((found.ids, distances))
        return found.ids[order], distances[order]


class _Read:
    """The embeddings of several lists of ids, each of them read once."""

    def __init__(self, catalog: Catalog, lists: list[IdArray]) -> None:
        self._alone = len(lists) == 1
        if self._alone:
            self._all = catalog.embeddings.of(lists[0])
            return
        self._all = catalog.embeddings.of(np.unique(np.concatenate(lists)))
        self._order = np.argsort(self._all.ids)
        self._sorted = self._all.ids[self._order]

    def of(self, ids: IdArray) -> Embeddings:
        """Those of one of the lists, those that there are."""
        if self._alone or not len(self._sorted):
            return self._all
        at = np.searchsorted(self._sorted, ids).clip(max=len(self._sorted) - 1)
        positions = self._order[at[self._sorted[at] == ids]]
        every = self._all
        return Embeddings(every.ids[positions], every.units[positions], every.norms[positions])


def _nearest(row: FloatArray, found: Embeddings, metric: Metric, k: int | None) -> IdArray | slice:
    """Positions of the ``k`` nearest to ``row``, and of all that rounding may put among them."""
    if k is None or len(found.ids) <= max(k, _COMPARED):
        return slice(None)
    far, error = vectors.rough(row, found.units, found.norms, metric)
    if not np.isfinite(far).all():
        return slice(None)
    border = np.partition(far, k - 1)[k - 1] + 2 * error
    return np.flatnonzero(far <= border)
