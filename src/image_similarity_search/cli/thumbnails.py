"""Small upright JPEGs of picture files, for pages."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from image_similarity_search.collection import originals
from image_similarity_search.errors import ImageError
from image_similarity_search.images import decode

if TYPE_CHECKING:
    from PIL import Image


def thumbnail(path: str, side: int = 320) -> bytes | None:
    """A JPEG of the file, at most twice ``side`` by ``side`` pixels; None when it can't be read.

    Twice, because many screens have two pixels to the one that a page counts.
    """
    try:
        return thumbnail_of(originals.read(path), side)
    except ImageError:
        return None


def thumbnail_of(picture: bytes | Image.Image, side: int = 320) -> bytes:
    """As ``thumbnail``, of a file's bytes or an image; raises ImageError for what is no picture."""
    if isinstance(picture, bytes):
        image = decode.decode(picture, min_side=side).image
    else:
        image = decode.from_image(picture, min_side=side)
    image.thumbnail((2 * side, 2 * side))
    out = BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()
