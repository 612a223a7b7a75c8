"""Which of the images that are alike is the best: what counts, and in which order.

What can't be had back comes first. Colours that are lost are lost, and so are pixels; of as many
pixels those count more that know when, where and by what they were taken, then those that show
more; of the same detail the larger file has had less taken away, or holds more beside it. Then the
older one is the more likely original, and the one of the shorter path lies where things are in
order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from image_similarity_search.collection.duplicates.colours import IN_COLOUR
from image_similarity_search.collection.duplicates.grouping import Edges
from image_similarity_search.collection.duplicates.losses import notes_lacking
from image_similarity_search.duplicates import NO_HOLDINGS, Holdings
from image_similarity_search.types import ImageRecord

SAME_SIZE = 0.95
"""Images of so many of the pixels of the largest are as large: the sharper one is the better."""

SHARPER = 1.3
"""By this factor the sharpness of two must differ: saving a file anew changes it by less."""

MOST_PIXELS = 50_000_000_000
"""As many pixels are looked at for sharpness, some five minutes for two processors."""

_REASONS = (
    "in a reference folder",
    "in colour",
    "most pixels",
    "readable in full",
    "more camera metadata",
    "has accompanying files",
    "sharpest",
    "most pixels",
    "largest file",
    "oldest",
    "shortest path",
)

Order: TypeAlias = tuple[Any, ...]
"""What to sort images by, the best to keep first; ``_REASONS`` says what each value is."""

Measure: TypeAlias = Callable[[Collection[ImageRecord]], Mapping[int, float]]
"""Gives the sharpness of images by their ids; those that have none are left out."""


class Rank(NamedTuple):
    """Where a content stands among those like it, 0 the best; see ``_REASONS``."""

    faded: bool = False
    size: int = 0
    unread: bool = False
    lacking: int = 0
    blur: int = 0


NO_RANK = Rank()
"""Of what was not ranked: then the other things decide."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """Where contents that are copies of one another stand by colour, size and sharpness.

    Attributes:
        by_content: their ranks.
        sharpness: of those of which it was measured.
        unmeasured: of how many it would have mattered, but they have too many pixels together.
    """

    by_content: Mapping[int, Rank] = field(default_factory=dict)
    sharpness: Mapping[int, float] = field(default_factory=dict)
    unmeasured: int = 0


def ranked(
    best: Mapping[int, ImageRecord],
    edges: Edges,
    references: Collection[int],
    colours: Mapping[int, float],
    holdings: Mapping[int, Holdings],
    measure: Measure,
) -> Ranks:
    """The ranks of contents, of which ``edges`` says which are copies of one another.

    Only those are measured for which it matters: that have a copy of nearly as many pixels.

    Args:
        best: an image of each content.
        edges: which are alike.
        references: the images that stay in any case.
        colours: how colourful contents are; of those without it is not known.
        holdings: what their files hold beside pixels, where that is anything.
        measure: measures sharpness.
    """
    connected = list(_connected(edges))
    faded = {one for part in connected for one in _faded(part, colours)}
    parts = [_sizes(part, best, references, faded) for part in connected]
    chosen, unmeasured = _chosen(parts, best, edges)
    values = measure([best[one] for one in chosen]) if chosen else {}
    sharpness = {one: values[best[one].id] for one in chosen if best[one].id in values}
    unread = set(chosen).difference(sharpness)
    lacking = {one: notes_lacking(holdings.get(one, NO_HOLDINGS)) for one in edges}
    by_content = {
        one: Rank(one in faded, number, one in unread, lacking[one], blur)
        for part in parts
        for number, size in enumerate(part)
        for one, blur in _blurs(size, sharpness)
    }
    return Ranks(by_content, sharpness, unmeasured)


def order(
    image: ImageRecord, references: Collection[int], rank: Rank = NO_RANK, *, lone: bool = True
) -> Order:
    """What to sort an image by; of copies with the rank of their content.

    ``lone`` is one without files beside it that belong to it.
    """
    elsewhere = image.id not in references
    ties = (-pixels_of(image), -image.size, image.mtime_ns, len(image.path), image.id)
    return (elsewhere, *rank[:-1], lone, rank.blur, *ties)


def reason(best: Order, second: Order) -> str:
    """Why the first of two that were ordered comes first."""
    pairs = zip(best, second, _REASONS, strict=False)
    return next((words for one, other, words in pairs if one != other), "found first")


def _connected(edges: Edges) -> Iterator[list[int]]:
    """The contents in parts, from each of which no edge leads to another."""
    seen: set[int] = set()
    for start in edges:
        part = [start] if start not in seen else []
        seen.add(start)
        for one in part:  # which grows on the way
            more = [other for other in edges[one] if other not in seen]
            seen.update(more)
            part += more
        if len(part) > 1:
            yield part


def _faded(part: list[int], colours: Mapping[int, float]) -> Iterator[int]:
    """The contents that have no colours, where another one has: not those that have few, too."""
    most = max((colours.get(one, 0.0) for one in part), default=0.0)
    for one in part:
        value = colours.get(one, most)
        if value <= IN_COLOUR and most >= IN_COLOUR + 2 * value:
            yield one


def _sizes(
    part: list[int],
    best: Mapping[int, ImageRecord],
    references: Collection[int],
    faded: Collection[int],
) -> list[list[int]]:
    """Contents in lists of nearly as many pixels, best first.

    Those in reference folders are apart, and those without colours.
    """
    pixels = {one: pixels_of(best[one]) for one in part}
    apart = {one: (best[one].id not in references, one in faded) for one in part}
    sizes: list[list[int]] = []
    for one in sorted(part, key=lambda one: (apart[one], -pixels[one])):
        first = sizes[-1][0] if sizes else one
        if sizes and apart[one] == apart[first] and pixels[one] >= SAME_SIZE * pixels[first]:
            sizes[-1].append(one)
        else:
            sizes.append([one])
    return sizes


def _chosen(
    parts: list[list[list[int]]], best: Mapping[int, ImageRecord], edges: Edges
) -> tuple[list[int], int]:
    """Contents to measure, all or none of a part; and how many there were too many."""
    chosen: list[int] = []
    left, unmeasured = MOST_PIXELS, 0
    for part in parts:
        wanted = [one for size in part for one in size if not edges[one].keys().isdisjoint(size)]
        pixels = sum(pixels_of(best[one]) for one in wanted)
        if pixels <= left:
            left -= pixels
            chosen += wanted
        else:
            unmeasured += len(wanted)
    return chosen, unmeasured


def _blurs(size: list[int], sharpness: Mapping[int, float]) -> Iterator[tuple[int, int]]:
    """How blurred each content is beside the others of its size: as the sharpest is 0."""
    rank, first = 0, 0.0
    for one in sorted(size, key=lambda one: -sharpness.get(one, 0.0)):
        value = sharpness.get(one, 0.0)
        if first and value * SHARPER < first:
            rank += 1
            first = value
        first = first or value
        yield one, rank


def is_sharper(one: float | None, other: float | None) -> bool:
    """Whether of two sharpnesses that were measured the first is greater, beyond what is usual."""
    return one is not None and other is not None and one > SHARPER * other


def pixels_of(image: ImageRecord) -> int:
    """How many pixels an image has; 0 where that is not known."""
    return (image.width or 0) * (image.height or 0)
