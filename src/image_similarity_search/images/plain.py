"""A picture as programs see it that take the pixels as they are.

They know nothing of orientation, transparency, colour profiles and depth, as the well-known recipe
(``Image.open(path).convert("RGB")``). What they made embeddings of is compared with what we see.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from image_similarity_search.images.decode import DEFAULT_MAX_PIXELS, orientation_of
from image_similarity_search.images.formats import SNIFF_BYTES, format_of

_LYING = range(5, 9)  # orientations that swap width and height
_PLAIN_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")

# formats, as Pillow calls them, whose headers tell the size of the picture that they hold
_TELL_THEIR_SIZE = ("JPEG", "PNG", "WEBP", "GIF", "BMP")


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a picture.

    Attributes:
        width: pixels of the upright picture, as ``decode`` tells them.
        height: the same.
        plain: whether a program that knows nothing of orientation, transparency and depth, and
            takes the pixels as they are, sees the same picture as ``decode``.
    """

    width: int
    height: int
    plain: bool


def header_of(data: bytes) -> Header | None:
    """The header of the picture in a file's bytes; None where they are no usable picture.

    That the pixels are damaged is not always noticed.
    """
    image = _opened(data)
    if image is None:
        return None
    try:
        if image.format not in _TELL_THEIR_SIZE:
            image.load()
        width, height = image.size
        orientation = orientation_of(image)
        upright = orientation == 1 and image.mode in _PLAIN_MODES
        plain = upright and _is_opaque(image)
    except Exception:  # the codecs raise anything
        return None
    return Header(height, width, plain) if orientation in _LYING else Header(width, height, plain)


def plain_rgb(data: bytes) -> Image.Image | None:
    """The picture in a file's bytes as such programs see it; None where it is no usable one."""
    image = _opened(data)
    try:
        return image.convert("RGB") if image else None
    except Exception:  # the codecs raise anything
        return None


def _opened(data: bytes) -> Image.Image | None:
    picture_format = format_of(data[:SNIFF_BYTES])
    if picture_format is None:
        return None
    try:
        image = picture_format.opened(BytesIO(data))
    except Exception:  # the codecs raise anything
        return None
    most = DEFAULT_MAX_PIXELS
    if picture_format.max_pixels_per_byte is not None:
        most = min(most, picture_format.max_pixels_per_byte * len(data))
    return image if 0 < image.width * image.height <= most else None


def _is_opaque(image: Image.Image) -> bool:
    if not image.has_transparency_data:
        return True
    return image.convert("RGBA").getchannel("A").getextrema() == (255, 255)
