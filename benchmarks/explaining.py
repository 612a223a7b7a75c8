"""Do the places that an explanation names matter? They are covered, and the score is looked at.

    python benchmarks/explaining.py UKBENCH [--pairs 60] [--model NAME]

Pairs of views of one object: pictures of UKBench, four in a row for each. Of the query's places a
quarter is covered with grey: those that count most by each method, and those that count least. By a
good explanation the cosine falls much by the former and little by the latter. Beside them: places
chosen at random, and those in the middle of the picture, where its subject often is.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.collection.embedding import Embedder
from image_similarity_search.collection.explaining.explainer import Explainer
from image_similarity_search.collection.queries import pixels_of
from image_similarity_search.encoders import registry
from image_similarity_search.encoders.base import Encoder
from image_similarity_search.errors import ConfigError
from image_similarity_search.types import FloatArray, PixelArray

_OBJECT_SIZE = 4
_COVERED = 0.25
_GREY = 127


def covered(view: PixelArray, places: FloatArray) -> PixelArray:
    """The view with some places, ``(rows, columns)`` of bool, covered."""
    out = view.copy()
    rows, columns = (
        np.linspace(0, len(view), side + 1).round().astype(int) for side in places.shape
    )
    for row, column in np.argwhere(places):
        out[rows[row] : rows[row + 1], columns[column] : columns[column + 1]] = _GREY
    return out


def cosines(encoder: Encoder, views: list[PixelArray], other: FloatArray) -> FloatArray:
    """Of views and another picture's vector."""
    rows = vectors.comparable(encoder.encode(np.stack(views)), "cosine")
    return np.asarray(rows @ other)


def measured(encoder: Encoder, pairs: list[tuple[Path, Path]]) -> dict[str, FloatArray]:
    """By method: seconds, and the cosine uncovered, with the most covered, with the least."""
    explainer, rng = Explainer(lambda: Embedder(encoder), "cosine"), np.random.default_rng(0)
    away = np.square(np.arange(7) - 3)
    found: dict[str, list[list[float]]] = {}
    for pair in pairs:
        query, hit = (pixels_of(path, encoder.preprocessing) for path in pair)
        other = vectors.comparable(encoder.encode(hit[None]), "cosine")[0]
        grids = {"random": (rng.random((7, 7)), 0.0), "middle": (-np.add.outer(away, away), 0.0)}
        for method in ("places", "occlusion"):
            started = time.perf_counter()
            try:
                grid = explainer.compared(query, hit, method).query
            except ConfigError:  # this encoder has no places
                continue
            grids[method] = grid, time.perf_counter() - started
        for method, (grid, seconds) in grids.items():
            count = round(_COVERED * grid.size)
            order = np.argsort(grid.ravel(), kind="stable")
            most, least = (
                np.isin(np.arange(grid.size), part) for part in (order[-count:], order[:count])
            )
            views = [query, *(covered(query, part.reshape(grid.shape)) for part in (most, least))]
            found.setdefault(method, []).append([seconds, *cosines(encoder, views, other)])
    return {method: np.array(rows) for method, rows in found.items()}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ukbench", type=Path)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--model")
    options = parser.parse_args()
    files = sorted(options.ukbench.iterdir())
    starts = range(0, len(files) - _OBJECT_SIZE + 1, _OBJECT_SIZE)[: options.pairs]
    pairs = [(files[at], files[at + 1 + at // _OBJECT_SIZE % 3]) for at in starts]
    encoder = registry.create(options.model, "cpu")
    print(f"{encoder.name}, {len(pairs)} pairs: mean cosine, +- its 95 % interval")
    for method, rows in measured(encoder, pairs).items():
        means, spread = rows.mean(axis=0), 1.96 * rows.std(axis=0) / len(rows) ** 0.5
        told = [f"{means[at]:.3f} +- {spread[at]:.3f}" for at in (1, 2, 3)]
        print(f"{method:10} whole {told[0]}, most covered {told[1]}, least {told[2]},"
              f" {means[0]:.2f} s a pair")  # fmt: skip


if __name__ == "__main__":
    main()
