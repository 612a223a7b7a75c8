"""Rankings by an image and what it looks like, beside a plain version that sorts everything."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from image_similarity_search.collection.evaluation import ranks
from image_similarity_search.collection.evaluation.fitting import fit_of

_FEW = st.sampled_from([0.0, -0.0, 0.25, 0.5, 0.75, 1.0, -1.0, float("inf")])  # many are equal
_ANY = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.just(float("inf"))
_GROUPS = 4


@st.composite
def _cases(draw: st.DrawFn) -> tuple[list[float], list[int], int]:
    """Distances to all images, the group of each or -1, and which of them is the query.

    Infinity is the distance of an image that was removed meanwhile.
    """
    numbers = draw(st.sampled_from([_FEW, _ANY]))
    groups = draw(st.lists(st.integers(-1, _GROUPS - 1), min_size=2, max_size=40))
    far = draw(st.lists(numbers, min_size=len(groups), max_size=len(groups)))
    own = draw(st.integers(0, len(groups) - 1))
    groups[own] = groups[own - 1] = max(0, groups[own])  # the query has another of its group
    return far, groups, own


def _plain(
    far: list[float], groups: list[int], own: int
) -> tuple[list[int], float, int | None, float]:
    """The order of the others, the reach, what the query looks like, and its fit, the slow way."""
    order = sorted((i for i in range(len(far)) if i != own), key=lambda i: (far[i], i))
    reach = float(np.median([far[i] for i in order]))
    count = 1 if groups.count(groups[own]) < 4 else 2
    nearness: dict[int, list[float]] = {}
    for i in order:
        if groups[i] >= 0 and far[i] < reach:
            nearness.setdefault(groups[i], []).append(reach - far[i])
    sums = {group: sum(near[:count]) for group, near in sorted(nearness.items())}
    if not sums:
        return order, reach, None, 0.0
    of_own, best = sums.get(groups[own], 0.0), max(sums.values())
    if of_own == best:
        return order, reach, groups[own], 1.0
    return order, reach, max(sums, key=sums.__getitem__), of_own / best


@settings(max_examples=300, deadline=None)
@given(case=_cases())
@example(case=([0.0, 0.5, -0.0, 0.5], [0, 0, 1, 1], 0))
@example(case=([1.0, float("inf"), float("inf")], [0, 0, -1], 0))
@example(case=([0.5, 0.5, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0], [0, 1, 2, 0, 0, 0, 0, 0], 7))
def test_a_ranking_and_a_fit_are_those_of_sorting_everything(
    case: tuple[list[float], list[int], int],
) -> None:
    far, groups, own = case
    row = np.array(far, dtype=np.float32)
    order, reach, looks_like, fit = _plain(row.tolist(), groups, own)
    found = ranks._ranked(7, own, row)
    assert (found.id, found.places.tolist()) == (7, order)
    assert found.far.tolist() == [far[i] for i in order]
    assert found.reach == reach
    numbers = np.array(groups)
    right = groups.count(groups[own]) - 1
    ordered = numbers[found.places]
    assert fit_of(found.far, ordered, groups[own], right, found.reach, _GROUPS) == (looks_like, fit)


def test_equal_distances_among_many_are_in_order_of_id() -> None:
    rng = np.random.default_rng(0)
    row = rng.integers(-500, 500, 100_000).astype(np.float32) / np.float32(7)
    assert np.array_equal(ranks._order(row), np.argsort(row, kind="stable"))
