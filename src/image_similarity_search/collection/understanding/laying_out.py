"""Lays images out in two dimensions so that alike ones lie together: t-SNE, by openTSNE.

It gets the nearest neighbours of each image, and begins with the two directions in which the
embeddings vary most. So it never sees all embeddings at once.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.understanding.neighbours import Neighbourhood
from image_similarity_search.collection.vectors_of import unit_vectors_of
from image_similarity_search.errors import ConfigError
from image_similarity_search.processors import available_processors
from image_similarity_search.types import FloatArray, IdArray, Progress, ProgressCallback, counted
from image_similarity_search.understanding import Layout

_NEIGHBOURS = 15
_FEWEST = 10  # images that t-SNE makes something of
_ROUNDS = (250, 500)  # while it pulls neighbours together, and after
_LARGE = 10_000  # images, from which on t-SNE interpolates
_AT_ONCE = 4096
_SPREAD = 1e-4  # of where t-SNE begins, as its authors advise
_RIM = 0.001  # of the images at each edge may be cut to the rest, so that strays do not shrink it
_SEED = 1

_log = logging.getLogger(__name__)


def laid_out(catalog: Catalog, ids: IdArray, progress: ProgressCallback | None) -> Layout:
    """As ``Collection.layout``, of the images ``ids``, in order."""
    if not len(ids):
        return Layout(ids, np.empty((0, 2), dtype=np.float32))
    tsne = _library()
    found, start = _along_two(catalog, ids)
    if len(found) < _FEWEST:
        return Layout(found, _fitted(start))
    step = counted(progress, "comparing", len(found))
    k = min(_NEIGHBOURS, len(found) - 1)
    near = Neighbourhood(catalog, found).of(found, k, step)
    if len(near.ids) < len(found):  # some are gone meanwhile
        start = start[np.isin(found, near.ids)]
    at = np.searchsorted(near.ids, near.nearest).clip(max=len(near.ids) - 1)
    affinities = tsne.affinity.PerplexityBasedNN(
        perplexity=k / 3,  # as many neighbours as this asks for
        knn_index=tsne.nearest_neighbors.PrecomputedNeighbors(at, near.distances),
    )
    positions = _optimised(tsne, affinities, start, progress)
    return Layout(near.ids, _fitted(positions))


def _library() -> Any:
    try:
        import openTSNE
        import openTSNE.affinity
        import openTSNE.nearest_neighbors
    except ImportError as error:
        install = "pip install 'image-similarity-search[map]'"
        said = f"a layout needs openTSNE, which is not installed ({error}): {install}"
        raise ConfigError("layout", str(error), install, said) from error
    return openTSNE


def _along_two(catalog: Catalog, ids: IdArray) -> tuple[IdArray, FloatArray]:
    """The images that there are, and the first two principal components of each ``(n, 2)``."""
    dim = catalog.identity.dim
    total, products, count = np.zeros(dim), np.zeros((dim, dim)), 0
    parts = [ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)]
    for part in parts:
        rows = unit_vectors_of(catalog, part)[1]
        total += rows.sum(axis=0)
        products += rows.T @ rows
        count += len(rows)
    mean = total / max(count, 1)
    _, axes = np.linalg.eigh(products / max(count, 1) - np.outer(mean, mean))
    chief = np.zeros((dim, 2), dtype=np.float32)
    chief[:, : min(2, dim)] = axes[:, ::-1][:, :2]
    known, along = [ids[:0]], [np.empty((0, 2), dtype=np.float32)]
    for part in parts:
        some, rows = unit_vectors_of(catalog, part)
        known.append(some)
        along.append((rows - mean.astype(np.float32)) @ chief)
    return np.concatenate(known), np.concatenate(along)


def _optimised(
    tsne: Any, affinities: Any, start: FloatArray, progress: ProgressCallback | None
) -> FloatArray:
    done, large = 0, len(start) >= _LARGE

    def told(iteration: int, _error: float, _positions: Any) -> None:
        if progress:
            part = min((done + iteration) / sum(_ROUNDS), 1.0)
            progress(Progress("laying out", int(part * len(start)), len(start)))

    begin = start.astype(np.float64) * (_SPREAD / max(float(start[:, 0].std()), 1e-12))
    begin += np.random.default_rng(_SEED).normal(0, _SPREAD / 100, begin.shape)  # copies apart
    embedding = tsne.TSNEEmbedding(
        begin,
        affinities,
        n_jobs=available_processors() if large else 1,  # threads would wait for one another
        negative_gradient_method="fft" if large else "bh",
        random_state=_SEED,
        callbacks=told,
        callbacks_every_iters=25,
    )
    first, then = _ROUNDS
    embedding = embedding.optimize(first, exaggeration=12, momentum=0.5, inplace=True)
    done = first
    embedding = embedding.optimize(then, exaggeration=1, momentum=0.8, inplace=True)
    return np.asarray(embedding, dtype=np.float32)


def _fitted(positions: FloatArray) -> FloatArray:
    """The same in the square of 0..1, one scale for both axes."""
    if not len(positions):
        return positions
    low, high = np.quantile(positions, [_RIM, 1 - _RIM], axis=0)
    middle = (low + high) / 2
    side = max(float((high - low).max()) * 1.02, 1e-12)
    return np.asarray(((positions - middle) / side + 0.5).clip(0, 1), dtype=np.float32)
