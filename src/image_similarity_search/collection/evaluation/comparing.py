"""Two evaluations side by side."""

from __future__ import annotations

import numpy as np

from image_similarity_search.collection.evaluation.figures import MAP, MAP_OF_GROUPS
from image_similarity_search.collection.evaluation.intervals import Values, estimates, rounded
from image_similarity_search.errors import ConfigError
from image_similarity_search.evaluation import (
    EvaluationComparison,
    EvaluationReport,
    FigureComparison,
    QueryQuality,
)
from image_similarity_search.types import IdArray


def compare_evaluations(first: EvaluationReport, second: EvaluationReport) -> EvaluationComparison:
    """How much better ``second`` is, by the images that both searched by.

    Images are the same by path. The figures are means over these, so they are others than in the
    two reports where those searched by more.

    Raises:
        ConfigError: the two have no query in common, or put one into different groups.
    """
    by_path = {query.image.path: query for query in second.queries}
    pairs = [(one, by_path[one.image.path]) for one in first.queries if one.image.path in by_path]
    if not pairs:
        expected = "an evaluation of the same images (same paths)"
        said = "the two evaluations have no query in common (queries are matched by path)"
        raise ConfigError("second", "an evaluation", expected, said)
    for one, other in pairs:
        if one.group != other.group:
            problem = f"{one.image.path} is in {one.group!r} and in {other.group!r}"
            raise ConfigError("second", problem, "the same truth for both")
    numbers = {name: number for number, name in enumerate(sorted({one.group for one, _ in pairs}))}
    groups = np.array([numbers[one.group] for one, _ in pairs], dtype=np.int64)
    names = [name for name in pairs[0][0].figures if name in pairs[0][1].figures]
    left = _values([one for one, _ in pairs], names)
    right = _values([other for _, other in pairs], names)
    figures = _compared(names, left, right, groups)
    at = names.index(MAP)
    own = _group_means(left[:, [at]], groups), _group_means(right[:, [at]], groups)
    figures |= _compared([MAP_OF_GROUPS], *own, np.arange(len(numbers)))
    return EvaluationComparison(figures, queries=len(pairs), groups=len(numbers))


def _compared(
    names: list[str], left: Values, right: Values, groups: IdArray
) -> dict[str, FigureComparison]:
    return {
        name: FigureComparison(float(one), float(other), difference)
        for name, one, other, difference in zip(
            names,
            rounded(left.mean(axis=0)),
            rounded(right.mean(axis=0)),
            estimates(right - left, groups),
            strict=True,
        )
    }


def _values(queries: list[QueryQuality], names: list[str]) -> Values:
    return np.array([[query.figures[name] for name in names] for query in queries])


def _group_means(values: Values, groups: IdArray) -> Values:
    sums = np.zeros((int(groups.max()) + 1, values.shape[1]))
    np.add.at(sums, groups, values)
    return sums / np.bincount(groups)[:, None]
