"""What is looked for, shown by several pictures: more like these, less like those."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from image_similarity_search import vectors
from image_similarity_search.collection.queries import Query
from image_similarity_search.errors import ConfigError
from image_similarity_search.types import FloatArray, Metric

_OPPOSED = 1e-4  # length of a sum of unit vectors that says nothing


@dataclass(frozen=True, slots=True)
class Example:
    """A picture to search by, together with others.

    Attributes:
        image: what ``Collection.search`` takes, or an embedding ``(dim,)``, float32, as
            ``Collection.embed`` gives it.
        weight: how much it counts; less than 0: be less like it.
    """

    image: Query | FloatArray
    weight: float = 1.0


def sought(
    examples: Sequence[Example],
    vectors_of: Callable[[list[Query]], FloatArray],
    metric: Metric,
    k: int,
) -> tuple[FloatArray, set[int]]:
    """The vector ``(dim,)`` to search by, and the ids of the examples that are images themselves.

    ``vectors_of`` gives the comparable vectors of queries.

    Raises:
        ConfigError: nothing can be found by these examples, or ``k`` is less than 1.
    """
    if k < 1:
        raise ConfigError("k", k, "a number of images, at least 1")
    for example in examples:
        if not np.isfinite(example.weight) or not example.weight:
            raise ConfigError("weight", example.weight, "a number other than 0")
    if not any(example.weight > 0 for example in examples):
        raise ConfigError("examples", len(examples), "at least one with a weight more than 0")
    pictures = [cast("Query", e.image) for e in examples if not _is_embedding(e.image)]
    others = iter(vectors_of(pictures))
    rows = [
        vectors.comparable(np.asarray(e.image)[None], metric)[0]
        if _is_embedding(e.image)
        else next(others)
        for e in examples
    ]
    own = {int(image) for image in pictures if isinstance(image, int | np.integer)}
    return combined(np.stack(rows), [example.weight for example in examples], metric), own


def _is_embedding(image: object) -> bool:
    return isinstance(image, np.ndarray) and image.dtype == np.float32 and image.ndim == 1


def combined(rows: NDArray[np.float32], weights: Sequence[float], metric: Metric) -> FloatArray:
    """The vector ``(dim,)`` to search by, for comparable vectors ``(n, dim)`` of examples.

    Its direction is that of the weighted sum of their unit vectors. So each counts by its weight
    alone, not by its norm; where norms matter it has the mean norm of those to be like.

    Raises:
        ConfigError: the examples cancel out.
    """
    if len(rows) == 1:
        return np.asarray(rows[0])
    scale = np.asarray(weights, dtype=np.float64)
    wide = rows.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1)
    units = wide / np.where(norms > 0, norms, 1)[:, None]
    total = scale @ units
    length = np.linalg.norm(total)
    if length <= _OPPOSED * np.abs(scale).sum():
        raise ConfigError("examples", len(rows), "examples that do not cancel each other out")
    liked = scale > 0
    norm = float(np.average(norms[liked], weights=scale[liked]))
    direction = np.asarray((total / length * norm)[None], dtype=np.float32)
    row: FloatArray = vectors.comparable(direction, metric)[0]
    return row
