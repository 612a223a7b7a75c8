"""How sharp a picture is, beside others of the same thing in the same size.

The energy of the Laplacian, the usual measure of focus (Pech-Pacheco et al., "Diatom
autofocusing in brightfield microscopy", ICPR 2000; compared with others by Pertuz et al.,
Pattern Recognition 46, 2013), with three changes for files that were saved anew:

- only where it lies within a block of 8 by 8 pixels, for strong compression draws edges between
  these, which count as detail; within them it only takes detail away;
- the geometric mean of square tiles and not the sum of all, so that letters across a few of them
  do not count for more than what is lost everywhere;
- in relation to the contrast of the whole picture made small, so that a copy of more contrast is
  not sharper.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.collection.duplicates.signing import grey_signature
from image_similarity_search.errors import ImageError
from image_similarity_search.images import decode
from image_similarity_search.types import FloatArray, IdArray, PixelArray

if TYPE_CHECKING:
    from PIL import Image

_TILE = 32  # pixels of a side
_BLOCK = 8  # of a JPEG
_NOISE = 64.0  # energy that noise of 1.8 grey levels has: saving a JPEG anew adds as much
_LEAST_SIDE = 3


def answer(request: bytes) -> Generator[bytes, None, bytes]:
    """The sharpness of the file whose path is ``request``, as text; empty where it has none."""
    yield from ()  # there are no parts before the last
    try:
        image = decode.decode(decode.read_file(os.fsdecode(request))).image
    except ImageError as error:
        decode.raise_memory_error(error)
        return b""
    value = sharpness_of(image)
    return b"" if value is None else repr(value).encode()


def sharpness_of(image: Image.Image) -> float | None:
    """How much fine detail there is for the contrast; twice the number is twice its energy.

    ``image`` is upright RGB in its full size. None where it has fewer than 3 pixels a side.
    """
    grey: PixelArray = np.asarray(image.convert("L"))
    if min(grey.shape) < _LEAST_SIDE:
        return None
    detail = np.concatenate(list(_energies(grey)))
    contrast = float(np.asarray(grey_signature(image)).var())
    return float(np.exp(np.log(detail + _NOISE).mean()) / (contrast + 1))


def _energies(grey: PixelArray) -> Iterator[FloatArray]:
    """The mean squared Laplacian of each whole tile, a row of tiles at a time."""
    height, width = (side - 2 for side in grey.shape)  # where a Laplacian can be had
    tall, wide = min(_TILE, height), min(_TILE, width)
    across = _within_block(np.arange(width // wide * wide))
    for top in range(0, height - tall + 1, tall):
        rows = grey[top : top + tall + 2].astype(np.float32)
        laplacian = 4 * rows[1:-1, 1:-1] - rows[:-2, 1:-1] - rows[2:, 1:-1]
        laplacian -= rows[1:-1, :-2] + rows[1:-1, 2:]
        down = _within_block(np.arange(top, top + tall))
        columns = np.square(laplacian[down, : len(across)]).sum(axis=0) * across
        count = np.count_nonzero(down) * across.reshape(-1, wide).sum(axis=1)
        yield columns.reshape(-1, wide).sum(axis=1) / count


def _within_block(positions: IdArray) -> NDArray[np.bool_]:
    """Where a pixel, counted from the second, has both neighbours in its block of a JPEG."""
    inner = (positions + 1) % _BLOCK
    return (inner > 0) & (inner < _BLOCK - 1)
