"""Which of the images that are alike is the one to keep, and what is to be said of the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from image_similarity_search.collection.duplicates.dismissals import Dismissals
from image_similarity_search.collection.duplicates.grouping import Edge, stars
from image_similarity_search.collection.duplicates.scope import Contents
from image_similarity_search.duplicates import DUPLICATE_LEVELS, Duplicate, DuplicateGroup
from image_similarity_search.types import ImageRecord

_REASONS = ("in a reference folder", "most pixels", "largest file", "oldest", "shortest path")


def grouped(
    contents: Contents,
    edges: MutableMapping[int, dict[int, Edge]],
    images: Mapping[int, ImageRecord],
    dismissals: Dismissals,
) -> tuple[list[DuplicateGroup], int]:
    """The groups, the most alike first, and how many pairs were dismissed.

    Args:
        contents: what was compared.
        edges: which contents are alike; those that were dismissed are taken out.
        images: the records of all images of these contents; one that is gone by now is left out.
        dismissals: what is not to be shown.
    """
    members = {}
    for one in {*contents.copies, *edges}:
        there = [images[id_] for id_ in contents.members(one) if id_ in images]
        if there:
            members[one] = sorted(there, key=lambda image: _order(image, contents))
    dismissed = _dismiss(edges, members, dismissals)
    groups: list[DuplicateGroup] = []
    begun: set[int] = set()
    for keep, others in stars(members, edges, lambda one: _order(members[one][0], contents)):
        best, *copies = members[keep]
        # in one group only, where there are several around the same image
        going = [] if keep in begun else [Duplicate(image, "exact", 1.0, 1.0) for image in copies]
        begun.add(keep)
        going += _described(others, edges[keep] if others else {}, members)
        going = [one for one in going if contents.scope.may_go(one.image.id, best.id)]
        if going:
            second = min(_order(one.image, contents) for one in going)
            groups.append(DuplicateGroup(best, _reason(_order(best, contents), second), going))
    return sorted(groups, key=lambda group: DUPLICATE_LEVELS.index(group.level)), dismissed


def _described(
    others: list[int], edges: Mapping[int, Edge], members: Mapping[int, list[ImageRecord]]
) -> Iterator[Duplicate]:
    for other in others:
        edge = edges[other]
        score = 1 / (1 + edge.distance)
        for image in members[other]:
            yield Duplicate(image, edge.level, score, edge.likeness, edge.change)


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


def _order(image: ImageRecord, contents: Contents) -> tuple[Any, ...]:
    """What to sort by, the best to keep first; ``_REASONS`` says what each value is."""
    pixels = (image.width or 0) * (image.height or 0)
    elsewhere = image.id not in contents.scope.references
    return (elsewhere, -pixels, -image.size, image.mtime_ns, len(image.path), image.id)


def _reason(best: tuple[Any, ...], second: tuple[Any, ...]) -> str:
    """Why the first of two comes first."""
    pairs = zip(best, second, _REASONS, strict=False)
    return next((words for one, other, words in pairs if one != other), "found first")
