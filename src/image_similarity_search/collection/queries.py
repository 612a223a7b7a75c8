"""What a search may be given, turned into pixels."""

from __future__ import annotations

import os
from collections.abc import Container
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.addresses import address_of, checked_address, is_address
from image_similarity_search.arguments import listed
from image_similarity_search.collection import originals
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.errors import ConfigError, ImageUnreadableError
from image_similarity_search.types import FloatArray, PixelArray, Region, Text

if TYPE_CHECKING:
    from PIL import Image

Picture: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image.Image"
    " | NDArray[np.uint8]"
)
"""A picture: a path, an address in object storage, the bytes of a file or an open one, a PIL image,
an array."""

Query: TypeAlias = "Picture | int | Text | NDArray[np.floating[Any]]"
"""A picture, the id of an image of the collection, words, or an embedding ``(dim,)``."""


def listed_pictures(name: str, pictures: object) -> list[Any]:
    """Pictures, or queries, one by one; one alone is refused: its answer would be another.

    Raises:
        ConfigError: it is one, whose letters, bytes or rows would be taken for some.
    """
    expected = "a list"
    if isinstance(pictures, np.ndarray) and pictures.ndim in (2, 3):
        if pictures.ndim == 2 and pictures.dtype.kind == "f":
            return list(pictures)  # embeddings
        raise ConfigError(name, f"an array of shape {pictures.shape}", expected)
    if hasattr(pictures, "read"):
        raise ConfigError(name, type(pictures).__name__, expected)
    return listed(name, pictures, expected)


def is_id(image: object) -> TypeGuard[int | np.integer[Any]]:
    """Whether an image is given by its id; True is a whole number in Python, and no id."""
    return isinstance(image, int | np.integer) and not isinstance(image, bool)


def embedding_of(query: object, *, axes: Container[int] = (1,)) -> FloatArray | None:
    """A query that is an embedding of so many axes, as ``(n, dim)``; None where it is none."""
    if not isinstance(query, np.ndarray) or query.dtype.kind != "f" or query.ndim not in axes:
        return None
    with np.errstate(over="ignore"):  # of float64: what is too large is infinite then
        return np.atleast_2d(query).astype(np.float32)


def checked_path(path: object) -> str:
    """The path as text, or the address of an object in its one form.

    Raises:
        ConfigError: it is no path: empty, which would be the current folder, or with a NUL; or
            an address that nothing is read from.
    """
    expected = "the path of a file or folder, as text"
    if isinstance(path, list | tuple | set):
        expected += "; several are given one by one, as in add(*paths)"
    elif not isinstance(path, str | os.PathLike | int | float | None):
        expected += "; a picture that is in memory is written to a file first"
    text = _text("path", path, expected)
    return checked_address(text) if is_address(text) else text


def index_folder(index_dir: object) -> str:
    """The real path of the folder that a collection is kept in.

    Raises:
        ConfigError: it is no path: empty, which would be the current folder, or with a NUL.
    """
    return os.path.realpath(_text("index_dir", index_dir, "the path of a folder, as text"))


def _text(name: str, path: object, expected: str) -> str:
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else path
    if not isinstance(text, str) or not text or "\0" in text:
        raise ConfigError(name, path, expected)
    return text


def checked_source(path: object) -> str:
    """The same of where pictures lie: of a Parquet file, which holds some, its address."""
    text = checked_path(path)
    return address_of(text) or text


def pixels_of(
    picture: Picture, preprocessing: Preprocessing, region: Region | None = None
) -> PixelArray:
    """What an encoder sees of ``picture``, or of a part: ``(crop, crop, 3)`` uint8 RGB.

    Raises:
        ImageError: the file is missing or is no picture.
        ConfigError: it is none of the things a picture may be given as.
    """
    image = image_of(picture, preprocessing.side_for(region))
    return preprocessing.view(image.crop(region.box(*image.size)) if region else image)


def image_of(picture: Picture, side: int) -> Image.Image:
    """``picture``, upright, mode RGB; its short side may be as small as ``side``.

    Raises:
        ImageError, ConfigError: as ``pixels_of``.
    """
    from PIL import Image

    from image_similarity_search.images import decode

    if isinstance(picture, (str, os.PathLike)):
        path = checked_path(picture)
        return decode.decode(originals.read(path), name=path, min_side=side).image
    if isinstance(picture, bytes | bytearray | memoryview):
        return decode.decode(bytes(picture), min_side=side).image
    if isinstance(picture, Image.Image):
        return decode.from_image(picture, min_side=side)
    if isinstance(picture, np.ndarray):
        return decode.from_array(picture, min_side=side)
    if hasattr(picture, "read"):
        return decode.decode(_content(picture), min_side=side).image
    raise ConfigError(
        "query",
        type(picture).__name__,
        "the path or the bytes of a picture file, a file opened in binary mode, a PIL image, a"
        " RGB uint8 array (h, w, 3), the id of an image of this collection, an embedding (a float"
        " array (dim,)), or a Text",
    )


def _content(file: BinaryIO) -> bytes:
    """What is in an open file, from its beginning, as Pillow reads it.

    Raises:
        ConfigError: it gives no bytes.
        ImageUnreadableError: it can't be read.
    """
    try:
        with suppress(AttributeError, OSError):  # a pipe has no beginning
            file.seek(0)
        data = file.read()
    except (OSError, ValueError) as error:
        raise ImageUnreadableError("query", f"the file can't be read ({error})") from error
    if not isinstance(data, bytes):
        raise ConfigError("query", type(file).__name__, 'a file opened in binary mode ("rb")')
    return data
