"""What a worker process does with a picture file."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from image_similarity_search.collection.messages import Content, Refusal, View, from_request, part
from image_similarity_search.errors import ImageError, ImageNotFoundError
from image_similarity_search.images import decode
from image_similarity_search.images.colours import colours_of
from image_similarity_search.images.thumbnail import LEAST, thumbnail_of


def answer(request: bytes) -> Generator[bytes, None, bytes]:
    """Read and hash a file, yield its ``Content``; decode it, return its ``View``.

    Where either is not possible, return a ``Refusal``.
    """
    path, preprocessing, thumbnail = from_request(request)
    try:
        data = decode.read_file(path)
        yield part(Content(decode.content_hash(data)))
        decoded = decode.decode(data, min_side=preprocessing.resize)
    except ImageNotFoundError:
        return part(Refusal())
    except ImageError as error:
        decode.raise_memory_error(error)
        return part(Refusal(error.reason))
    square = preprocessing.square(decoded.image)
    traits = replace(decoded.traits, colours=colours_of(square))  # while it is in the cache
    jpeg = _thumbnail(decoded) if thumbnail else b""
    return part(View(decoded.width, decoded.height, square.tobytes(), jpeg, traits))


def _thumbnail(decoded: decode.Decoded) -> bytes:
    """A thumbnail, or none where the picture was decoded too small for one."""
    if max(decoded.image.size) < min(LEAST, max(decoded.width, decoded.height)):
        return b""
    try:
        return thumbnail_of(decoded.image)
    except (OSError, ValueError):  # one that is missing stops nothing
        return b""
