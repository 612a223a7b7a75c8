"""Small upright JPEGs of a decoded picture: its thumbnail, and a preview to look at it."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

SIDE = 256
"""Pixels of a thumbnail's longer side, about: as few as ``LEAST`` and as many as ``MOST``."""
LEAST, MOST = 224, 320

PREVIEW_SIDE = 1_440
"""Pixels of a preview's longer side, at most."""

_QUALITY = 75  # JPEG's: some 9 kB a photograph
_PREVIEW_QUALITY = 85  # some 300 kB


def thumbnail_of(image: Image.Image) -> bytes:
    """The JPEG of an upright RGB image; none is enlarged."""
    return _jpeg(_reduced(image), _QUALITY)


def preview_of(image: Image.Image) -> bytes:
    """A larger one, to look at the picture by itself; none is enlarged."""
    from PIL import Image

    if max(image.size) > PREVIEW_SIDE:
        image = image.resize(_within(PREVIEW_SIDE, image), Image.Resampling.LANCZOS)
    return _jpeg(image, _PREVIEW_QUALITY)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    out = BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def _reduced(image: Image.Image) -> Image.Image:
    from PIL import Image

    longer = max(image.size)
    if longer <= MOST:
        return image
    factor = round(longer / SIDE)
    if LEAST <= longer / factor <= MOST and min(image.size) >= factor:
        return image.reduce(factor)  # whole squares averaged: a third of the time of resizing
    return image.resize(_within(SIDE, image), Image.Resampling.BILINEAR, reducing_gap=1.5)


def _within(side: int, image: Image.Image) -> tuple[int, int]:
    """The size of an image whose longer side is to be ``side``."""
    scale = side / max(image.size)
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))
