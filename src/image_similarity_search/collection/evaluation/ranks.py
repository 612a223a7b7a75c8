"""Where searches find the images that belong to the query."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.search import Searcher
from image_similarity_search.filters import Filter
from image_similarity_search.types import FloatArray, IdArray

_MEMORY = 2**29  # bytes of the distances that are there at once: the more, the fewer passes
_COMPARED_AT_ONCE = 512  # queries, at most, which bounds what is made on the way to distances
_SEARCHED_AT_ONCE = 64


class Ranked(NamedTuple):
    """What a search by the image ``id`` found of the images that are searched among.

    Attributes:
        id: of the query, which is not among them.
        places: where they stand among the ids of all, the most alike first ``(n,)``.
        far: their distances ``(n,)``.
        reach: how far images are that say nothing of the query.
    """

    id: int
    places: IdArray
    far: NDArray[np.float64]
    reach: float


def exact_ranking(
    catalog: Catalog,
    stored: Callable[[list[int]], FloatArray],
    asked: IdArray,
    ids: IdArray,
    tell: Callable[[int], None],
) -> Iterator[Ranked]:
    """All of ``ids`` in the order of their exact distance to each of ``asked``; equals by id.

    Those that were removed meanwhile are passed over. As a search orders them, whatever its
    index. Every embedding is compared, a part of the catalog being in memory at a time. ``tell``
    is called with how many of ``asked`` that is worth so far.
    """
    at_once = max(1, min(_COMPARED_AT_ONCE, _MEMORY // (4 * len(ids)), len(asked)))
    distances = np.empty((at_once, len(ids)), dtype=np.float32)
    for start in range(0, len(asked), at_once):
        some = asked[start : start + at_once]
        block, queries = _still_there(catalog, stored, some)
        far = distances[: len(block)]
        far.fill(np.inf)  # it stays that of images that were removed meanwhile
        for compared in _compare(catalog, queries, ids, far):
            tell(start + len(some) * compared // len(ids))
        for id_, row in zip(block, far, strict=True):
            yield _ranked(id_, int(np.searchsorted(ids, id_)), row)
        tell(start + len(some))


def searched_ranking(
    catalog: Catalog,
    searcher: Searcher,
    asked: IdArray,
    ids: IdArray,
    depth: int,
    where: Filter | None,
    tell: Callable[[int], None],
) -> Iterator[Ranked]:
    """The first ``depth`` hits of a search by each of ``asked``, but for those removed by then.

    Hits that are none of ``ids``, which were added since, have no place. ``tell`` is called with
    how many were searched by.
    """
    for start in range(0, len(asked), _SEARCHED_AT_ONCE):
        some = asked[start : start + _SEARCHED_AT_ONCE]
        block, queries = _still_there(catalog, searcher.stored, some)
        answers = searcher.nearest_to_each(queries, depth, None, block, where)
        for id_, hits in zip(block, answers, strict=True):
            found = np.array([hit.id for hit in hits], dtype=np.int64)
            far = np.array([hit.distance for hit in hits], dtype=np.float64)
            there = np.isin(found, ids)
            # hits are near all: the last is the one that says the least
            reach = float(far[-1]) if len(far) else 0.0
            yield Ranked(id_, np.searchsorted(ids, found[there]), far[there], reach)
        tell(start + len(some))


def _ranked(id_: int, own: int, row: FloatArray) -> Ranked:
    """The ranking by an image, of the distances of all, its own among them at ``own``."""
    order = _order(row)
    order = order[order != own]
    far = row[order].astype(np.float64)
    # the half of all that is farther than the median says nothing
    reach = (far[(len(far) - 1) // 2] + far[len(far) // 2]) / 2
    return Ranked(id_, order, far, float(reach))


def _order(row: FloatArray) -> IdArray:
    """``np.argsort(row, kind="stable")`` of numbers, in a fraction of its time.

    The bits of a float, as an integer, are in the order of floats, but for those of negative ones,
    which are turned. With the place below them they are sorted as plain integers.
    """
    bits = (row + np.float32(0)).view(np.int32)  # of the two zeros there is one
    bits ^= (bits >> 31) & np.int32(0x7FFFFFFF)
    keys = bits.astype(np.int64)
    keys <<= 32
    keys |= np.arange(len(row))
    keys.sort()
    keys &= 0xFFFFFFFF
    return keys


def _still_there(
    catalog: Catalog, stored: Callable[[list[int]], FloatArray], asked: IdArray
) -> tuple[list[int], FloatArray]:
    """Those of some images that are there now, and their comparable vectors."""
    with catalog.snapshot():
        there = asked[np.isin(asked, catalog.embeddings.of(asked).ids)].tolist()
        return there, stored(there)


def _compare(catalog: Catalog, queries: FloatArray, ids: IdArray, far: FloatArray) -> Iterator[int]:
    """Write distances ``(q, n)`` from comparable vectors to the images ``ids``, which are in order.

    Yields how many of these it is through with, now and then.
    """
    metric = catalog.identity.metric
    for part in catalog.embeddings.since(0):
        wanted = np.isin(part.ids, ids, assume_unique=True)
        columns = np.searchsorted(ids, part.ids[wanted])
        rows = vectors.unpack(part.units[wanted], part.norms[wanted], metric)
        far[:, columns] = vectors.all_distances(queries, rows, metric)
        yield int(np.searchsorted(ids, part.ids[-1], side="right"))
