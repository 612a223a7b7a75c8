"""The images that are least like any other: those farthest from their nearest neighbours."""

from __future__ import annotations

import time

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.understanding.neighbours import Neighbourhood
from image_similarity_search.types import (
    FloatArray,
    Hit,
    IdArray,
    ImageRecord,
    ProgressCallback,
    checked_count,
    counted,
)
from image_similarity_search.understanding import Outlier, OutlierReport

_LOOKED_AT_AGAIN = 4  # times as many as are told
_SHOWN = 5  # of the nearest


def outlying(
    catalog: Catalog, ids: IdArray, count: int, k: int, progress: ProgressCallback | None
) -> OutlierReport:
    """As ``Collection.outliers``, of the images ``ids``, in order."""
    count, k = checked_count("count", count), checked_count("k", k)
    started = time.perf_counter()
    k = min(k, len(ids) - 1)
    report = OutlierReport(k=max(k, 0), images=len(ids))
    step = counted(progress, "comparing", len(ids))
    if k > 0:
        around = Neighbourhood(catalog, ids)
        every = around.of(ids, k, step)
        far = every.distances.mean(axis=1)
        report.median = float(np.median(far))
        likely = every.ids[np.argsort(-far, kind="stable")[: _LOOKED_AT_AGAIN * count]]
        sure = around.of(likely, k, step, thorough=True)
        far = sure.distances.mean(axis=1)
        first = np.lexsort((sure.ids, -far))[:count]
        records = catalog.records(
            [*sure.ids[first].tolist(), *sure.nearest[first].ravel().tolist()]
        )
        for at in first[[int(id_) in records for id_ in sure.ids[first]]]:
            nearest = _hits(records, sure.nearest[at], sure.distances[at])
            times = float(far[at]) / max(report.median, float(np.finfo(np.float32).eps))
            image = records[int(sure.ids[at])]
            report.outliers.append(Outlier(image, float(far[at]), times, nearest))
    report.seconds = time.perf_counter() - started
    return report


def _hits(records: dict[int, ImageRecord], ids: IdArray, distances: FloatArray) -> tuple[Hit, ...]:
    scores = vectors.scores(distances, "cosine")
    told = zip(ids[:_SHOWN].tolist(), distances.tolist(), scores.tolist(), strict=False)
    return tuple(Hit(records[id_], far, score) for id_, far, score in told if id_ in records)
