"""What is said of why two pictures are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from image_similarity_search.types import FloatArray, Metric, Region

if TYPE_CHECKING:
    from PIL import Image

ExplainMethod = Literal["places", "occlusion"]
EXPLAIN_METHODS: tuple[ExplainMethod, ...] = get_args(ExplainMethod)

Place: TypeAlias = "tuple[int, int]"
"""A row and a column of a grid, from 0."""


@dataclass(frozen=True, slots=True)
class Match:
    """Two places, one of each picture, that are alike, and what they add to the similarity."""

    query: Place
    hit: Place
    part: float


@dataclass(frozen=True, slots=True, eq=False)  # of arrays nothing says whether they are equal
class Compared:
    """How alike two views are, and which places of each count for it.

    Attributes:
        method: ``places``: each number is what a place adds to the similarity, and together they
            are it. ``occlusion``: each is by how much the similarity falls when the place is
            covered; below 0 where it grows.
        metric: of the collection.
        similarity: the cosine or inner product, where that is the metric; else the score.
        distance: in the collection's metric.
        score: as a search gives it.
        query: the numbers of one picture, ``(rows, columns)`` float32, the first row uppermost.
        hit: those of the other.
        matches: places that are alike, those first that add most; with ``places`` only.
    """

    method: ExplainMethod
    metric: Metric
    similarity: float
    distance: float
    score: float
    query: FloatArray
    hit: FloatArray
    matches: tuple[Match, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture of an explanation: upright, perhaps made smaller, and the part that counts.

    The encoder sees nothing beyond ``part``: the grid of numbers lies on that.
    """

    picture: Image.Image
    part: Region


@dataclass(frozen=True, slots=True, eq=False)  # nor of this
class Explanation:
    """Why two pictures are alike."""

    compared: Compared
    query: Seen
    hit: Seen

    def draw(self) -> Image.Image:
        """Both pictures side by side, an RGB image: what counts is bright, matches have numbers."""
        from image_similarity_search.collection.explaining.drawing import drawn

        return drawn(self)
