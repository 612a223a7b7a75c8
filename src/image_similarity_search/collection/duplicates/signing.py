"""What a worker process does with a picture that is compared with others by its pixels."""

from __future__ import annotations

import marshal
import operator
import os
from collections.abc import Generator
from typing import TYPE_CHECKING

from image_similarity_search.duplicates import Holdings
from image_similarity_search.errors import ImageError
from image_similarity_search.images import decode
from image_similarity_search.images.holdings import holdings_of

if TYPE_CHECKING:
    from PIL import Image

SIDE = 32
"""A signature is the whole picture in so many by so many grey pixels,"""

COLOUR_SIDE = 8
"""and in so many by so many coloured ones."""

SIGNATURE_BYTES = SIDE * SIDE + 3 * COLOUR_SIDE * COLOUR_SIDE
"""Of a picture over white; where it is not opaque, ``SIDE * SIDE`` bytes of alpha come after."""

_fields_of = operator.attrgetter(*Holdings.__slots__)
_MIN_SIDE = 4 * SIDE  # a JPEG may be decoded so small, which takes a fraction of the time


def answer(request: bytes) -> Generator[bytes, None, bytes]:
    """What the file whose path is ``request`` holds, and its signature; or why there is none."""
    from PIL import Image

    path = os.fsdecode(request)
    try:
        data = decode.read_file(path)
        decoded = decode.decode(data, min_side=_MIN_SIDE)
    except ImageError as error:
        decode.raise_memory_error(error)
        return error.reason.encode(errors="backslashreplace")[: SIGNATURE_BYTES - 1]
    yield packed_holdings(holdings_of(data, path))
    small = _small(decoded.image)
    alpha = _small(decoded.alpha).tobytes() if decoded.alpha else b""
    colours = small.resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BOX)
    return small.convert("L").tobytes() + colours.tobytes() + alpha


def packed_holdings(holdings: Holdings) -> bytes:
    """What a file holds, as bytes."""
    return marshal.dumps(_fields_of(holdings))


def unpacked_holdings(data: bytes) -> Holdings:
    """What ``packed_holdings`` was given."""
    return Holdings(*marshal.loads(data))  # noqa: S302 - from a worker


def grey_signature(image: Image.Image) -> Image.Image:
    """An RGB picture in as many grey pixels as a signature has, each the mean of its place."""
    from PIL import Image

    return image.resize((SIDE, SIDE), Image.Resampling.BOX).convert("L")


def _small(image: Image.Image) -> Image.Image:
    """Blurred a little, for boxes of whole pixels lie elsewhere in a copy of another size."""
    from PIL import Image

    return image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
