"""What is grouped: images of the same bytes, as one.

Where two sides are compared, those of each side are one: a file is told beside those on the other
side, and never beside those on its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from image_similarity_search.collection.duplicates.grouping import Edge, Edges
from image_similarity_search.collection.duplicates.scope import Scope
from image_similarity_search.types import ImageRecord

SAME_BYTES = Edge("exact", 0.0, 1.0, "")

Members = Mapping[int, list[ImageRecord]]
"""Images of the same bytes by a number of theirs, the best first."""


@dataclass(frozen=True, slots=True)
class Nodes:
    """What is grouped, each by a number of its own.

    Attributes:
        members: the images of each.
        content: the content that these have.
        edges: which are alike, both ways.
    """

    members: Members
    content: Mapping[int, int]
    edges: Edges


def nodes_of(scope: Scope, members: Members, edges: Edges, apart: Collection[int]) -> Nodes:
    """The nodes of contents.

    Args:
        scope: which images are compared.
        members: the images of each content.
        edges: which contents are alike.
        apart: contents of which no two files are duplicates.
    """
    if scope.sides is None:
        shown = {one: some[:1] if one in apart else some for one, some in members.items()}
        return Nodes(shown, {one: one for one in shown}, edges)
    left, right = (_on(side, members, apart) for side in scope.sides)
    both = [(one, some) for side in (left, right) for one, some in side.items()]
    across: dict[int, dict[int, Edge]] = {some[0].id: {} for _, some in both}
    for one, some in left.items():
        here, around = some[0].id, edges.get(one, {})
        for other, edge in (around if one in apart else {one: SAME_BYTES, **around}).items():
            if other in right:
                there = right[other][0].id
                across[here][there] = across[there][here] = edge
    shown = {some[0].id: some for _, some in both}
    return Nodes(shown, {some[0].id: one for one, some in both}, across)


def _on(side: Collection[int], members: Members, apart: Collection[int]) -> Members:
    """The images of contents on one side."""
    found = {one: [image for image in some if image.id in side] for one, some in members.items()}
    return {one: some[:1] if one in apart else some for one, some in found.items() if some}
