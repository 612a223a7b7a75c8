"""Figures of ranks that were worked out by hand, and their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from image_similarity_search.collection.evaluation.figures import figures_of
from image_similarity_search.collection.evaluation.intervals import Values, estimates
from image_similarity_search.evaluation import Estimate


@pytest.mark.parametrize(
    ("ranks", "right", "expected"),
    [
        # average precision: (1/1 + 2/3 + 3/6) / 3
        ([1, 3, 6], 3, {"mAP": 13 / 18, "P@1": 1, "P@5": 2 / 5, "R@1": 1 / 3, "R@5": 2 / 3}),
        ([1, 2, 3], 3, {"mAP": 1, "P@1": 1, "P@5": 3 / 5, "R@1": 1 / 3, "R@5": 1, "N-S": 4}),
        ([2], 1, {"mAP": 0.5, "P@1": 0, "P@5": 1 / 5, "R@1": 0, "R@5": 1, "N-S": 2}),
        # one of three was not found within the depth: it counts as nothing
        ([2, 4], 3, {"mAP": (1 / 2 + 2 / 4) / 3, "R@5": 2 / 3, "N-S": 2}),
        ([], 2, {"mAP": 0, "P@1": 0, "R@5": 0, "N-S": 1}),
        ([4], 1, {"mAP": 0.25, "N-S": 1}),
    ],
)
def test_figures_as_worked_out_by_hand(
    ranks: list[int], right: int, expected: dict[str, float]
) -> None:
    found = figures_of(np.array(ranks, dtype=np.int64), right, (1, 5))
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_an_interval_is_as_wide_as_that_of_the_mean_of_the_groups() -> None:
    rng = np.random.default_rng(1)
    of_group = rng.normal(0.5, 0.1, 400)
    values, groups = np.repeat(of_group, 5)[:, None], np.repeat(np.arange(400), 5)
    (found,) = estimates(values, groups)
    assert found.value == pytest.approx(of_group.mean())
    assert found.low is not None
    assert found.high is not None
    # 1.96 standard errors of 400 independent values; those of 2,000 would be less than half
    half = 1.96 * of_group.std() / 20
    assert found.high - found.low == pytest.approx(2 * half, rel=0.1)
    assert found.low < found.value < found.high


def test_an_interval_of_large_and_small_groups_holds_the_mean_over_all() -> None:
    values = np.array([[1.0]] * 9 + [[0.0]])
    (found,) = estimates(values, np.array([0] * 9 + [1]))
    assert found == Estimate(0.9, 0.0, 1.0)


def test_an_interval_of_a_difference_is_the_narrower_the_more_the_two_miss_the_same() -> None:
    """Against what docs/evaluate.md said once, it can be wider than those of the two figures."""
    groups = np.arange(200)
    drawn = [np.random.default_rng(seed).random((200, 1)) for seed in (1, 2)]
    misses, others = (np.where(values < 0.1, 1.0, 0.0) for values in drawn)
    first, alike, unlike = 1.0 - misses, 0.9 - misses, 1.0 - others

    def width(values: Values) -> float:
        (found,) = estimates(values, groups)
        assert found.low is not None
        assert found.high is not None
        return found.high - found.low

    apart = np.hypot(width(first), width(unlike))
    assert width(alike - first) == pytest.approx(0, abs=1e-9)
    assert width(unlike - first) == pytest.approx(apart, rel=0.15)
    assert width(unlike - first) > max(width(first), width(unlike))


def test_one_group_has_no_interval() -> None:
    assert estimates(np.array([[0.5], [1.0]]), np.array([3, 3])) == [Estimate(0.75)]
