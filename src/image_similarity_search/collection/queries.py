"""What a search may be given, turned into pixels."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.addresses import address_of, checked_address, is_address
from image_similarity_search.arguments import listed
from image_similarity_search.collection import originals
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.errors import ConfigError
from image_similarity_search.types import PixelArray, Region, Text

if TYPE_CHECKING:
    from PIL import Image

Picture: TypeAlias = "str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8]"
"""A picture: a path, an address in object storage, the bytes of a file, a PIL image, an array."""

Query: TypeAlias = "Picture | int | Text"
"""A picture, the id of an image of the collection, or words."""


def listed_pictures(name: str, pictures: object) -> list[Any]:
    """Pictures, or queries, one by one; one alone is refused: its answer would be another.

    Raises:
        ConfigError: it is one, whose letters, bytes or rows would be taken for some.
    """
    expected = "a list"
    if isinstance(pictures, np.ndarray) and pictures.ndim in (2, 3):
        raise ConfigError(name, f"an array of shape {pictures.shape}", expected)
    return listed(name, pictures, expected)


def is_id(image: object) -> TypeGuard[int | np.integer[Any]]:
    """Whether an image is given by its id; True is a whole number in Python, and no id."""
    return isinstance(image, int | np.integer) and not isinstance(image, bool)


def checked_path(path: object) -> str:
    """The path as text, or the address of an object in its one form.

    Raises:
        ConfigError: it is no path: empty, which would be the current folder, or with a NUL; or
            an address that nothing is read from.
    """
    text = _text("path", path, "the path of a file or folder, as text")
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
    if isinstance(picture, bytes):
        return decode.decode(picture, min_side=side).image
    if isinstance(picture, Image.Image):
        return decode.from_image(picture, min_side=side)
    if isinstance(picture, np.ndarray):
        return decode.from_array(picture, min_side=side)
    raise ConfigError(
        "query",
        type(picture).__name__,
        "the path or the bytes of a picture file, a PIL image, an RGB uint8 array (h, w,"
        " 3), the id of an image of this collection, or a Text",
    )
