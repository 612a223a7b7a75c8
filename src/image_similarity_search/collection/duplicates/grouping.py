"""From pairs that are alike to groups: one content to keep, and others that are each like it.

The best is the first to choose: it stays, and takes what is like it. So everything that is
suggested to go is like something that stays, and is in one group only. Those that are like the
one that stays, but not like one another, are in groups of their own with it: nothing is chained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from image_similarity_search.duplicates import DuplicateLevel


class Edge(NamedTuple):
    """How two contents are alike; ``likeness`` of their pixels is None where it did not count."""

    level: DuplicateLevel
    distance: float
    likeness: float | None
    change: str


Edges = Mapping[int, Mapping[int, Edge]]
"""For each content, by a number of its own, those like it; both ways."""


def stars(
    nodes: Iterable[int], edges: Edges, order: Callable[[int], tuple[Any, ...]]
) -> Iterator[tuple[int, list[int]]]:
    """The contents that stay, each with some to go: alike, and like the one that stays.

    Args:
        nodes: all contents; of one that is like no other the list is empty.
        edges: which are alike.
        order: what to sort by, so that the best come first; no two are equal.
    """
    gone: set[int] = set()
    for keep in sorted(nodes, key=order):
        if keep in gone:
            continue
        # a better one that is like it would have taken it, so these are all worse
        like = sorted((other for other in edges.get(keep, {}) if other not in gone), key=order)
        gone.update(like)
        for part in _alike_parts(like, edges) or [[]]:
            yield keep, part


def _alike_parts(nodes: list[int], edges: Edges) -> list[list[int]]:
    """``nodes`` in parts, within each of which every two are alike."""
    parts: list[list[int]] = []
    for node in nodes:
        around = edges.get(node, {})
        home = next((part for part in parts if all(one in around for one in part)), None)
        if home is None:
            parts.append([node])
        else:
            home.append(node)
    return parts
