"""How alike two pictures are, pixel by pixel, whichever way up they are.

Signatures are compared by their correlation: 1 where one is the other but for brightness and
contrast, about 0 for pictures that have nothing to do with each other. What embeddings can't tell
apart, a smaller copy and another photograph of the same thing, differs here: 0.98 and 0.6.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from image_similarity_search.collection.duplicates.signing import SIDE
from image_similarity_search.types import FloatArray, IdArray, PixelArray

_CUTS = (0.05, 0.1, 0.15, 0.2, 0.3)  # parts of a side that may have been cut off
_SIDEWAYS = (0.1, 0.15, 0.2, 0.25)  # of one side alone
_PLAIN = 3.0  # grey levels of deviation; pictures with less have nothing to correlate
_ORIENTATIONS = (
    "",
    "turned",
    "turned",
    "turned",
    "mirrored",
    "mirrored and turned",
    "mirrored",  # turned by 180 degrees: upside down, as in a lake
    "mirrored and turned",
)
_EDGES = 0.2  # part of the contrast around a spot by which it may differ
_UPRIGHT_BONUS = 0.002  # a symmetrical picture is not called mirrored for a hair


def is_plain(grey: PixelArray) -> NDArray[np.bool_]:
    """Whether signatures ``(n, 32, 32)`` show nothing, ``(n,)``."""
    return np.asarray(grey.std(axis=(1, 2), dtype=np.float32) < _PLAIN)


def normalised(grey: FloatArray) -> FloatArray:
    """Signatures ``(..., 32, 32)`` of mean 0 and length 1, so that products are correlations."""
    centred = grey - grey.mean(axis=(-1, -2), keepdims=True)
    lengths = np.sqrt(np.square(centred).sum(axis=(-1, -2), keepdims=True))
    return np.asarray(centred / np.maximum(lengths, 1e-6), dtype=np.float32)


def orientations(grey: FloatArray) -> FloatArray:
    """Signatures ``(..., 32, 32)`` in the eight ways to turn and mirror them, upright first."""
    return np.stack(_views(grey))


def _views(grey: FloatArray) -> list[FloatArray]:
    """The same, not copied."""
    both = (grey, grey[..., ::-1])
    return [np.rot90(one, turn, axes=(-2, -1)) for one in both for turn in range(4)]


def oriented_likeness(one: PixelArray, other: PixelArray) -> tuple[FloatArray, list[str]]:
    """How alike two pictures are, -1 to 1, in the orientation in which they are most so.

    Of signatures ``(n, 32, 32)`` each: values ``(n,)``, and what was done to the one, in words.
    """
    mine, theirs = (normalised(grey.astype(np.float32)) for grey in (one, other))
    values = np.stack([np.einsum("nij,nij->n", view, theirs) for view in _views(mine)])
    favoured = values.copy()
    favoured[0] += _UPRIGHT_BONUS
    best = favoured.argmax(axis=0)
    found = np.minimum(np.take_along_axis(values, best[None], axis=0)[0], np.float32(1))
    return found, [_ORIENTATIONS[which] for which in best]


def largest_difference(one: PixelArray, other: PixelArray) -> float:
    """By how many grey levels two signatures ``(32, 32)`` differ, where they do most.

    Brightness and contrast don't count, and edges less than even places: a copy of another size
    differs at edges. Letters on a picture change its likeness little, but a few pixels much.
    """
    mine, theirs = _standard(one), _standard(other)
    edges = np.minimum(_variety(mine), _variety(theirs))
    return float((np.abs(mine - theirs) - _EDGES * edges).max()) * float(one.std())


def _variety(grey: FloatArray) -> FloatArray:
    """How far apart the pixels around each pixel are, itself among them."""
    around = sliding_window_view(np.pad(grey, 1, mode="edge"), (3, 3))
    return np.asarray(around.max(axis=(2, 3)) - around.min(axis=(2, 3)))


def _standard(grey: PixelArray) -> FloatArray:
    centred = grey - grey.mean(dtype=np.float32)
    return np.asarray(centred / max(float(centred.std()), 1e-6), dtype=np.float32)


def cut_likeness(grey: PixelArray, pairs: IdArray) -> FloatArray:
    """How alike two signatures are where one shows but a part of the other, ``(n,)``.

    Of signatures ``(m, 32, 32)``, and ``pairs`` ``(n, 2)`` of positions in them. The parts of each
    are made once for all that it is compared with.
    """
    flat = normalised(grey.astype(np.float32)).reshape(len(grey), -1)
    found = np.full(len(pairs), -1, dtype=np.float32)
    for wholes, parts in ((pairs[:, 0], pairs[:, 1]), (pairs[:, 1], pairs[:, 0])):
        for whole in np.unique(wholes):
            at = np.flatnonzero(wholes == whole)
            likeness = flat[parts[at]] @ _parts(grey[whole].astype(np.float32)).T
            found[at] = np.maximum(found[at], likeness.max(axis=1))
    return found


def _parts(whole: FloatArray) -> FloatArray:
    """The parts of a signature that may be left of it, each as ``normalised`` and flat."""
    parts = np.asarray(_DOWN @ whole @ _ACROSS, dtype=np.float32)
    return normalised(parts).reshape(len(parts), -1)


def _window(cut: float, where: float) -> FloatArray:
    """A matrix that stretches a part of a side over the whole of it, linearly."""
    begin = SIDE * cut * where
    at = np.clip(begin + (np.arange(SIDE) + 0.5) * (1 - cut) - 0.5, 0, SIDE - 1)
    left = np.minimum(at.astype(int), SIDE - 2)
    matrix = np.zeros((SIDE, SIDE), dtype=np.float32)
    rows = np.arange(SIDE)
    matrix[rows, left] = 1 - (at - left)
    matrix[rows, left + 1] += at - left
    return matrix


def _windows() -> tuple[FloatArray, FloatArray]:
    """Pairs of matrices, to stretch down and across."""
    whole = _window(0, 0)
    pairs = [
        (_window(cut, down), _window(cut, across))
        for cut in _CUTS
        for down in (0, 0.5, 1)
        for across in (0, 0.5, 1)
    ]
    for cut in _SIDEWAYS:
        for where in (0, 0.5, 1):
            pairs += [(_window(cut, where), whole), (whole, _window(cut, where))]
    down, across = zip(*pairs, strict=True)
    return np.stack(down), np.stack(across).transpose(0, 2, 1)


_DOWN, _ACROSS = _windows()
