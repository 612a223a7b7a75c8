"""Finding images that are the same, or nearly.

Copies are known by the hashes in the catalog. Of the rest, pairs whose embeddings are close come
from a store; then their files are decoded, small, and the pixels decide. So only those files are
read that something is like; a thorough search reads them all, and finds what embeddings miss:
pictures that are turned, blurred or very small. Pages that are alike are read once more, for their
details. At last copies of one size are read in full, to tell which is the sharpest.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.duplicates.candidates import Pairs, close_pairs
from image_similarity_search.collection.duplicates.details import PairEdge, agreeing, may_be_pages
from image_similarity_search.collection.duplicates.dismissals import Dismissals
from image_similarity_search.collection.duplicates.grouping import Edge
from image_similarity_search.collection.duplicates.keeping import Looks, group
from image_similarity_search.collection.duplicates.levels import Levels
from image_similarity_search.collection.duplicates.losses import what_differs
from image_similarity_search.collection.duplicates.measuring import measured
from image_similarity_search.collection.duplicates.pixel_pairs import pairs_by_pixels
from image_similarity_search.collection.duplicates.scope import Contents, Scope
from image_similarity_search.collection.duplicates.signatures import Signatures, read_signatures
from image_similarity_search.duplicates import NO_HOLDINGS, DuplicateReport, Holdings
from image_similarity_search.types import IdArray, ImageRecord, ProgressCallback, counted

_RECORDS_AT_ONCE = 512

_Edges = dict[int, dict[int, Edge]]


class Finder:
    """Finds the duplicates of one scope; ``report`` is filled on the way."""

    def __init__(
        self,
        catalog: Catalog,
        scope: Scope,
        levels: Levels,
        dismissals: Dismissals,
        progress: ProgressCallback | None,
    ) -> None:
        self._catalog = catalog
        self._levels = levels
        self._dismissals = dismissals
        self._progress = progress
        self._scope = scope
        self._colours: dict[int, float] = {}  # how colourful what is alike is
        self._holdings: dict[int, Holdings] = {}  # what the files of it hold
        self.report = DuplicateReport(images=len(scope.ids))

    def run(self, *, thorough: bool, time_limit: float) -> DuplicateReport:
        """Compare, group, and say what to keep."""
        begin = time.perf_counter()
        copies = (np.intersect1d(ids, self._scope.ids) for ids in self._catalog.selection.copies())
        contents = Contents(
            self._scope, {int(ids[0]): ids.tolist() for ids in copies if len(ids) > 1}
        )
        edges: _Edges = defaultdict(dict)
        if self._levels.level != "exact":
            for one, other, edge in self._edges(contents, thorough, time_limit):
                held = [self._holdings.get(id_, NO_HOLDINGS) for id_ in (one, other)]
                if left := self._levels.beside_pixels(edge, what_differs(*held)):
                    edges[one][other] = edges[other][one] = left
        images = self._images(contents, edges)

        def measure(some: Collection[ImageRecord]) -> Mapping[int, float]:
            return measured(some, time_limit, counted(self._progress, "measuring", len(some)))

        looks = Looks(self._colours, self._holdings)
        group(self.report, contents, edges, images, looks, self._dismissals, measure)
        self.report.seconds = time.perf_counter() - begin
        return self.report

    def _edges(self, contents: Contents, thorough: bool, time_limit: float) -> Iterator[PairEdge]:
        """The pairs of contents that are alike."""
        queries, among = contents.to_compare()
        step = counted(self._progress, "comparing", len(queries))
        close = close_pairs(self._catalog, queries, among, self._levels.distance, step)
        pairs = Pairs.joined(contents.that_count(part) for part in close)
        wanted = np.union1d(queries, among) if thorough else np.unique(pairs.ids)
        step = counted(self._progress, "looking", len(wanted))
        seen = read_signatures(self._records(wanted), len(wanted), time_limit, step)
        self._note_unreadable(seen)
        if thorough:
            step = counted(self._progress, "comparing", len(queries))
            more = (contents.that_count(part) for part in pairs_by_pixels(seen, queries, step))
            pairs = Pairs.joined([pairs, *more])  # where a pair is in both, its distance is known
        doubtful: list[PairEdge] = []
        for one, other, edge in self._levels.edges(pairs, seen):
            far = edge.distance if np.isfinite(edge.distance) else self._distance(one, other)
            found = one, other, edge._replace(distance=far)
            self._note_looks(found[:2], seen)
            if may_be_pages(found, seen):
                doubtful.append(found)
            else:
                yield found
        yield from self._by_details(doubtful, time_limit)

    def _by_details(self, doubtful: list[PairEdge], time_limit: float) -> Iterator[PairEdge]:
        """What is left of pairs that may be two pages, when their details were compared."""
        steps = partial(counted, self._progress, "comparing details")
        for (one, other, edge), agree in agreeing(doubtful, self._records, time_limit, steps):
            if left := edge if agree else self._levels.told_apart(edge):
                yield one, other, left

    def _distance(self, one: int, other: int) -> float:
        """Between the embeddings of two images; infinite where one is gone by now."""
        found = self._catalog.embeddings.of(np.array([one, other], dtype=np.int64))
        rows = found.comparable("cosine")
        return float(vectors.distances(rows[0], rows[1:], "cosine")[0]) if len(rows) > 1 else np.inf

    def _images(self, contents: Contents, edges: _Edges) -> dict[int, ImageRecord]:
        """The images of all contents that have a copy, or something that is like them."""
        ids = [id_ for one in {*contents.copies, *edges} for id_ in contents.members(one)]
        return {one.id: one for one in self._records(np.array(sorted(ids), dtype=np.int64))}

    def _records(self, ids: IdArray) -> Iterator[ImageRecord]:
        for start in range(0, len(ids), _RECORDS_AT_ONCE):
            part = ids[start : start + _RECORDS_AT_ONCE]
            yield from self._catalog.records(part.tolist()).values()

    def _note_unreadable(self, seen: Signatures) -> None:
        ids = np.array(sorted(seen.unreadable), dtype=np.int64)
        for record in self._records(ids):
            self.report.unreadable[record.path] = seen.unreadable[record.id]

    def _note_looks(self, ids: Iterable[int], seen: Signatures) -> None:
        new = [id_ for id_ in ids if id_ not in self._colours]
        self._colours.update(seen.colourfulness(new))
        self._holdings.update({id_: seen.holdings[id_] for id_ in new if id_ in seen.holdings})
