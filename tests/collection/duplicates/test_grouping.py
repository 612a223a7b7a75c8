"""Groups in which nothing is chained."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from image_similarity_search.collection.duplicates.grouping import Edge, stars

_EDGE = Edge("near", 0.1, 0.95, "")


def _both_ways(pairs: list[tuple[int, int]]) -> dict[int, dict[int, Edge]]:
    edges: dict[int, dict[int, Edge]] = {}
    for one, other in pairs:
        edges.setdefault(one, {})[other] = edges.setdefault(other, {})[one] = _EDGE
    return edges


def _stars(pairs: list[tuple[int, int]]) -> list[tuple[int, list[int]]]:
    """Of five contents, the lowest the best."""
    return [star for star in stars(range(5), _both_ways(pairs), lambda one: (one,)) if star[1]]


def test_a_chain_is_cut() -> None:
    assert _stars([(0, 1), (1, 2)]) == [(0, [1])]
    assert _stars([(0, 1), (1, 2), (2, 3)]) == [(0, [1]), (2, [3])]


def test_those_alike_to_the_best_but_not_to_each_other_are_groups_of_their_own() -> None:
    assert _stars([(0, 1), (0, 2)]) == [(0, [1]), (0, [2])]
    assert _stars([(0, 1), (0, 2), (1, 2), (0, 3), (1, 3)]) == [(0, [1, 2]), (0, [3])]


_pairs = st.lists(st.sampled_from(list(combinations(range(12), 2))), unique=True)


@given(_pairs)
def test_what_goes_is_like_what_stays_and_like_all_that_goes_with_it(
    pairs: list[tuple[int, int]],
) -> None:
    found = list(stars(range(12), _both_ways(pairs), lambda one: (-one % 5, one)))
    kept, gone = {keep for keep, _ in found}, [one for _, others in found for one in others]
    assert kept.isdisjoint(gone)
    assert len(gone) == len(set(gone))
    assert kept | set(gone) == set(range(12))
    known = {frozenset(pair) for pair in pairs}
    for keep, others in found:
        assert all(frozenset(pair) in known for pair in combinations([keep, *others], 2))
    # two that both stay are not alike, or the worse one would have gone
    assert not [pair for pair in combinations(sorted(kept), 2) if frozenset(pair) in known]
