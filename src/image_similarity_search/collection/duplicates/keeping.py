"""Which of the images that are alike is the one to keep, and what is to be said of the others.

Copies come first. Then only those images that stay are grouped by what is similar: so a copy can
go whatever else looks like it, and nothing is to go because it looks alike.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import NamedTuple

from image_similarity_search.collection.duplicates.checks import is_same_file
from image_similarity_search.collection.duplicates.dismissals import Dismissals
from image_similarity_search.collection.duplicates.grouping import Edge, Edges, stars
from image_similarity_search.collection.duplicates.losses import lost_with
from image_similarity_search.collection.duplicates.ordering import (
    NO_RANK,
    Measure,
    Order,
    Rank,
    Ranks,
    is_sharper,
    order,
    ranked,
    reason,
)
from image_similarity_search.collection.duplicates.scope import Contents, Scope
from image_similarity_search.collection.duplicates.sidecars import Sidecars
from image_similarity_search.duplicates import (
    DUPLICATE_LEVELS,
    NO_COLOURS,
    NO_HOLDINGS,
    Duplicate,
    DuplicateGroup,
    DuplicateReport,
    Holdings,
)
from image_similarity_search.types import ImageRecord

_SAME_BYTES = Edge("exact", 0.0, 1.0, "")


class Looks(NamedTuple):
    """What is known of contents from looking at a file of each; what is not known is left out.

    Attributes:
        colours: how colourful they are.
        holdings: what the file holds beside its pixels, where that is anything.
    """

    colours: Mapping[int, float]
    holdings: Mapping[int, Holdings]


def group(
    report: DuplicateReport,
    contents: Contents,
    edges: MutableMapping[int, dict[int, Edge]],
    images: Mapping[int, ImageRecord],
    looks: Looks,
    dismissals: Dismissals,
    measure: Measure,
) -> None:
    """Put the groups into ``report``, the most alike first, and what else is to be said of them.

    Args:
        report: where they are put.
        contents: what was compared.
        edges: which contents are alike; those that were dismissed are taken out.
        images: the records of all images of these contents; one that is gone by now is left out.
        looks: what is known of these contents beside.
        dismissals: what is not to be shown.
        measure: measures the sharpness of images.
    """
    scope = contents.scope
    members, sidecars = {}, Sidecars()

    def first(image: ImageRecord) -> Order:
        return order(image, scope.references, lone=not sidecars.beside(image.path))

    for one in {*contents.copies, *edges}:
        there = [images[id_] for id_ in contents.members(one) if id_ in images]
        if there:
            members[one] = sorted(there, key=first)
    report.dismissed = _dismiss(edges, members, dismissals)
    copies = _edges(edges, members, similar=False)
    best = {one: there[0] for one, there in members.items()}
    ranks = ranked(best, copies, scope.references, looks.colours, looks.holdings, measure)
    report.unmeasured = ranks.unmeasured
    grouping = _Grouping(scope, members, copies, looks.holdings, sidecars, ranks)
    groups = list(grouping.groups())
    report.linked = len(grouping.linked)
    gone = {other.image.id for one in groups for other in one.others}
    staying = {
        one: [image]
        for one, there in members.items()
        if (image := next((image for image in there if image.id not in gone), None))
    }
    alike = _edges(edges, staying, similar=True)
    groups += _Grouping(scope, staying, alike, looks.holdings, sidecars).groups()
    report.groups = sorted(groups, key=lambda one: DUPLICATE_LEVELS.index(one.level))


@dataclass(frozen=True, slots=True)
class _Grouping:
    """Makes groups of files of the same bytes, and of contents that are alike by ``edges``.

    In none of them are those that are ``linked``: hard links of the one that stays.
    """

    scope: Scope
    members: Mapping[int, list[ImageRecord]]
    edges: Edges
    holdings: Mapping[int, Holdings]
    sidecars: Sidecars
    ranks: Ranks = field(default_factory=Ranks)
    linked: list[ImageRecord] = field(default_factory=list)

    def groups(self) -> Iterator[DuplicateGroup]:
        """The groups, those of the best images first."""
        begun: set[int] = set()
        for keep, others in stars(self.members, self.edges, self._content_order):
            best, *copies = self.members[keep]
            # in one group only, where there are several around the same image
            going = [] if keep in begun else self._not_linked(keep, best, copies)
            begun.add(keep)
            going += [
                (other, image, self.edges[keep][other])
                for other in others
                for image in self.members[other]
            ]
            going = [one for one in going if self.scope.may_go(one[1].id, best.id)]
            if going:
                second = min(self._order(content, image) for content, image, _ in going)
                why = reason(self._content_order(keep), second)
                described = [self._described(keep, best, *one) for one in going]
                sharpness, holdings = self._sharpness(keep), self._holdings(keep)
                yield DuplicateGroup(best, why, described, sharpness, holdings)

    def _not_linked(
        self, content: int, best: ImageRecord, copies: list[ImageRecord]
    ) -> list[tuple[int, ImageRecord, Edge]]:
        """The copies whose going would make room; the others are noted."""
        going = []
        for image in copies:
            if not is_same_file(best.path, image.path):
                going.append((content, image, _SAME_BYTES))
            elif self.scope.may_go(image.id, best.id):
                self.linked.append(image)
        return going

    def _content_order(self, content: int) -> Order:
        return self._order(content, self.members[content][0])

    def _order(self, content: int, image: ImageRecord) -> Order:
        lone = not self.sidecars.beside(image.path)
        return order(image, self.scope.references, self._rank(content), lone=lone)

    def _rank(self, content: int) -> Rank:
        return self.ranks.by_content.get(content, NO_RANK)

    def _described(
        self, keep: int, best: ImageRecord, content: int, image: ImageRecord, edge: Edge
    ) -> Duplicate:
        score = 1 / (1 + edge.distance)
        faded = self._rank(content).faded and not self._rank(keep).faded
        change = ", ".join(filter(None, [edge.change, NO_COLOURS * faded]))
        lost = () if edge.level == "similar" else tuple(self._lost(keep, best, content, image))
        sharpness, holdings = self._sharpness(content), self._holdings(content)
        return Duplicate(image, edge.level, score, edge.likeness, change, sharpness, holdings, lost)

    def _lost(
        self, keep: int, best: ImageRecord, content: int, image: ImageRecord
    ) -> Iterator[str]:
        """What would be lost with an image."""
        if content != keep:
            yield from lost_with(self._holdings(content), self._holdings(keep))
            of_one_size = self._rank(content).size == self._rank(keep).size
            if of_one_size and is_sharper(self._sharpness(content), self._sharpness(keep)):
                yield "finer detail"
        for path in self.sidecars.only_beside(image.path, best.path):
            yield f"a {os.path.splitext(path)[1].lower()} beside it"

    def _holdings(self, content: int) -> Holdings:
        return self.holdings.get(content, NO_HOLDINGS)

    def _sharpness(self, content: int) -> float | None:
        return self.ranks.sharpness.get(content)


def _edges(edges: Edges, among: Container[int], *, similar: bool) -> Edges:
    """Those between some contents that are similar, or that are copies."""
    return {
        one: {
            other: edge
            for other, edge in around.items()
            if other in among and (edge.level == "similar") == similar
        }
        for one, around in edges.items()
        if one in among
    }


def _dismiss(
    edges: MutableMapping[int, dict[int, Edge]],
    members: MutableMapping[int, list[ImageRecord]],
    dismissals: Dismissals,
) -> int:
    """Take out what was dismissed, and images that are gone; returns how many pairs that is."""
    count = 0
    hashes = {one: images[0].content_hash for one, images in members.items()}
    for one, around in edges.items():
        for other in list(around):
            gone = one not in members or other not in members
            if gone or (hashes[one], hashes[other]) in dismissals:
                del around[other]
                count += not gone and one < other
    for one, images in members.items():
        if len(images) > 1 and (hashes[one], hashes[one]) in dismissals:
            members[one] = images[:1]
            count += 1
    return count
