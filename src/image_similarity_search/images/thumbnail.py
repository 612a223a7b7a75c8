"""A small upright JPEG of a decoded picture."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

SIDE = 256
"""Pixels of the longer side, about: as few as ``LEAST`` and as many as ``MOST``."""
LEAST, MOST = 224, 320

_QUALITY = 75  # JPEG's: some 9 kB a photograph


def thumbnail_of(image: Image.Image) -> bytes:
    """The JPEG of an upright RGB image; none is enlarged."""
    out = BytesIO()
    _reduced(image).save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


def _reduced(image: Image.Image) -> Image.Image:
    from PIL import Image

    longer = max(image.size)
    if longer <= MOST:
        return image
    factor = round(longer / SIDE)
    if LEAST <= longer / factor <= MOST and min(image.size) >= factor:
        return image.reduce(factor)  # whole squares averaged: a third of the time of resizing
    scale = SIDE / longer
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.5)
