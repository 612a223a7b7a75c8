"""What a worker process does with the bytes of a picture that somebody searches with."""

from __future__ import annotations

import marshal
from collections.abc import Generator
from dataclasses import asdict, dataclass
from typing import Any

from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.errors import ImageTooLargeError, ImageUnreadableError
from image_similarity_search.images import decode
from image_similarity_search.types import Region


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of a picture of up to ``max_pixels``: a part of it, or all of it.

    As the encoder of this ``preprocessing`` sees it; without one, a thumbnail or a ``preview``.
    """

    preprocessing: Preprocessing | None
    region: Region | None
    max_pixels: int
    preview: bool = False


def request(data: bytes, wish: Wish) -> bytes:
    """The request for what is wanted of the picture ``data``."""
    region = asdict(wish.region) if wish.region else None
    preprocessing = asdict(wish.preprocessing) if wish.preprocessing else None
    return marshal.dumps((data, preprocessing, region, wish.max_pixels, wish.preview))


def answer(data: bytes) -> Generator[bytes, None, bytes]:
    """Decode a picture; the one part of the answer is what ``result`` reads."""
    yield from ()
    picture, preprocessing, region, *others = marshal.loads(data)  # noqa: S302 - from the parent
    wish = Wish(
        Preprocessing(**preprocessing) if preprocessing else None,
        Region(**region) if region else None,
        *others,
    )
    try:
        return marshal.dumps(("fine", *_wanted(picture, wish)))
    except ImageTooLargeError as error:
        return marshal.dumps(("large", error.pixels, error.limit))
    except ImageUnreadableError as error:
        decode.raise_memory_error(error)
        return marshal.dumps(("bad", error.reason))


def result(part: bytes) -> tuple[bytes, int, int]:
    """The pixels ``(crop, crop, 3)`` in an answer, or the JPEG; and the picture's size.

    That is its upright width and height, whatever part of it was wanted.

    Raises:
        ImageUnreadableError: it is no picture.
        ImageTooLargeError: it has too many pixels.
    """
    kind, *values = marshal.loads(part)  # noqa: S302 - from a worker
    if kind == "large":
        raise ImageTooLargeError("picture", *values)
    if kind == "bad":
        raise ImageUnreadableError("picture", values[0])
    wanted: Any = values[0]
    return bytes(wanted), int(values[1]), int(values[2])


def _wanted(picture: bytes, wish: Wish) -> tuple[bytes, int, int]:
    if wish.preprocessing is None:
        from image_similarity_search.images import thumbnail

        side = thumbnail.PREVIEW_SIDE if wish.preview else thumbnail.SIDE
        made = thumbnail.preview_of if wish.preview else thumbnail.thumbnail_of
        decoded = decode.decode(picture, min_side=side // 2, max_pixels=wish.max_pixels)
        return made(decoded.image), decoded.width, decoded.height
    region = wish.region
    side = wish.preprocessing.side_for(region)
    decoded = decode.decode(picture, min_side=side, max_pixels=wish.max_pixels)
    image = decoded.image
    if region:
        image = image.crop(region.box(*image.size))
    return wish.preprocessing.square(image).tobytes(), decoded.width, decoded.height
