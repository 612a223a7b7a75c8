"""Which images are compared with which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from image_similarity_search.collection.duplicates.candidates import Pairs
from image_similarity_search.types import IdArray


@dataclass(frozen=True, slots=True)
class Scope:
    """Which images are compared.

    Attributes:
        ids: all of them, in order.
        references: those that always stay, and are not compared with one another.
        sides: where only pairs across count, the ids on each side, and none on both.
    """

    ids: IdArray
    references: frozenset[int] = frozenset()
    sides: tuple[frozenset[int], frozenset[int]] | None = None


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents of the files in a scope, each known by the first of the images that have it.

    Attributes:
        scope: which images are compared.
        copies: the images, two or more, of each content that several have.
    """

    scope: Scope
    copies: Mapping[int, list[int]] = field(default_factory=dict)

    def members(self, content: int) -> list[int]:
        """The images that have a content."""
        return self.copies.get(content, [content])

    def all(self) -> IdArray:
        """Every content."""
        others = [id_ for ids in self.copies.values() for id_ in ids[1:]]
        return np.setdiff1d(self.scope.ids, np.array(others, dtype=np.int64))

    def to_compare(self) -> tuple[IdArray, IdArray]:
        """Contents to look for, and those to look among: the shorter side, and the other."""
        contents = self.all()
        if self.scope.sides:
            sides = [self._touching(contents, side) for side in self.scope.sides]
            sides.sort(key=len)
            return sides[0], sides[1]
        if self.scope.references:
            fixed = self._touching(contents, self.scope.references)
            return np.setdiff1d(contents, fixed), contents
        return contents, contents

    def that_count(self, pairs: Pairs) -> Pairs:
        """Those pairs of contents of which it is of interest that they are alike."""
        if not self.scope.sides and not self.scope.references:
            return pairs
        counts = [self._counts(one, other) for one, other in pairs.ids.tolist()]
        return pairs.where(np.array(counts, dtype=bool))

    def _counts(self, one: int, other: int) -> bool:
        here, there = self.members(one), self.members(other)
        if self.scope.sides:
            left, right = self.scope.sides
            return any(
                not left.isdisjoint(a) and not right.isdisjoint(b)
                for a, b in ((here, there), (there, here))
            )
        return self.scope.references.isdisjoint(here) or self.scope.references.isdisjoint(there)

    def _touching(self, contents: IdArray, images: frozenset[int]) -> IdArray:
        of_some = [one for one in contents.tolist() if not images.isdisjoint(self.members(one))]
        return np.array(of_some, dtype=np.int64)
