"""The real decoder, for bytes instead of a file."""

from __future__ import annotations

from collections.abc import Generator

from image_similarity_search.errors import ImageError
from image_similarity_search.images.decode import decode

MAX_PIXELS = 1_000_000


def answer(data: bytes) -> Generator[bytes, None, bytes]:
    """What becomes of the bytes, in full and made smaller: the image's mode, or the reason."""
    for min_side in (None, 4):
        try:
            decoded = decode(data, min_side=min_side, max_pixels=MAX_PIXELS)
        except ImageError as error:
            yield error.reason.encode()
        else:
            assert decoded.width * decoded.height > 0
            yield decoded.image.mode.encode()
    return b""
