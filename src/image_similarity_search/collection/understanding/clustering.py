"""Groups of alike images, by k-means on a sample of the unit vectors.

The sample is bounded, and so is the memory: all others are read a part at a time, and go to the
cluster whose middle is nearest. K-means begins at groups that come of merging some of the sample.
How many clusters there are is tried out: by the silhouette, which compares how near an image is to
the middle of the others of its cluster and to the nearest other middle.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.understanding.merging import Merging
from image_similarity_search.collection.vectors_of import unit_vectors_of
from image_similarity_search.errors import ConfigError
from image_similarity_search.stores.kmeans import middles, nearest_middles
from image_similarity_search.types import (
    FloatArray,
    IdArray,
    Progress,
    ProgressCallback,
    checked_count,
)
from image_similarity_search.understanding import Cluster, ClusterReport

_SAMPLE = 25_600  # 130 MB at 1280 dimensions
_MERGED = 4096  # of the sample: 64 MB
_MOST = 1024  # clusters that are chosen; more may be asked for, up to that sample
_READ_AT_ONCE = 4096
_TRIED_ROUNDS, _ROUNDS = 2, 10  # it begins so well that few are needed
_STEPS = (2**0.5, 2**0.25)  # from the best power of two to its neighbours, then to theirs
_SAME = 1e-6  # a cosine distance that is rounding
_SEED = 1


def clustered(
    catalog: Catalog,
    ids: IdArray,
    count: int | None,
    shown: int,
    progress: ProgressCallback | None,
) -> ClusterReport:
    """As ``Collection.clusters``, of the images ``ids``, in order."""
    shown = checked_count("shown", shown)
    most = min(len(ids), _SAMPLE)
    if count is not None:
        expected = f"a number of clusters, 1 to {max(most, 1):,} here"
        count = checked_count("count", count, expected)
        if count > max(most, 1):
            raise ConfigError("count", count, expected)
    started, report = time.perf_counter(), ClusterReport(images=len(ids))

    def step(done: int) -> None:
        if progress:
            progress(Progress("clustering", done, len(ids)))

    step(0)
    if len(ids):
        sample = _Sample(_sampled(catalog, ids))
        chosen = count or _chosen(sample, report.tried)
        centres = sample.middles(min(chosen, len(sample.rows)), _ROUNDS)
        del sample
        report.clusters, report.silhouette = _filled(catalog, ids, centres, shown, step)
    report.seconds = time.perf_counter() - started
    return report


def silhouette(nearest: IdArray, cosines: FloatArray) -> float:
    """How well clusters are apart: the mean of (b - a) / max(a, b), 0 for an image that is alone.

    ``a`` is the cosine distance to the middle of the *others* of the image's cluster, ``b`` to the
    nearest other middle. With its own part in its middle, any two images would be a good cluster.
    A single cluster has 0, too.
    """
    sizes = np.bincount(nearest)
    if np.count_nonzero(sizes) < 2:
        return 0.0
    own = cosines[:, 0].astype(np.float64)
    length = np.bincount(nearest, own)[nearest]  # of the sum of the cluster's unit vectors
    others = np.sqrt(np.maximum(length**2 - 2 * length * own + 1, _SAME))
    a = 1 - ((length * own - 1) / others).clip(-1, 1)
    b = 1 - cosines[:, 1].clip(max=1).astype(np.float64)
    most = np.maximum(a, b)
    values = np.divide(b - a, most, out=np.zeros_like(a), where=most > _SAME)
    values[sizes[nearest] == 1] = 0
    return float(values.mean())


class _Sample:
    """Unit vectors ``rows`` of images, and where k-means among them begins."""

    def __init__(self, rows: FloatArray) -> None:
        self.rows, merged = rows, rows
        if len(rows) > _MERGED:
            rng = np.random.default_rng(_SEED)
            merged = rows[np.sort(rng.choice(len(rows), _MERGED, replace=False))]
        self._merging = Merging(merged)

    def middles(self, count: int, rounds: int) -> FloatArray:
        """As of k-means, from merged groups where so many were merged."""
        begin = self._merging.middles(count) if count <= len(self._merging) else None
        return middles(self.rows, count, rounds, begin)


def _sampled(catalog: Catalog, ids: IdArray) -> FloatArray:
    """Unit vectors of some of the images, or of all, chosen at random."""
    some = ids
    if len(ids) > _SAMPLE:
        some = np.sort(np.random.default_rng(_SEED).choice(ids, _SAMPLE, replace=False))
    parts = [
        unit_vectors_of(catalog, some[start : start + _READ_AT_ONCE])[1]
        for start in range(0, len(some), _READ_AT_ONCE)
    ]
    return np.concatenate(parts)


def _chosen(sample: _Sample, tried: dict[int, float]) -> int:
    """The number of clusters with the best silhouette; ``tried`` gets that of each tried."""
    most = max(1, min(_MOST, len(sample.rows) // 2))

    def value(count: int) -> float:
        if count not in tried:
            centres = sample.middles(count, _TRIED_ROUNDS)
            tried[count] = silhouette(*nearest_middles(sample.rows, centres))
        return tried[count]

    tried[1] = 0.0
    numbers = [*(2**power for power in range(most.bit_length())), most]
    best: int = max(numbers, key=value)
    for step in _STEPS:
        about = (best, round(best / step), round(best * step))
        best = max((number for number in about if number <= most), key=value)
    return best


def _filled(
    catalog: Catalog,
    ids: IdArray,
    centres: FloatArray,
    shown: int,
    step: Callable[[int], None],
) -> tuple[list[Cluster], float]:
    """The clusters with their images, and their silhouette."""
    known, nearest, cosines = [], [], []
    for start in range(0, len(ids), _READ_AT_ONCE):
        some, rows = unit_vectors_of(catalog, ids[start : start + _READ_AT_ONCE])
        at, near = nearest_middles(rows, centres)
        known.append(some)
        nearest.append(at)
        cosines.append(near)
        step(min(start + _READ_AT_ONCE, len(ids)))
    found, at, near = np.concatenate(known), np.concatenate(nearest), np.concatenate(cosines)
    order = np.lexsort((found, -near[:, 0], at))
    groups = np.split(order, np.flatnonzero(np.diff(at[order])) + 1)
    clusters = [_cluster(catalog, found[group], near[group, 0], shown) for group in groups]
    clusters = [cluster for cluster in clusters if cluster.images]  # gone meanwhile
    clusters.sort(key=lambda cluster: (-len(cluster.ids), int(cluster.ids.min())))
    return clusters, silhouette(at, near)


def _cluster(catalog: Catalog, ids: IdArray, cosines: FloatArray, shown: int) -> Cluster:
    first = dict(zip(ids[:shown].tolist(), cosines[:shown].tolist(), strict=True))
    records = catalog.records(first)
    there = [(records[id_], cosine) for id_, cosine in first.items() if id_ in records]
    return Cluster(
        ids,
        float(cosines.mean()),
        tuple(record for record, _ in there),
        tuple(cosine for _, cosine in there),
    )
