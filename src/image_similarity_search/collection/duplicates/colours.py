"""Whether two pictures are in the same colours, and how much colour a picture has.

By how far colours are from grey, place by place: that is large where a copy is black-and-white,
and small where a file was saved anew, whatever the picture shows.
"""

from __future__ import annotations

import numpy as np

from image_similarity_search.types import FloatArray, PixelArray

IN_COLOUR = 1.4
"""Levels: black-and-white has none, sepia that was saved poorly 1.3, a photograph 2 to 70."""

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_SAVED_ANEW = 2.0  # levels by which colours may differ in any case,
_OF_ALL = 0.2  # and for what there is of colour: as a JPEG of quality 20 does, at most
_SAME_LIGHT = 10.0  # levels between red, green and blue of a picture and its copy, on average
_BENDS = 2  # sepia is a bent line from black to white


def same_colours(colours: PixelArray) -> bool:
    """Whether two pictures ``(2, side, side, 3)`` are in the same colours, and as bright."""
    if np.abs(colours[0].astype(int) - colours[1]).mean() > _SAME_LIGHT:
        return False
    far = _from_grey(colours)
    most = max(_size(far[0]), _size(far[1]))
    return _size(far[0] - far[1]) <= _SAVED_ANEW + _OF_ALL * most


def colourfulness(colours: PixelArray) -> float:
    """How much colour a picture ``(side, side, 3)`` has, in levels, beside what its light tells.

    Next to none where each tone has but one colour: in black-and-white, sepia, or tinted.
    """
    far = _from_grey(colours).reshape(-1, 2)
    light = (colours.reshape(-1, 3) @ _LUMA) / 255
    tones = np.stack([light**bend for bend in range(_BENDS + 1)], axis=1)
    tint = tones @ np.linalg.lstsq(tones, far, rcond=None)[0]
    return _size(far - tint)


def _from_grey(colours: PixelArray) -> FloatArray:
    """By how much blue and red differ from the grey of their place, ``(..., 2)``."""
    levels = colours.astype(np.float32)
    return np.asarray(levels[..., [2, 0]] - (levels @ _LUMA)[..., None], dtype=np.float32)


def _size(far: FloatArray) -> float:
    return float(np.sqrt(np.square(far).sum(axis=-1).mean()))
