"""What is looked for, shown by several pictures: more like these, less like those."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_similarity_search import vectors
from image_similarity_search.collection.queries import Query, embedding_of, is_id
from image_similarity_search.errors import ConfigError
from image_similarity_search.types import FloatArray, Metric, Region, Text, checked_count, number

# Rocchio's weights beside that of what is searched by, 1, as the textbooks of retrieval have them:
# what is meant is told better by what is liked than by what is not
_LIKED = 0.75
_DISLIKED = 0.15

_OPPOSED = 1e-4  # length of a sum of unit vectors that says nothing


@dataclass(frozen=True, slots=True)
class Example:
    """A picture to search by, together with others.

    Attributes:
        image: what ``Collection.search`` takes, or an embedding ``(dim,)`` of floats, as
            ``Collection.embed`` gives it; one for each way ``(ways, dim)`` where the search is
            to find mirrored or turned pictures, too.
        weight: how much it counts; less than 0: be less like it.
        region: the part of the picture that counts; an embedding has none.
        of: the id of the image that an embedding is of; without it, of none of the collection.
    """

    image: Query | NDArray[np.floating[Any]]
    weight: float = 1.0
    region: Region | None = None
    of: int | None = None

    @property
    def id(self) -> int | None:
        """The id of the image of the collection that this is."""
        return int(self.image) if is_id(self.image) else self.of

    @property
    def embedding(self) -> FloatArray | None:
        """The embeddings ``(ways, dim)``, where it is given as such."""
        return embedding_of(self.image, axes=(1, 2))


def check_examples(examples: Sequence[Example], k: int, ways: int) -> None:
    """Check what is to be searched by.

    Raises:
        ConfigError: nothing can be found by these examples, or ``k`` is less than 1.
    """
    checked_count("k", k)
    for example in examples:
        if not isinstance(example, Example):
            raise ConfigError("examples", example, "an Example each")
        if not isinstance(example.region, Region | None):
            raise ConfigError("region", example.region, "a Region")
        if not math.isfinite(number(example.weight)) or not example.weight:
            raise ConfigError("weight", example.weight, "a number other than 0")
        rows = example.embedding
        if isinstance(example.image, Text) and example.region:
            raise ConfigError("region", example.region, "none, of a text")
        if rows is not None and (len(rows) != ways or example.region):
            what = "region" if example.region else "embeddings"
            expected = (
                "none, of an embedding"
                if example.region
                else (f"one for each of {ways} orientations")
            )
            raise ConfigError(what, example.region or len(rows), expected)
    if not any(example.weight > 0 for example in examples):
        raise ConfigError("examples", len(examples), "at least one with a weight above 0")


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
    scale /= np.abs(scale).max()  # which sums of the largest and smallest floats need
    wide = rows.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1)
    units = wide / np.where(norms > 0, norms, 1)[:, None]
    total = scale @ units
    length = np.linalg.norm(total)
    if length <= _OPPOSED * np.abs(scale).sum():
        raise ConfigError(
            "examples",
            len(rows),
            "examples that do not cancel each other out",
            f"the {len(rows)} examples cancel each other out: nothing is left to search by;"
            " remove one or change its weight",
        )
    liked = scale > 0
    norm = float(np.average(norms[liked], weights=scale[liked]))
    direction = np.asarray((total / length * norm)[None], dtype=np.float32)
    row: FloatArray = vectors.comparable(direction, metric)[0]
    return row


def refined(row: FloatArray, liked: FloatArray, disliked: FloatArray, metric: Metric) -> FloatArray:
    """A vector ``(dim,)`` moved towards the mean of ``liked``, away from that of ``disliked``.

    Each ``(n, dim)``, comparable as ``row`` is. By Rocchio's rule, on unit vectors.

    Raises:
        ConfigError: they cancel out.
    """
    rows = np.concatenate([row[None], liked, disliked])
    weights = [1.0]
    weights += [_LIKED / max(len(liked), 1)] * len(liked)
    weights += [-_DISLIKED / max(len(disliked), 1)] * len(disliked)
    return combined(rows, weights, metric)
