"""Small upright JPEGs of picture files, for pages."""

from __future__ import annotations

from io import BytesIO

from image_similarity_search.errors import ImageError
from image_similarity_search.images import decode


def thumbnail(path: str, side: int = 320) -> bytes | None:
    """A JPEG of the file, at most twice ``side`` by ``side`` pixels; None when it can't be read.

    Twice, because many screens have two pixels to the one that a page counts.
    """
    try:
        return thumbnail_of(decode.read_file(path), side)
    except ImageError:
        return None


def thumbnail_of(data: bytes, side: int = 320) -> bytes:
    """As ``thumbnail``, of a file's bytes; raises ImageError for what is no picture."""
    image = decode.decode(data, min_side=side).image
    image.thumbnail((2 * side, 2 * side))
    out = BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()
