"""From pairs that are alike to what goes for the sake of what, and what else is to be told.

The most alike come first. What stays for the sake of another is never to go for a third, and what
goes goes for what stays: nothing is chained. Whatever has one that is like it is told, all the
same: where nothing of the two can go, as a pair of which nothing goes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from image_similarity_search.duplicates import DUPLICATE_LEVELS, DuplicateLevel


class Edge(NamedTuple):
    """How two contents are alike; ``likeness`` of their pixels is None where it did not count."""

    level: DuplicateLevel
    distance: float
    likeness: float | None
    change: str


Edges = Mapping[int, Mapping[int, Edge]]
"""For each content, by a number of its own, those like it; both ways."""


class Told(NamedTuple):
    """A content that stays, and one that is like it; whether that one goes for its sake."""

    keep: int
    other: int
    goes: bool


Order = Callable[[int], tuple[Any, ...]]
"""What to sort contents by, so that the best come first; no two are equal."""


def at_level(
    level: DuplicateLevel,
    nodes: Iterable[int],
    edges: Edges,
    order: Order,
    *,
    busy: Collection[int] = (),
    gone: Collection[int] = (),
) -> Iterator[Told]:
    """What goes at one level, and what else is so like something.

    The best is the first to stay. What is like it goes, for the one of those that stay and are
    better that it is most like.

    Args:
        level: the level; it is the turn of each after those that are more alike.
        nodes: all contents.
        edges: which are alike.
        order: what to sort by, so that the best come first; no two are equal.
        busy: contents that stay for the sake of others.
        gone: contents that go; others are told beside them.
    """
    place = {one: number for number, one in enumerate(sorted(nodes, key=order))}
    around = {one: _at(level, edges.get(one, {})) for one in place if one not in gone}
    around = {one: some for one, some in around.items() if some}
    going: set[int] = set()
    for keep, some in around.items():
        if keep not in going:
            worse = [other for other in some if other in around and place[other] > place[keep]]
            going.update(other for other in worse if other not in busy)
    told: set[int] = set()
    for one, some in around.items():
        if one in going:
            stay = (other for other in some if other in around and other not in going)
            keep = _most_like(some, (other for other in stay if place[other] < place[one]), place)
            told.update((keep, one))
            yield Told(keep, one, True)
    left = (one for one in around if one not in told)
    yield from _beside(left, around, place, going)


def by_pairs(
    nodes: Iterable[int],
    edges: Edges,
    order: Order,
    levels: Collection[DuplicateLevel],
    *,
    gone: Collection[int] = (),
) -> Iterator[Told]:
    """The most alike pairs first, so that each content is told with the one that it is most like.

    Fewer go so than by levels: it is for two sides, of which is asked what is on both. The
    arguments are those of ``at_level``.
    """
    place = {one: number for number, one in enumerate(sorted(nodes, key=order))}
    pairs = sorted(
        (*unlikeness(edge), place[one], place[other], one, other)
        for one, around in edges.items()
        for other, edge in around.items()
        if edge.level in levels and place[one] < place[other]
    )
    left_out, stay = set(gone), set[int]()
    for *_, better, worse in pairs:
        known = [one in left_out or one in stay for one in (better, worse)]
        if all(known):
            continue
        goes = not known[1] and better not in left_out
        keep, other = (worse, better) if better in left_out else (better, worse)
        stay.add(keep)
        if goes:
            left_out.add(other)
        yield Told(keep, other, goes)


def alike_parts(nodes: Iterable[int], alike: Callable[[int, int], bool]) -> list[list[int]]:
    """``nodes`` in parts, within each of which every two are alike."""
    parts: list[list[int]] = []
    for node in nodes:
        home = next((part for part in parts if all(alike(node, one) for one in part)), None)
        if home is None:
            parts.append([node])
        else:
            home.append(node)
    return parts


def _beside(
    left: Iterable[int],
    around: Mapping[int, Mapping[int, Edge]],
    place: Mapping[int, int],
    going: Collection[int],
) -> Iterator[Told]:
    """What is left, each with what it is most like; of two that stay the better one first."""
    pairs: dict[tuple[int, int], None] = {}
    for one in left:
        other = _most_like(around[one], around[one], place)
        stays = other in around and other not in going
        pairs[(other, one) if stays and place[other] < place[one] else (one, other)] = None
    yield from (Told(*pair, goes=False) for pair in pairs)


def _at(level: DuplicateLevel, around: Mapping[int, Edge]) -> dict[int, Edge]:
    return {other: edge for other, edge in around.items() if edge.level == level}


def _most_like(around: Mapping[int, Edge], among: Iterable[int], place: Mapping[int, int]) -> int:
    return min(among, key=lambda other: (*unlikeness(around[other]), place[other]))


def unlikeness(edge: Edge) -> tuple[int, float, float]:
    """What to sort pairs by, so that the most alike come first."""
    return DUPLICATE_LEVELS.index(edge.level), -(edge.likeness or 0.0), edge.distance
