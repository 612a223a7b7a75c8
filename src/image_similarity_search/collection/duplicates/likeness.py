"""How alike two pictures are, pixel by pixel, whichever way up they are.

Signatures are compared by their correlation: 1 where one is the other but for brightness and
contrast, about 0 for pictures that have nothing to do with each other. What embeddings can't tell
apart, a smaller copy and another photograph of the same thing, differs here: 0.98 and 0.6.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from image_similarity_search.collection.duplicates.signing import SIDE
from image_similarity_search.types import FloatArray, PixelArray

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
_CUT_IS_NO_BETTER = 0.97  # a likeness beyond which nothing was cut off
_UPRIGHT_BONUS = 0.002  # a symmetrical picture is not called mirrored for a hair


class Likeness(NamedTuple):
    """How alike two pictures are, -1 to 1, and how one differs from the other, in a word."""

    value: float
    change: str


def is_plain(grey: PixelArray) -> bool:
    """Whether a signature ``(32, 32)`` shows nothing."""
    return float(grey.std()) < _PLAIN


def normalised(grey: FloatArray) -> FloatArray:
    """Signatures ``(..., 32, 32)`` of mean 0 and length 1, so that products are correlations."""
    centred = grey - grey.mean(axis=(-1, -2), keepdims=True)
    lengths = np.sqrt(np.square(centred).sum(axis=(-1, -2), keepdims=True))
    return np.asarray(centred / np.maximum(lengths, 1e-6), dtype=np.float32)


def orientations(grey: FloatArray) -> FloatArray:
    """A signature ``(32, 32)`` in the eight ways to turn and mirror it, upright first."""
    return np.stack([np.rot90(one, turn) for one in (grey, grey[:, ::-1]) for turn in range(4)])


def likeness(grey: PixelArray, other: PixelArray, *, cut: bool) -> Likeness:
    """How alike two signatures ``(32, 32)`` are; with ``cut``, also if one shows a part only."""
    one, two = grey.astype(np.float32), other.astype(np.float32)
    values = np.tensordot(normalised(orientations(one)), normalised(two), axes=2)
    values[0] += _UPRIGHT_BONUS
    best = int(values.argmax())
    found = Likeness(min(float(values[best]), 1.0), _ORIENTATIONS[best])
    if not cut or found.value > _CUT_IS_NO_BETTER:
        return found
    value = max(_parts_against(one, two), _parts_against(two, one))
    return Likeness(value, "cut") if value > found.value else found


def _parts_against(whole: FloatArray, part: FloatArray) -> float:
    """The most that a part of ``whole`` is like ``part``."""
    parts = np.asarray(_DOWN @ whole @ _ACROSS, dtype=np.float32)
    return float(np.tensordot(normalised(parts), normalised(part), axes=2).max())


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
