"""One picture file to upright RGB pixels, whatever it was before."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, BytesIO

from PIL import Image

from image_similarity_search.errors import (
    ConfigError,
    ImageError,
    ImageNotFoundError,
    ImageTooLargeError,
    ImageUnreadableError,
    reason_of,
)
from image_similarity_search.images.exif import exif_of
from image_similarity_search.images.formats import SNIFF_BYTES, PictureFormat, format_of
from image_similarity_search.images.tiff_tables import holds_raw
from image_similarity_search.images.upright import UPRIGHT, upright_rgb
from image_similarity_search.types import NO_TRAITS, Traits

DEFAULT_MAX_PIXELS = 178_956_970
"""Pixels of one picture: Pillow's own bound of a decompression bomb (half a gigabyte of RGB)."""

MAX_FILE_BYTES = 2 * 1024**3
"""Larger files are not read: no picture within the pixel limit needs as much."""

_REASON_LENGTH = 200
_ENDS_EARLY = re.compile("truncated|requires a buffer|EOF", re.IGNORECASE)
_ORIENTATION_TAG = 0x0112


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded picture.

    Attributes:
        image: upright, mode RGB; possibly smaller than the picture (see ``decode``).
        width: pixels of the full picture, upright.
        height: the same.
        format: the file's format, as in ``formats.FORMATS``.
        traits: what its EXIF says; without its colours.
        alpha: mode L, as large as ``image``; None of a picture that is opaque.
    """

    image: Image.Image
    width: int
    height: int
    format: str
    traits: Traits = NO_TRAITS
    alpha: Image.Image | None = None


def read_file(path: str) -> bytes:
    """The bytes of a regular file.

    Raises:
        ImageNotFoundError: there is no such file.
        ImageUnreadableError: it is no regular file, larger than ``MAX_FILE_BYTES``, or can't
            be read.
    """
    with _opened(path) as file:
        return file.read()


def hash_file(path: str) -> str:
    """The ``content_hash`` of a file, without holding it in memory; raises as ``read_file``."""
    with _opened(path) as file:
        return hashlib.file_digest(file, _new_hash).hexdigest()


@contextmanager
def _opened(path: str) -> Iterator[BufferedReader]:
    try:
        _check_regular(path, os.stat(path))
        # should a pipe have taken the file's place meanwhile, opening it must not wait
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with open(os.open(path, flags), "rb") as file:
            _check_regular(path, os.fstat(file.fileno()))
            yield file
    except ValueError:  # a NUL in the name
        raise ImageNotFoundError(path, "no such file") from None
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise ImageNotFoundError(path, "no such file") from None
        reason = reason_of(error)
        raise ImageUnreadableError(path, reason) from error


def _check_regular(path: str, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise ImageUnreadableError(path, "a folder, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise ImageUnreadableError(path, "not a regular file")
    if status.st_size > MAX_FILE_BYTES:
        raise ImageUnreadableError(
            path, f"the file has {status.st_size:,} bytes, the limit is {MAX_FILE_BYTES:,}"
        )


def content_hash(data: bytes) -> str:
    """BLAKE2b-128 of the data, in hex: equal for equal files."""
    digest = _new_hash()
    digest.update(data)
    return digest.hexdigest()


def _new_hash() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)


def decode(
    data: bytes,
    *,
    name: object = "picture",
    min_side: int | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Decoded:
    """Decode a picture: upright, RGB in the sRGB colour space, transparency over white.

    Of an animation or a document it is the first frame. A broken EXIF block or colour profile
    is passed over: it says nothing of the pixels.

    Args:
        data: the file's bytes.
        name: what errors call the picture.
        min_side: the short side, in pixels, that is needed. A larger picture may be decoded
            smaller, for speed, with a short side of no less than twice this. None: in full.
        max_pixels: the limit, checked before any pixel is decoded.

    Raises:
        ImageUnreadableError: no picture, in no format that is read here, or damaged.
        ImageTooLargeError: more than ``max_pixels`` pixels.
        ConfigError: ``min_side`` or ``max_pixels`` is no positive number.
    """
    _check_limits(min_side, max_pixels)
    picture_format = format_of(data[:SNIFF_BYTES])
    if picture_format is None:
        reason = "not a supported image format" if data else "the file is empty"
        raise ImageUnreadableError(name, reason)
    try:
        return _decode_as(picture_format, data, name, min_side, max_pixels)
    except ImageError:
        raise
    except Exception as error:  # the codecs raise anything
        if not isinstance(error, MemoryError) and holds_raw(picture_format, data):
            reason = "a RAW file without a readable preview: RAW data itself is not decoded"
        else:
            reason = _reason(error, picture_format.name)
        raise ImageUnreadableError(name, reason) from error


def from_image(
    image: Image.Image,
    *,
    name: object = "picture",
    min_side: int | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Image.Image:
    """A copy of a Pillow image as ``decode`` would give it; the arguments are the same.

    Raises:
        ImageUnreadableError: it can't be loaded or converted.
        ImageTooLargeError: more than ``max_pixels`` pixels.
        ConfigError: it is no Pillow image, or a limit is no positive number.
    """
    _check_limits(min_side, max_pixels)
    if not isinstance(image, Image.Image):
        raise ConfigError("image", type(image).__name__, "a Pillow image")
    _check_size(image, name, max_pixels)
    try:
        image.load()
        rgb = upright_rgb(image, orientation_of(image), min_side).rgb
        return rgb.copy() if rgb.im is image.im else rgb
    except Exception as error:
        raise ImageUnreadableError(name, _reason(error, image.format or image.mode)) from error


def from_array(
    array: object,
    *,
    name: object = "picture",
    min_side: int | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Image.Image:
    """A uint8 array as an RGB image: ``(h, w)`` grey, ``(h, w, 3)`` RGB or ``(h, w, 4)`` RGBA.

    Raises:
        ImageTooLargeError: more than ``max_pixels`` pixels.
        ConfigError: another shape or type, or a limit is no positive number.
    """
    import numpy as np

    pixels = np.asarray(array)
    shaped = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if pixels.dtype != np.uint8 or not shaped or not pixels.size:
        raise ConfigError(
            "array",
            f"{pixels.dtype} of shape {pixels.shape}",
            "uint8 of shape (height, width), (height, width, 3) or (height, width, 4)",
        )
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return from_image(image, name=name, min_side=min_side, max_pixels=max_pixels)


def _check_limits(min_side: int | None, max_pixels: int) -> None:
    if min_side is not None and min_side < 1:
        raise ConfigError("min_side", min_side, "a number of pixels, at least 1, or None")
    if max_pixels < 1:
        raise ConfigError("max_pixels", max_pixels, "a number of pixels, at least 1")


def _check_size(image: Image.Image, name: object, max_pixels: int) -> None:
    if not image.width or not image.height:
        raise ImageUnreadableError(name, "the picture has no pixels")
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise ImageTooLargeError(name, pixels, max_pixels)


def _decode_as(
    picture_format: PictureFormat,
    data: bytes,
    name: object,
    min_side: int | None,
    max_pixels: int,
) -> Decoded:
    image = picture_format.opened(BytesIO(data))
    _check_size(image, name, max_pixels)
    most = picture_format.max_pixels_per_byte
    if most is not None and image.width * image.height > most * len(data):
        raise EOFError  # this reader would go on, slowly, after the end of the file
    full = image.size
    if min_side is not None and picture_format.name == "JPEG":
        image.draft(None, (2 * min_side, 2 * min_side))
    scaled = image.size != full
    image.load()
    if not scaled:
        full = image.size  # some headers don't say: TIFF turns itself upright, HEIF crops
    orientation = orientation_of(image)
    width, height = full if orientation < 5 else (full[1], full[0])
    traits = exif_of(image)
    upright = upright_rgb(image, orientation, min_side)
    return Decoded(upright.rgb, width, height, picture_format.name, traits, upright.alpha)


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation that is still to be applied to a loaded image; 1 is upright."""
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # a broken EXIF block raises anything
        return 1
    return value if isinstance(value, int) and value in UPRIGHT else 1


def raise_memory_error(error: ImageError) -> None:
    """Raise the MemoryError that an error of a picture comes from, if one is behind it.

    Perhaps it is for what the pictures before left behind: then a fresh process decodes it.
    """
    if isinstance(error.__cause__, MemoryError):
        raise error.__cause__ from None


def _reason(error: Exception, format_name: str) -> str:
    """A codec's exception in a few words, on one line and without memory addresses."""
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"damaged {format_name} file: its picture has far too many pixels"
    message = (str(error).strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, EOFError | IndexError | struct.error) or _ENDS_EARLY.search(message):
        return f"truncated {format_name} file"
    if message == "not identified by this driver":
        message = "its header is invalid"
    message = re.sub(r"\s*<[^>]* at 0x[^>]*>", "", message)
    return f"damaged {format_name} file: {message[:_REASON_LENGTH]}"
