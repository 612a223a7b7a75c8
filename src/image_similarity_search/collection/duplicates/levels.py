"""How alike is the same, near, or similar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.collection.duplicates.candidates import Pairs
from image_similarity_search.collection.duplicates.colours import same_colours
from image_similarity_search.collection.duplicates.grouping import Edge
from image_similarity_search.collection.duplicates.likeness import (
    cut_likeness,
    is_plain,
    largest_difference,
    oriented_likeness,
)
from image_similarity_search.collection.duplicates.signatures import Signatures
from image_similarity_search.duplicates import DUPLICATE_LEVELS, DuplicateLevel
from image_similarity_search.errors import ConfigError
from image_similarity_search.types import FloatArray, IdArray, PixelArray, checked_number

# Measured by benchmarks/duplicates.py with the bundled encoder; see docs/duplicates.md.
SAME_LIKENESS = 0.97
NEAR_LIKENESS = 0.93
SIMILAR_SCORE = 0.75
_SAME_SPOTS = 8.0  # grey levels by which the most different spot of the two may differ
_PLAIN_SPOTS = 6  # the same of two that show next to nothing: beyond is another colour, or a speck
_CANDIDATE_DISTANCE = 0.55  # of embeddings; farther ones are no copies, or are found by pixels
_CUT_DISTANCE = 0.33  # the same, of one that shows a part of the other
_AT_ONCE = 4096  # pairs


@dataclass(frozen=True, slots=True)
class Levels:
    """What counts as a duplicate.

    Attributes:
        level: the least alike that still counts.
        likeness: of pixels, for ``near``.
        score: of embeddings, for ``similar``.
    """

    level: DuplicateLevel = "near"
    likeness: float = NEAR_LIKENESS
    score: float = SIMILAR_SCORE

    def __post_init__(self) -> None:
        """Check the values."""
        if self.level not in DUPLICATE_LEVELS:
            raise ConfigError("level", self.level, f"one of {', '.join(DUPLICATE_LEVELS)}")
        for name in ("likeness", "score"):
            value = checked_number(name, getattr(self, name), 0.5, 1, "a number from 0.5 to 1")
            object.__setattr__(self, name, value)

    @property
    def distance(self) -> float:
        """The largest distance of embeddings, by cosine, that is worth a look at the pixels."""
        if self.level == "similar":
            return max(_CANDIDATE_DISTANCE, self._similar)
        return _CANDIDATE_DISTANCE

    @property
    def _similar(self) -> float:
        return 1 / self.score - 1

    def edges(self, pairs: Pairs, seen: Signatures) -> Iterator[tuple[int, int, Edge]]:
        """The pairs that are alike, and how; a few thousand at a time."""
        wanted = DUPLICATE_LEVELS.index(self.level)
        for start in range(0, len(pairs.ids), _AT_ONCE):
            part = pairs.where(slice(start, start + _AT_ONCE))
            for number, edge in self._edges(part, seen):
                if DUPLICATE_LEVELS.index(edge.level) <= wanted:
                    one, other = part.ids[number].tolist()
                    yield one, other, edge

    def told_apart(self, edge: Edge) -> Edge | None:
        """How two images are alike that seemed to be copies, but differ in detail: no copies."""
        if self.level != "similar" or edge.distance > self._similar:
            return None
        return Edge("similar", edge.distance, None, "other details")

    def beside_pixels(self, edge: Edge, difference: str) -> Edge | None:
        """An edge between files that differ in more than pixels: then no more than near."""
        if edge.level != "same" or not difference:
            return edge
        return None if self.level == "same" else edge._replace(level="near", change=difference)

    def _edges(self, pairs: Pairs, seen: Signatures) -> Iterator[tuple[int, Edge]]:
        """Those of a few pairs that are alike, by their position."""
        rows = [[seen.rows.get(id_, -1) for id_ in pair] for pair in pairs.ids.tolist()]
        left, right = np.array(rows, dtype=np.int64).reshape(-1, 2).T
        both = np.flatnonzero((left >= 0) & (right >= 0))
        left, right = left[both], right[both]
        near = pairs.distances[both] <= _CUT_DISTANCE
        values, changes = oriented_likeness(seen.grey[left], seen.grey[right])
        plain = is_plain(seen.grey[left]) | is_plain(seen.grey[right])
        cuts = self._cuts(seen, left, right, ~plain & (values < self.likeness) & near)
        worth = plain | (values >= min(self.likeness, SAME_LIKENESS)) | (cuts >= self.likeness)
        by_pixels: dict[int, Edge | None] = {}
        for at in np.flatnonzero(worth):
            rows_of = [int(left[at]), int(right[at])]
            looks = seen.grey[rows_of], seen.colours[rows_of]
            distance = float(pairs.distances[both[at]])
            value, change = float(values[at]), changes[at]
            edge = self._by_pixels(distance, value, change, float(cuts[at]), *looks)
            by_pixels[int(both[at])] = edge and self._on_any_ground(edge, seen, rows_of)
        for number, distance in enumerate(pairs.distances.tolist()):
            edge = by_pixels.get(number)
            if edge is None and distance <= self._similar:
                edge = Edge("similar", distance, None, "")
            if edge:
                yield number, edge

    @staticmethod
    def _cuts(
        seen: Signatures, left: IdArray, right: IdArray, where: NDArray[np.bool_]
    ) -> FloatArray:
        """The likeness of pairs of rows where one is cut; -1 for those that are not looked at."""
        cuts = np.full(len(left), -1, dtype=np.float32)
        if where.any():
            rows, pairs = np.unique(np.stack([left[where], right[where]]), return_inverse=True)
            cuts[where] = cut_likeness(seen.grey[rows], pairs.reshape(2, -1).T)
        return cuts

    def _by_pixels(
        self,
        distance: float,
        value: float,
        change: str,
        cut: float,
        grey: PixelArray,
        colours: PixelArray,
    ) -> Edge | None:
        """How two images are alike by their signatures, and by their likeness, whole and cut."""
        plain = is_plain(grey)
        if plain.any():
            same = plain.all() and max(_most_apart(grey), _most_apart(colours)) <= _PLAIN_SPOTS
            return Edge("same", distance, 1.0, "") if same else None
        if (
            value >= SAME_LIKENESS
            and not change
            and same_colours(colours)
            and largest_difference(*grey) <= _SAME_SPOTS
        ):
            return Edge("same", distance, value, "")
        if value < self.likeness:
            value, change = (cut, "cut") if cut > value else (value, change)
        return Edge("near", distance, value, change) if value >= self.likeness else None

    def _on_any_ground(self, edge: Edge, seen: Signatures, rows: list[int]) -> Edge | None:
        """How two images are alike that are so over white, where they are not opaque.

        What is white and lies on nothing is not seen over white. A picture that is opaque is at
        best a changed copy of one that is not: it was put over white.
        """
        transparent = [row in seen.alpha for row in rows]
        if not any(transparent):
            return edge
        grey, colours = seen.over_black(rows)
        (value,), (change,) = oriented_likeness(grey[:1], grey[1:])
        close = edge.distance <= _CUT_DISTANCE
        cut = float(cut_likeness(grey, np.array([[0, 1]]))[0]) if close else -1.0
        other = self._by_pixels(edge.distance, float(value), change, cut, grey, colours)
        if other:
            return max(edge, other, key=_unlikeness)
        seen_at_all = not all(transparent) and not is_plain(seen.grey[rows]).any()
        is_near = seen_at_all and (edge.likeness or 0) >= self.likeness
        return edge._replace(level="near") if is_near else None


def _unlikeness(edge: Edge) -> tuple[int, float]:
    return DUPLICATE_LEVELS.index(edge.level), -(edge.likeness or 0)


def _most_apart(pixels: PixelArray) -> int:
    """By how much two rows of pixels differ, where they do most."""
    return int(np.abs(pixels[0].astype(int) - pixels[1]).max())
