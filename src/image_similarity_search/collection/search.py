"""From vectors to hits: the nearest images, with their records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.values import Embeddings, is_displaced
from image_similarity_search.collection.filtering import Filtering
from image_similarity_search.collection.keeping import Keeper, MovedOn
from image_similarity_search.collection.ranking import Ranked, Ranker
from image_similarity_search.errors import CollectionCorruptError, ImageNotFoundError
from image_similarity_search.filters import Filter
from image_similarity_search.types import FloatArray, Hit, checked_count

_CALM_ATTEMPTS = 3  # then a search does not insist on one moment, which a busy catalog lacks


class Searcher:
    """Searches one catalog with the help of its store."""

    def __init__(self, catalog: Catalog, keeper: Keeper, filtering: Filtering) -> None:
        self._catalog = catalog
        self._keeper = keeper
        self._filtering = filtering
        self._ranker = Ranker(catalog, keeper)
        self.by_distance = self._ranker.by_distance

    def stored(self, ids: Sequence[int]) -> FloatArray:
        """The comparable vectors ``(n, dim)`` of indexed images.

        Raises:
            ImageNotFoundError: no indexed image has one of these ids.
        """
        return self.embeddings(ids).comparable(self._catalog.identity.metric)

    def embeddings(self, ids: Sequence[int]) -> Embeddings:
        """The embeddings of indexed images, in this order.

        Raises:
            ImageNotFoundError: no indexed image has one of these ids.
        """
        wanted = [id_ for id_ in dict.fromkeys(ids) if abs(id_) < 2**63]  # what SQLite can hold
        with self._catalog.snapshot():
            records = self._catalog.records(wanted)
            for id_ in ids:
                if id_ not in records or records[id_].state == "skipped":
                    raise ImageNotFoundError(f"id {id_}", "no indexed image has this id")
            return self._catalog.embeddings.in_order(np.array(ids, dtype=np.int64))

    def nearest(
        self,
        row: FloatArray,
        k: int,
        threshold: float | None,
        left_out: int | None,
        where: Filter | None = None,
    ) -> list[Hit]:
        """The ``k`` images nearest to a comparable vector ``(dim,)``: see ``nearest_to_each``."""
        return self.nearest_to_each(row[None], k, threshold, [left_out], where)[0]

    def nearest_to_each(
        self,
        rows: FloatArray,
        k: int,
        threshold: float | None,
        left_out: Sequence[int | None],
        where: Filter | None = None,
        outside: Sequence[str] = (),
    ) -> list[list[Hit]]:
        """The ``k`` images nearest to each comparable vector of ``(q, dim)``, by (distance, id).

        The images ``left_out``, one for each vector, are not in its answer. With ``where``, only
        those are that it lets through, and none that lies in one of the very folders ``outside``.

        Raises:
            ConfigError: ``k`` is less than 1, or the filter can't be used.
            FolderNotFoundError: the collection does not know the filter's folder.
        """
        k = checked_count("k", k)
        attempts = 0
        while True:
            try:
                shown = self._shown(
                    rows, k, left_out, where, outside, hasty=attempts >= _CALM_ATTEMPTS
                )
                break
            except MovedOn:
                attempts += 1
        if threshold is None:
            return shown
        return [[hit for hit in hits if hit.score >= threshold] for hits in shown]

    def _shown(
        self,
        rows: FloatArray,
        k: int,
        left_out: Sequence[int | None],
        where: Filter | None,
        outside: Sequence[str],
        *,
        hasty: bool,
    ) -> list[list[Hit]]:
        """The same, whatever the score; all of one moment, unless it is ``hasty``.

        Raises:
            MovedOn: the catalog went on amid it.
        """
        hidden = {id_ for id_ in left_out if id_ is not None}
        with self._keeper.current() as store, self._one_moment(hasty=hasty):
            everything = where is None and not outside
            allowed = None if everything else self._filtering.ids_outside(where, outside)
            displaced: set[int] = set()
            while True:
                depth = k + bool(hidden) + len(displaced)
                ranked = self._ranker.ranked(store, rows, depth, allowed)
                answers = self._hits(ranked, depth)
                more = {hit.id for hits in answers for hit in hits if is_displaced(hit.path)}
                if more <= displaced:
                    break
                displaced |= more
        return [
            [hit for hit in hits if hit.id != own and hit.id not in displaced][:k]
            for hits, own in zip(answers, left_out, strict=True)
        ]

    @contextmanager
    def _one_moment(self, *, hasty: bool) -> Iterator[None]:
        """Begin anew where the catalog goes on inside; a ``hasty`` one only if that shows."""
        if self._keeper.holds_still:
            yield
            return
        moment = self._catalog.moment
        try:
            yield
        except CollectionCorruptError as error:  # or another process took away what was found
            if self._catalog.moment == moment:
                raise
            raise MovedOn(str(error)) from error
        if not hasty and self._catalog.moment != moment:
            raise MovedOn(f"generation {moment.generation} is no longer current")

    def _hits(self, ranked: Sequence[Ranked], k: int) -> list[list[Hit]]:
        """The first ``k`` of each answer, with their records."""
        metric = self._catalog.identity.metric
        wanted = {id_ for ids, _ in ranked for id_ in ids[:k].tolist()}
        records = self._catalog.records(wanted)
        if len(records) < len(wanted):
            lacking = min(wanted - records.keys())
            raise CollectionCorruptError(self._catalog.path, f"image {lacking} has no record")
        return [
            [
                Hit(records[id_], distance, score)
                for id_, distance, score in zip(
                    ids[:k].tolist(),
                    distances[:k].tolist(),
                    vectors.scores(distances[:k], metric).tolist(),
                    strict=True,
                )
            ]
            for ids, distances in ranked
        ]
