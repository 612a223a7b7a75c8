"""The plain values in which the quality of searches is told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from image_similarity_search.types import ImageRecord

Truth: TypeAlias = "str | os.PathLike[str] | Mapping[Any, object]"
"""Which images belong together: ``folders``, ``folder-names``, ``column:NAME``, a file of paths and
groups, or a mapping from paths or ids to groups, which are numbers or text. (A ``Mapping`` of only
such keys would refuse a ``dict`` of paths alone.)"""


_MISLABELLED = 0.6  # by benchmarks/mislabelled.py: at 0.5 and at 0.7 a little less is right


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, and the interval in which it lies in 19 of 20 cases.

    ``low`` and ``high`` are None where a single group says nothing of how figures vary.
    """

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class QueryQuality:
    """What came of searching by one image.

    Attributes:
        image: the image; it is not among its own answers.
        group: what it belongs to.
        right: how many others belong to it.
        first: the rank of the first of them, from 1; None where none was found.
        figures: its part in each figure of the report, by name.
        looks_like: the group that is nearest to it, by the two nearest images of each, or one in
            small groups; None where none is nearer than what has nothing to do with it.
        fit: how near its own group is, as a share of that: 1.0 where its own is the nearest, 0.0
            where that is no nearer than what has nothing to do with it.
    """

    image: ImageRecord
    group: str
    right: int
    first: int | None
    figures: dict[str, float]
    looks_like: str | None
    fit: float

    @property
    def mislabelled(self) -> bool:
        """Whether it may be in the wrong group: another is clearly nearer, the fit below 0.6."""
        return self.looks_like is not None and self.fit < _MISLABELLED


@dataclass(frozen=True, slots=True)
class GroupQuality:
    """The mean of each figure over the queries of one group, which has so many ``images``."""

    name: str
    images: int
    queries: int
    figures: dict[str, float]


@dataclass(slots=True)
class EvaluationReport:
    """How well searches find what belongs together.

    Attributes:
        figures: by name: ``mAP``, ``P@k`` and ``R@k`` for each ``k``, and ``N-S`` where each
            group has four images; means over queries. ``mAP of groups`` is the mean over groups.
        groups: those with two images or more, by name.
        sizes: how many images each group has, also those of one, by name.
        queries: one for each image that was searched by, in order of id.
        images: how many were searched among.
        ungrouped: how many of these belong to no group, and are never right.
        missing: paths of the truth that are not among these images.
        gone: how many images were removed before they could be searched by; none of the queries.
        group_of: the group of each image that has one, by its id.
        depth: how many hits were looked at; None: all images, ranked exactly.
        seconds: wall time.
    """

    figures: dict[str, Estimate] = field(default_factory=dict)
    groups: list[GroupQuality] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    queries: list[QueryQuality] = field(default_factory=list)
    images: int = 0
    ungrouped: int = 0
    missing: list[str] = field(default_factory=list)
    gone: int = 0
    group_of: dict[int, str] = field(default_factory=dict)
    depth: int | None = None
    seconds: float = 0.0

    def mislabelled(self) -> list[QueryQuality]:
        """Those that may be in the wrong group, those that fit it the least first."""
        found = [query for query in self.queries if query.mislabelled]
        return sorted(found, key=lambda one: (one.fit, one.figures["mAP"], one.image.id))

    def worst_queries(self, count: int) -> list[QueryQuality]:
        """Those of the lowest average precision, the lowest first; equals by id."""
        return sorted(self.queries, key=lambda one: (one.figures["mAP"], one.image.id))[:count]

    def worst_groups(self, count: int) -> list[GroupQuality]:
        """Those of the lowest mean average precision, the lowest first; equals by name."""
        return sorted(self.groups, key=lambda one: (one.figures["mAP"], one.name))[:count]


@dataclass(frozen=True, slots=True)
class FigureComparison:
    """A figure of two reports, by the queries that both have.

    ``difference`` is the second less the first, with its own interval: the queries are the same,
    so the more both find and miss the same, the narrower it is.
    """

    first: float
    second: float
    difference: Estimate

    @property
    def differs(self) -> bool:
        """Whether the interval of the difference leaves out zero."""
        low, high = self.difference.low, self.difference.high
        return low is not None and high is not None and (low > 0 or high < 0)


@dataclass(frozen=True, slots=True)
class EvaluationComparison:
    """Two evaluations side by side, by ``queries`` images that both searched by."""

    figures: dict[str, FigureComparison]
    queries: int
    groups: int
