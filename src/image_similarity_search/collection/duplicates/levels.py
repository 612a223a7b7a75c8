"""How alike is the same, near, or similar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from image_similarity_search.collection.duplicates.grouping import Edge
from image_similarity_search.collection.duplicates.likeness import is_plain, likeness
from image_similarity_search.collection.duplicates.signatures import Signatures
from image_similarity_search.duplicates import DUPLICATE_LEVELS, DuplicateLevel
from image_similarity_search.errors import ConfigError

# Measured by benchmarks/duplicates.py with the bundled encoder; see docs/duplicates.md.
SAME_LIKENESS = 0.97
NEAR_LIKENESS = 0.93
SIMILAR_SCORE = 0.8
_SAME_COLOURS = 10.0  # levels between the colours of a picture and its copy, on average
_CANDIDATE_DISTANCE = 0.4  # of embeddings; farther ones are no copies, or are found by pixels
_CUT_DISTANCE = 0.35  # the same, of one that shows a part of the other


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
        for name, least in (("likeness", 0.5), ("score", 0.5)):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not least <= value <= 1:
                raise ConfigError(name, value, f"a number from {least} to 1")

    @property
    def distance(self) -> float:
        """The largest distance of embeddings, by cosine, that is worth a look at the pixels."""
        if self.level == "similar":
            return max(_CANDIDATE_DISTANCE, self._similar)
        return _CANDIDATE_DISTANCE

    @property
    def _similar(self) -> float:
        return 1 / self.score - 1

    def edge(self, one: int, other: int, distance: float, seen: Signatures) -> Edge | None:
        """How two images are alike, at this distance of their embeddings; None when they aren't."""
        edge = self._by_pixels(one, other, distance, seen)
        if edge is None and distance <= self._similar:
            edge = Edge("similar", distance, None, "")
        wanted = DUPLICATE_LEVELS.index(self.level)
        return edge if edge and DUPLICATE_LEVELS.index(edge.level) <= wanted else None

    def _by_pixels(self, one: int, other: int, distance: float, seen: Signatures) -> Edge | None:
        if one not in seen.rows or other not in seen.rows:
            return None
        left, right = seen.rows[one], seen.rows[other]
        grey, (here, there) = seen.grey, seen.colours[[left, right]].astype(int)
        close = np.abs(here - there).mean() <= _SAME_COLOURS
        plain = is_plain(grey[left]), is_plain(grey[right])
        if any(plain):
            return Edge("same", distance, 1.0, "") if all(plain) and close else None
        found = likeness(grey[left], grey[right], cut=distance <= _CUT_DISTANCE)
        if found.value >= SAME_LIKENESS and not found.change and close:
            return Edge("same", distance, found.value, "")
        if found.value >= self.likeness:
            return Edge("near", distance, found.value, found.change)
        return None
