"""Which of the images that are alike is the one to keep, and what is to be said of the others.

Copies come first, those that are the same before those that were changed. Then only those images
that stay are grouped by what is similar: so a copy can go whatever else looks like it, and nothing
is to go because it looks alike.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, MutableMapping
from dataclasses import replace
from typing import Any, NamedTuple

from image_similarity_search.collection.duplicates.checks import is_same_file
from image_similarity_search.collection.duplicates.describing import Describer, copies_of
from image_similarity_search.collection.duplicates.dismissals import Dismissals
from image_similarity_search.collection.duplicates.grouping import (
    Edge,
    Order,
    Told,
    at_level,
    by_pairs,
)
from image_similarity_search.collection.duplicates.nodes import Members, Nodes, nodes_of
from image_similarity_search.collection.duplicates.ordering import Measure, Ranks, order, ranked
from image_similarity_search.collection.duplicates.scope import Contents, Scope
from image_similarity_search.collection.duplicates.sidecars import Sidecars
from image_similarity_search.duplicates import (
    DUPLICATE_LEVELS,
    DuplicateGroup,
    DuplicateReport,
    Holdings,
)
from image_similarity_search.types import ImageRecord


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

    def first(image: ImageRecord) -> tuple[Any, ...]:
        return order(image, scope.references, lone=not sidecars.beside(image.path))

    for one in {*contents.copies, *edges}:
        there = [images[id_] for id_ in contents.members(one) if id_ in images]
        if there:
            members[one] = sorted(there, key=first)
    apart = _apart(members, dismissals)
    report.dismissed = len(apart) + _drop_dismissed(edges, members, dismissals)
    best = {one: there[0] for one, there in members.items()}
    ranks = ranked(best, copies_of(edges), scope.references, looks.colours, looks.holdings, measure)
    report.unmeasured = ranks.unmeasured
    nodes = nodes_of(scope, members, edges, apart)
    spare, linked = _spare(nodes, scope)
    report.linked = len(linked)
    copies = replace(nodes, edges=copies_of(nodes.edges))
    describer = Describer(scope, copies, looks.holdings, sidecars, ranks)
    told = list(_copies(nodes, scope, describer.order_of, spare))
    gone = {one.other for one in told if one.goes}
    groups = list(describer.groups(told, gone, spare))
    describer = replace(describer, nodes=nodes, ranks=Ranks())
    groups += describer.groups(_similar(nodes, scope, describer.order_of, gone), gone)
    report.groups = sorted(groups, key=_most_alike_first)


def _most_alike_first(group: DuplicateGroup) -> tuple[Any, ...]:
    """Copies that could go, other copies, and what is similar; each by its level and likeness."""
    kind = group.level == "similar", not group.goes, DUPLICATE_LEVELS.index(group.level)
    return *kind, min((-(one.likeness or 0.0), -one.score) for one in group.others)


def _copies(nodes: Nodes, scope: Scope, order_of: Order, spare: Collection[int]) -> Iterator[Told]:
    """Which copies go for which, and which are told beside which.

    What has the same bytes is one picture, and goes with it for one that is the same. But what has
    more alike ones, as such a ``spare`` one, is not to go for what was changed.
    """
    if scope.sides:
        yield from by_pairs(nodes.members, nodes.edges, order_of, DUPLICATE_LEVELS[:-1])
        return
    gone: set[int] = set()
    busy: set[int] = set()
    for level in DUPLICATE_LEVELS[1:-1]:
        told = list(at_level(level, nodes.members, nodes.edges, order_of, busy=busy, gone=gone))
        gone.update(one.other for one in told if one.goes)
        busy.update(spare, *((one.keep, one.other) for one in told))
        yield from told


def _similar(nodes: Nodes, scope: Scope, order_of: Order, gone: Collection[int]) -> Iterator[Told]:
    """What is similar, but for what is gone already: nothing goes, and the better one is first."""
    level = DUPLICATE_LEVELS[-1]
    if scope.sides:
        pairs = by_pairs(nodes.members, nodes.edges, order_of, [level], gone=gone)
    else:
        pairs = at_level(level, nodes.members, nodes.edges, order_of, gone=gone)
    for one, other, _ in pairs:
        ordered = [one, other] if other in gone else sorted([one, other], key=order_of)
        yield Told(ordered[0], ordered[1], goes=False)


def _spare(nodes: Nodes, scope: Scope) -> tuple[dict[int, list[ImageRecord]], list[ImageRecord]]:
    """The images that could go for the first of the same bytes, and those that are links of it."""
    spare: dict[int, list[ImageRecord]] = {}
    linked: list[ImageRecord] = []
    if not scope.sides:
        for node, (best, *copies) in nodes.members.items():
            for image in copies:
                if image.id in scope.references:
                    continue
                if is_same_file(best.path, image.path):
                    linked.append(image)
                else:
                    spare.setdefault(node, []).append(image)
    return spare, linked


def _apart(members: Members, dismissals: Dismissals) -> set[int]:
    """The contents of which it was said that no two files are duplicates."""
    hashes = {one: there[0].content_hash for one, there in members.items() if len(there) > 1}
    return {one for one, content in hashes.items() if (content, content) in dismissals}


def _drop_dismissed(
    edges: MutableMapping[int, dict[int, Edge]], members: Members, dismissals: Dismissals
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
    return count
