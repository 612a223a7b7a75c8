"""What an encoder sees of a picture that is mirrored or turned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from image_similarity_search.types import PixelArray

Way = tuple[bool, int]
"""Whether a picture is mirrored, and then by how many quarters it is turned."""

UPRIGHT: tuple[Way, ...] = ((False, 0),)


def seen_in(view: PixelArray, ways: Sequence[Way]) -> list[PixelArray]:
    """A view ``(crop, crop, 3)`` in each of these ways.

    It is the middle of the picture, so this is the view of the mirrored or turned picture.
    """
    return [
        np.ascontiguousarray(np.rot90(view[:, ::-1] if mirrored else view, turns))
        for mirrored, turns in ways
    ]
