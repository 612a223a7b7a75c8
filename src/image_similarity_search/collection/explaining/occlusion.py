"""By how much the similarity falls when a place is covered: for any encoder, by trying it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from image_similarity_search.types import FloatArray, PixelArray

_CELLS = 7  # on each side: as many as the feature map of most networks has
_COVERED = 2  # cells on each side of what is covered at once: less hardly changes an embedding
_GREY = 127

Embed = Callable[[Iterable[PixelArray]], FloatArray]
Likeness = Callable[[FloatArray], FloatArray]


def falls_of(view: PixelArray, likeness: Likeness, embed: Embed) -> FloatArray:
    """The mean fall over all covers that a cell lies under, ``(cells, cells)`` float32.

    Args:
        view: what the encoder sees, ``(crop, crop, 3)``.
        likeness: how alike embeddings ``(n, dim)`` are to the other picture, ``(n,)``.
        embed: the encoder, a batch at a time.
    """
    cells = min(_CELLS, len(view))
    whole = likeness(embed([view]))[0]
    falls, counts = np.zeros((2, cells, cells), dtype=np.float32)
    covers = list(_covers(cells))
    edges = np.linspace(0, len(view), cells + 1).round().astype(int)
    alike = likeness(embed(_covered(view, edges, cover) for cover in covers))
    for (rows, columns), value in zip(covers, alike, strict=True):
        falls[rows, columns] += whole - value
        counts[rows, columns] += 1
    return np.asarray(falls / counts, dtype=np.float32)


def _covers(cells: int) -> Iterator[tuple[slice, slice]]:
    """The rows and columns of cells under each cover, those that reach over the edge as well."""
    spans = [slice(max(0, at - _COVERED + 1), at + 1) for at in range(cells + _COVERED - 1)]
    for rows in spans:
        for columns in spans:
            yield rows, columns


def _covered(view: PixelArray, edges: FloatArray, cover: tuple[slice, slice]) -> PixelArray:
    out = view.copy()
    rows, columns = (
        slice(edges[span.start], edges[min(span.stop, len(edges) - 1)]) for span in cover
    )
    out[rows, columns] = _GREY
    return out
