"""How right the answers of an inexact store are, measured on the collection's own images."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.search import Searcher
from image_similarity_search.reports import RecallReport
from image_similarity_search.stores.depths import ROUNDING_MARGIN
from image_similarity_search.types import FloatArray, IdArray, checked_count


def measured_recall(catalog: Catalog, searcher: Searcher, k: int, sample: int) -> RecallReport:
    """Search for up to ``sample`` images, and compare with a scan of all embeddings.

    An image counts as found if none of the ``k`` nearest is nearer: equals may stand for each
    other. The image itself is left out.
    """
    k, sample = checked_count("k", k), checked_count("sample", sample)
    ids = np.setdiff1d(catalog.indexed_ids(), catalog.displaced())
    asked = np.random.default_rng(0).choice(ids, min(sample, len(ids)), replace=False)
    if not len(asked):
        return RecallReport(k, 0, 1.0, 0.0, 0.0)
    rows = searcher.stored(asked.tolist())
    searcher.nearest(rows[0], k, None, left_out=int(asked[0]))  # opening the store is not measured

    begin = perf_counter()
    answers = [
        [hit.distance for hit in searcher.nearest(row, k, None, left_out=int(id_))]
        for id_, row in zip(asked, rows, strict=True)
    ]
    searched = perf_counter()
    near = nearest_in_full(catalog, rows, k + 1)
    found = wanted = 0
    for id_, row, some, answer in zip(asked, rows, near, answers, strict=True):
        best_ids, distances = searcher.by_distance(row, some)
        best = distances[best_ids != id_][:k]
        wanted += len(best)
        found += int(np.count_nonzero(np.array(answer) <= best.max(initial=-np.inf)))
    compared = perf_counter()
    return RecallReport(
        k=k,
        queries=len(asked),
        recall=found / wanted if wanted else 1.0,
        seconds=(searched - begin) / len(asked),
        exact_seconds=(compared - searched) / len(asked),
    )


def nearest_in_full(catalog: Catalog, queries: FloatArray, count: int) -> IdArray:
    """The ids ``(q, n)`` of a few more than ``count`` that are nearest to each query, or of all.

    Displaced images are none of them, as they are not found. Every embedding is compared; a part
    of the catalog is in memory at a time.
    """
    metric, count = catalog.identity.metric, count + ROUNDING_MARGIN
    ids = np.empty((len(queries), 0), dtype=np.int64)
    far = np.empty((len(queries), 0))
    displaced = catalog.displaced()
    for part in catalog.embeddings.since(0):
        there = slice(None) if not len(displaced) else ~np.isin(part.ids, displaced)
        rows, part_ids = part.comparable(metric)[there], part.ids[there]
        ids = np.hstack([ids, np.broadcast_to(part_ids, (len(queries), len(part_ids)))])
        far = np.hstack([far, vectors.all_distances(queries, rows, metric)])
        if far.shape[1] > count:
            kept = np.argpartition(far, count, axis=1)[:, :count]
            ids = np.take_along_axis(ids, kept, axis=1)
            far = np.take_along_axis(far, kept, axis=1)
    return ids
