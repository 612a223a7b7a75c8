"""What a worker process does with a page whose details are compared with those of another."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Generator

import numpy as np

from image_similarity_search.errors import ImageError
from image_similarity_search.images import decode
from image_similarity_search.types import PixelArray

DETAIL_SIDE = 768
"""The details of a page are the whole of it in so many by so many grey pixels."""

HEADER = struct.Struct("<I")
"""Pixels of the short side of the picture itself; the planes come after."""

NO_PAGE = b"no page"
"""The answer for a photograph, and whatever else has no ground of one tone."""

_GROUND = 0.6  # part of the pixels that are of one tone, of a page; dense print has 0.7
_ONE_TONE = 6  # grey levels to each side
_QUICKLY = 1  # the level of zlib: ground is small with any


def answer(request: bytes) -> Generator[bytes, None, bytes]:
    """The details of the file whose path is ``request``, packed, or ``NO_PAGE``, or a reason.

    A grey plane over white, and where it is not opaque one of its alpha.
    """
    from PIL import Image

    yield from ()  # there are no parts before the last
    try:
        data = decode.read_file(os.fsdecode(request))
        decoded = decode.decode(data, min_side=DETAIL_SIDE)
    except ImageError as error:
        decode.raise_memory_error(error)
        return error.reason.encode(errors="backslashreplace")
    planes = [decoded.image.convert("L"), *([decoded.alpha] if decoded.alpha else [])]
    size = (DETAIL_SIDE, DETAIL_SIDE)
    small = [plane.resize(size, Image.Resampling.LANCZOS) for plane in planes]
    if ground_of(np.asarray(small[0]), _ONE_TONE) < _GROUND:
        return NO_PAGE
    header = HEADER.pack(min(decoded.width, decoded.height))
    return zlib.compress(header + b"".join(plane.tobytes() for plane in small), _QUICKLY)


def ground_of(grey: PixelArray, one_tone: int) -> float:
    """The part of all pixels that are of the most frequent tone, give or take ``one_tone``."""
    counts = np.bincount(grey.ravel(), minlength=256)
    around = np.convolve(counts, np.ones(2 * one_tone + 1, dtype=np.int64), "same")
    return float(around.max()) / grey.size
