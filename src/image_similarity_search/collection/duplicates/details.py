"""Telling pages, forms, screenshots and drawings apart by their details.

Two invoices of one template are alike in all but some digits, which the spots of a signature
don't show. So pairs of pictures that are mostly of one tone are looked at once more, in finer
detail: a copy differs a little everywhere, another page differs strongly somewhere.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from image_similarity_search.collection.duplicates.detailing import (
    DETAIL_SIDE,
    HEADER,
    NO_PAGE,
    ground_of,
)
from image_similarity_search.collection.duplicates.grouping import Edge
from image_similarity_search.collection.duplicates.signatures import Signatures
from image_similarity_search.collection.looking import looked_at
from image_similarity_search.types import FloatArray, IdArray, ImageRecord, PixelArray

_WORK = "image_similarity_search.collection.duplicates.detailing:answer"
_GROUND = 0.5  # part of the spots of a signature that are of one tone, of what may be a page
_ONE_TONE = 16  # grey levels to each side: a spot in dense print is darker than the margin
_MOST_APART = 30.0  # grey levels; copies differ by up to 22, one other digit in small print by 57
_COARSELY_APART = 36.0  # the same, in blocks: beyond, there is no need to look closer
_SMALL_APART = 12.0  # the same of two that are small and of one size, whose letters are pale
_SMALL = 333  # pixels of a short side
_BLOCK = 8
_BLUR = 1.2  # pixels of the details
_COARSE_BLUR = 2.4  # up to which a block takes more away than the blur does
_GAIN = 1.4  # by how much contrast may have been changed
_SMALLEST = 0.49  # of the other one's size: what is smaller has lost its letters
_LARGE = 680  # pixels of a short side: from here on letters are there
_EMPTY = 6.0  # grey levels between the blocks of what shows nothing
_AT_ONCE = 1024  # pages whose details are in memory, packed

PairEdge = tuple[int, int, Edge]


@dataclass(frozen=True, slots=True)
class _Page:
    """The details of a page: ``packed`` planes, the first of them in ``blocks``, too."""

    short_side: int
    packed: bytes
    blocks: FloatArray

    def is_empty(self) -> bool:
        """Whether it shows nothing, so that nothing is lost in any size."""
        return float(np.ptp(self.blocks)) <= _EMPTY

    def planes(self) -> PixelArray:
        """Unpacked ``(1 or 2, side, side)``."""
        return _planes(zlib.decompress(self.packed))


def may_be_pages(edge: PairEdge, seen: Signatures) -> bool:
    """Whether two images that are alike by their signatures are to be looked at closer."""
    one, other, how = edge
    rows = [seen.rows.get(one, -1), seen.rows.get(other, -1)]
    if how.level == "similar" or min(rows) < 0:
        return False
    return all(ground_of(seen.grey[row], _ONE_TONE) >= _GROUND for row in rows)


def agreeing(
    edges: list[PairEdge],
    records: Callable[[IdArray], Iterable[ImageRecord]],
    time_limit: float,
    steps: Callable[[int], Callable[[int], None]],
) -> Iterator[tuple[PairEdge, bool]]:
    """Each of these pairs, and whether the two agree in detail, or are no pages at all.

    ``steps`` is told how many files are to be read, and gives what is called as each of them was.

    Raises:
        WorkerUnavailableError: no process can be started.
        SourceUnavailableError: object storage in which files lie can't be reached.
    """
    parts = list(_few_pages(sorted(edges, key=lambda edge: edge[:2])))
    wanted = [np.unique(np.array([edge[:2] for edge in some], dtype=np.int64)) for some in parts]
    step = steps(sum(len(ids) for ids in wanted))
    for some, ids in zip(parts, wanted, strict=True):
        pages: dict[int, _Page | None] = {}
        for id_, answer in looked_at(_WORK, records(ids), time_limit):
            step(1)
            if answer.failure or answer.parts[-1] != NO_PAGE:
                pages[id_] = None if answer.failure else _page(answer.parts[-1])
        for edge in some:
            yield edge, _agree(edge, pages)


def _few_pages(edges: list[PairEdge]) -> Iterator[list[PairEdge]]:
    """The pairs in parts, each of so few images that their details fit into memory."""
    part: list[PairEdge] = []
    ids: set[int] = set()
    for edge in edges:
        if len(ids.union(edge[:2])) > _AT_ONCE:
            yield part
            part, ids = [], set()
        part.append(edge)
        ids.update(edge[:2])
    if part:
        yield part


def _page(answer: bytes) -> _Page | None:
    """What was answered; None for a reason why there is nothing."""
    try:
        data = zlib.decompress(answer)
    except zlib.error:
        return None
    plane = _planes(data)[0]
    count = DETAIL_SIDE // _BLOCK
    blocks = plane.reshape(count, _BLOCK, count, _BLOCK).mean(axis=(1, 3), dtype=np.float32)
    return _Page(HEADER.unpack_from(data)[0], answer, blocks)


def _planes(data: bytes) -> PixelArray:
    pixels = np.frombuffer(data, dtype=np.uint8, offset=HEADER.size)
    return pixels.reshape(-1, DETAIL_SIDE, DETAIL_SIDE)


def _agree(edge: PairEdge, pages: dict[int, _Page | None]) -> bool:
    """Whether two images agree in detail; yes where one of them is no page."""
    if not all(id_ in pages for id_ in edge[:2]):
        return True
    one, other = (pages[id_] for id_ in edge[:2])
    change = edge[2].change
    if one is None or other is None or change == "cut":  # of a part the rest can't be compared
        return False
    small, large = sorted([one.short_side, other.short_side])
    if small < _SMALLEST * min(large, _LARGE) and not (one.is_empty() and other.is_empty()):
        return False
    blur = max(_BLUR, DETAIL_SIDE / small)
    if not change and blur <= _COARSE_BLUR and _apart(one.blocks, other.blocks) > _COARSELY_APART:
        return False
    mine, theirs = ([_blurred(plane, blur) for plane in page.planes()] for page in (one, other))
    most = _SMALL_APART if small == large < _SMALL else _MOST_APART
    views = range(8) if change else range(1)
    return any(
        all(
            _apart(_view(a, view), b) <= most
            for a, b in zip(mine, theirs, strict=False)  # one alone may be transparent
        )
        for view in views
    )


def _view(plane: FloatArray, number: int) -> FloatArray:
    """One of the eight ways to turn and mirror a plane, upright first."""
    return np.rot90(plane if number < 4 else plane[:, ::-1], number % 4)


def _blurred(plane: PixelArray, radius: float) -> FloatArray:
    from PIL import Image, ImageFilter

    blurred = Image.fromarray(plane).filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(blurred, dtype=np.float32)


def _apart(one: FloatArray, other: FloatArray) -> float:
    """By how many grey levels two planes differ where they do most, but for their contrast."""
    mine, theirs = _from_ground(one), _from_ground(other)
    energy, others_energy = float(np.square(mine).mean()), float(np.square(theirs).mean())
    gain = np.sqrt(energy / others_energy) if min(energy, others_energy) > 1 else 1.0
    return float(np.abs(mine - np.clip(gain, 1 / _GAIN, _GAIN) * theirs).max())


def _from_ground(plane: FloatArray) -> FloatArray:
    """A plane, less its median."""
    counts = np.bincount(np.rint(plane).astype(np.uint8).ravel(), minlength=256)
    return plane - np.float32(np.searchsorted(counts.cumsum(), plane.size / 2))
