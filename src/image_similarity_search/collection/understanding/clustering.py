"""Groups of alike images, by k-means on a sample of the unit vectors.

The sample is bounded, and so is the memory: all others are read a part at a time, and go to the
cluster whose middle is nearest. How many clusters there are is tried out: by the silhouette, which
compares how near an image is to the middle of its cluster and to the nearest other middle.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from image_similarity_search.catalog.catalog import Catalog
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
_MOST = 1024  # clusters that are chosen; more may be asked for, up to that sample
_READ_AT_ONCE = 4096
_TRIED_ROUNDS, _ROUNDS = 8, 25
_STEP = 2.0  # from one number that is tried to the next, and then its root about the best
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
        expected = f"a number of clusters, 1 to {most:,} here"
        count = checked_count("count", count, expected)
        if count > max(most, 1):
            raise ConfigError("count", count, expected)
    started, report = time.perf_counter(), ClusterReport(images=len(ids))

    def step(done: int) -> None:
        if progress:
            progress(Progress("clustering", done, len(ids)))

    step(0)
    if len(ids):
        sample = _sampled(catalog, ids)
        chosen = count or _chosen(sample, report.tried)
        centres = middles(sample, min(chosen, len(sample)), _ROUNDS)
        del sample
        report.clusters, report.silhouette = _filled(catalog, ids, centres, shown, step)
    report.seconds = time.perf_counter() - started
    return report


def silhouette(nearest: IdArray, cosines: FloatArray) -> float:
    """How well clusters are apart: the mean over images of (b - a) / b, 0 for one that is alone.

    ``a`` is the cosine distance to the middle of the image's cluster, ``b`` to the nearest other.
    """
    own, other = 1 - cosines[:, 0].clip(max=1), 1 - cosines[:, 1].clip(max=1)
    values = np.divide(other - own, other, out=np.zeros_like(own), where=other > 0)
    values[np.bincount(nearest)[nearest] == 1] = 0
    return float(values.mean()) if len(values) else 0.0


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


def _chosen(sample: FloatArray, tried: dict[int, float]) -> int:
    """The number of clusters with the best silhouette; ``tried`` gets that of each tried."""
    most = min(_MOST, len(sample) // 2)
    if most < 2:
        return 1

    def value(count: int) -> float:
        if count not in tried:
            tried[count] = silhouette(
                *nearest_middles(sample, middles(sample, count, _TRIED_ROUNDS))
            )
        return tried[count]

    numbers = [2]
    while numbers[-1] * _STEP <= most:
        numbers.append(int(numbers[-1] * _STEP))
    best = max([*numbers, most], key=value)
    about = (round(best / _STEP**0.5), best, round(best * _STEP**0.5))
    return max((number for number in about if 2 <= number <= most), key=value)


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
