"""Groups of what is told, and what is said of each image in them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from image_similarity_search.collection.duplicates.checks import is_same_file
from image_similarity_search.collection.duplicates.grouping import (
    Edge,
    Edges,
    Told,
    alike_parts,
    unlikeness,
)
from image_similarity_search.collection.duplicates.losses import lost_with
from image_similarity_search.collection.duplicates.nodes import SAME_BYTES, Nodes
from image_similarity_search.collection.duplicates.ordering import (
    NO_RANK,
    Order,
    Rank,
    Ranks,
    is_sharper,
    order,
    reason,
)
from image_similarity_search.collection.duplicates.scope import Scope
from image_similarity_search.collection.duplicates.sidecars import Sidecars
from image_similarity_search.duplicates import (
    GOES_ELSEWHERE,
    NO_COLOURS,
    NO_HOLDINGS,
    Duplicate,
    DuplicateGroup,
    Holdings,
)
from image_similarity_search.types import ImageRecord


class _Beside(NamedTuple):
    """An image that is like the one that stays, of its node or of another."""

    node: int
    image: ImageRecord
    edge: Edge


def copies_of(edges: Edges) -> Edges:
    """Those between copies, without what is only similar."""
    return {
        one: {other: edge for other, edge in around.items() if edge.level != "similar"}
        for one, around in edges.items()
    }


@dataclass(frozen=True, slots=True)
class Describer:
    """Makes groups of the images of nodes, in the order of ``ranks``.

    ``holdings`` are of contents, where their files hold anything beside pixels.
    """

    scope: Scope
    nodes: Nodes
    holdings: Mapping[int, Holdings]
    sidecars: Sidecars
    ranks: Ranks

    def order_of(self, node: int) -> Order:
        """What to sort a node by, the best first."""
        return self._order(node, self.nodes.members[node][0])

    def groups(
        self,
        told: Iterable[Told],
        gone: Collection[int],
        spare: Mapping[int, list[ImageRecord]] | None = None,
    ) -> Iterator[DuplicateGroup]:
        """The groups, those of the best images first.

        Args:
            told: which nodes are told beside which.
            gone: those that go, for the sake of another one where they are told to stay.
            spare: images that go for the first of their node, where that one stays.
        """
        spare = spare or {}
        around: defaultdict[int, list[Told]] = defaultdict(list)
        for one in told:
            around[one.keep].append(one)
        staying = {*around, *spare}.difference(gone)
        for keep in sorted(staying, key=self.order_of):
            going = [one.other for one in around[keep] if one.goes]
            beside = [one.other for one in around[keep] if not one.goes]
            links = {other: self._links(keep, other) for other in going}
            yield from self._going(keep, going, spare.get(keep, []), links)
            yield from self._linked(keep, links)
            for elsewhere in (False, True):
                others = [one for one in beside if (one in gone) == elsewhere]
                yield from self._staying(keep, others, GOES_ELSEWHERE * elsewhere)
            if self.scope.sides and (others := going + beside):
                yield from self._of_each_copy(keep, others)

    def _links(self, keep: int, other: int) -> list[ImageRecord]:
        """The images of a node that are one file with what stays: they take no room."""
        if self.nodes.content[keep] != self.nodes.content[other]:
            return []
        path = self.nodes.members[keep][0].path
        return [image for image in self.nodes.members[other] if is_same_file(path, image.path)]

    def _going(
        self,
        keep: int,
        others: Iterable[int],
        spare: Iterable[ImageRecord],
        links: Mapping[int, list[ImageRecord]],
    ) -> Iterator[DuplicateGroup]:
        beside = [_Beside(keep, image, SAME_BYTES) for image in spare]
        for part in self._alike_parts(others) or [[]]:
            # in one group only, where there are several around the same image
            beside += [
                _Beside(other, image, self.nodes.edges[keep][other])
                for other in part
                for image in self.nodes.members[other]
                if image not in links[other]
            ]
            if beside:
                yield self._group(keep, self.nodes.members[keep][0], beside, goes=True)
            beside = []

    def _linked(
        self, keep: int, links: Mapping[int, list[ImageRecord]]
    ) -> Iterator[DuplicateGroup]:
        """The links of what stays, which stay, too."""
        for other, images in links.items():
            if images:
                edge = self.nodes.edges[keep][other]
                beside = [_Beside(other, image, edge) for image in images]
                yield self._group(keep, self.nodes.members[keep][0], beside)

    def _staying(self, keep: int, others: Iterable[int], why: str) -> Iterator[DuplicateGroup]:
        for part in self._alike_parts(others):
            beside = [
                _Beside(other, image, self.nodes.edges[keep][other])
                for other in part
                for image in self._shown(other)
            ]
            yield self._group(keep, self.nodes.members[keep][0], beside, why=why)

    def _of_each_copy(self, keep: int, others: Iterable[int]) -> Iterator[DuplicateGroup]:
        """The other files that have the bytes of what stays, each with what is most like it."""
        around = self.nodes.edges[keep]
        other = min(others, key=lambda one: (*unlikeness(around[one]), self.order_of(one)))
        beside = [_Beside(other, image, around[other]) for image in self._shown(other)[:1]]
        for image in self.nodes.members[keep][1:]:
            yield self._group(keep, image, beside, why=GOES_ELSEWHERE)

    def _shown(self, node: int) -> list[ImageRecord]:
        """The images of a node that stays: of those on one side all, for none is told elsewhere."""
        images = self.nodes.members[node]
        return images if self.scope.sides else images[:1]

    def _alike_parts(self, nodes: Iterable[int]) -> list[list[int]]:
        edges = self.nodes.edges
        return alike_parts(sorted(nodes, key=self.order_of), lambda a, b: b in edges[a])

    def _group(
        self,
        node: int,
        keep: ImageRecord,
        beside: list[_Beside],
        *,
        goes: bool = False,
        why: str = "",
    ) -> DuplicateGroup:
        best = self._order(node, keep)
        why = why or reason(best, min(self._order(one.node, one.image) for one in beside))
        described = [self._described(node, keep, one, why) for one in beside]
        return DuplicateGroup(
            keep, why, described, self._sharpness(node), self._holdings(node), goes
        )

    def _order(self, node: int, image: ImageRecord) -> Order:
        lone = not self.sidecars.beside(image.path)
        return order(image, self.scope.references, self._rank(node), lone=lone)

    def _rank(self, node: int) -> Rank:
        return self.ranks.by_content.get(self.nodes.content[node], NO_RANK)

    def _described(self, node: int, keep: ImageRecord, other: _Beside, why: str) -> Duplicate:
        level, distance, likeness, change = other.edge
        faded = self._rank(other.node).faded and not self._rank(node).faded
        change = ", ".join(filter(None, [change, NO_COLOURS * faded]))
        sharpness, holdings = self._sharpness(other.node), self._holdings(other.node)
        # of what goes for another that one's group tells it
        is_here = level != "similar" and why != GOES_ELSEWHERE
        lost = tuple(self._lost(node, keep, other)) if is_here else ()
        return Duplicate(
            other.image, level, 1 / (1 + distance), likeness, change, sharpness, holdings, lost
        )

    def _lost(self, node: int, keep: ImageRecord, other: _Beside) -> Iterator[str]:
        """What would be lost with an image, were it to go for the one that is kept."""
        if self.nodes.content[other.node] != self.nodes.content[node]:
            yield from lost_with(self._holdings(other.node), self._holdings(node))
            of_one_size = self._rank(other.node).size == self._rank(node).size
            if of_one_size and is_sharper(self._sharpness(other.node), self._sharpness(node)):
                yield "finer detail"
        for path in self.sidecars.only_beside(other.image.path, keep.path):
            yield f"a {os.path.splitext(path)[1].lower()} file next to it"

    def _holdings(self, node: int) -> Holdings:
        return self.holdings.get(self.nodes.content[node], NO_HOLDINGS)

    def _sharpness(self, node: int) -> float | None:
        return self.ranks.sharpness.get(self.nodes.content[node])
