"""A loaded picture of any mode to upright RGB in the sRGB colour space."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.ImageCms import ImageCmsTransform

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture of each EXIF orientation upright; 1 is upright."""

_MAX_PROFILE_BYTES = 8 * 1024**2  # real colour profiles have up to some 3 MB
_ROUNDING = 2  # levels of 256
_BAND_PIXELS = 1 << 22


class Upright(NamedTuple):
    """A picture over white, mode RGB; and its ``alpha``, mode L, where it is not opaque."""

    rgb: Image.Image
    alpha: Image.Image | None = None


def upright_rgb(image: Image.Image, orientation: int, min_side: int | None) -> Upright:
    """A new image, mode RGB, transparency over white; raises whatever Pillow raises.

    It may share its pixels with ``image``. A large one is averaged down, to a short side of no
    less than twice ``min_side``.
    """
    profile = image.info.get("icc_profile")
    image = _with_8_bits(image)
    if orientation in UPRIGHT:
        # before anything is resized, so that all eight orientations give the same pixels
        image = image.transpose(UPRIGHT[orientation])
    if min_side is not None:
        image = _reduced(image, min(image.size) // (2 * min_side))
    if image.mode not in ("LA", "RGBA"):
        return Upright(_in_srgb(image, profile))
    alpha = image.getchannel("A")
    opaque = _in_srgb(image.convert(image.mode[:-1]), profile)
    if alpha.getextrema() == (255, 255):
        return Upright(opaque)
    over_white = Image.new("RGB", image.size, "white")
    over_white.paste(opaque, mask=alpha)
    return Upright(over_white, alpha)


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    """About ``factor`` x ``factor`` pixels averaged into one, colours weighed by their alpha."""
    if factor < 2:
        return image
    # not Image.reduce, whose incomplete squares at the edges would stretch the picture
    size = (math.ceil(image.width / factor), math.ceil(image.height / factor))
    return image.resize(size, Image.Resampling.BOX)


def _with_8_bits(image: Image.Image) -> Image.Image:
    """The image in one of the modes L, LA, RGB, RGBA, CMYK and LAB."""
    if image.mode.startswith("I;16"):
        return _from_16_bits(image)
    if image.mode == "I" and image.format == "PPM":
        return _from_16_bits(image)  # Pillow reads a PGM of 16 bits as 32-bit integers
    if image.mode in ("I", "F"):
        return _from_own_range(image)
    if image.mode in ("CMYK", "LAB"):
        return image
    grey = image.mode in ("L", "1", "La", "LA")
    wanted = ("L" if grey else "RGB") + ("A" if image.has_transparency_data else "")
    return image if image.mode == wanted else image.convert(wanted)


def _from_16_bits(image: Image.Image) -> Image.Image:
    import numpy as np

    transparent = image.info.get("transparency")
    result = Image.new("L", image.size)
    for top, values in _bands(image):
        grey = (values >> 8).astype(np.uint8)
        if isinstance(transparent, int):
            grey[values == transparent] = 255  # white, as transparency is everywhere
        result.paste(Image.fromarray(grey), (0, top))
    return result


def _from_own_range(image: Image.Image) -> Image.Image:
    """Values of any range, spread from black (the least) to white (the greatest)."""
    import numpy as np

    low, high = math.inf, -math.inf
    for _, values in _bands(image):
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    result = Image.new("L", image.size)
    if low >= high:
        return result
    for top, values in _bands(image):
        with np.errstate(all="ignore"):
            spread = (values.astype(np.float32) - low) * (255 / (high - low))
            spread = np.nan_to_num(spread, nan=0.0, posinf=255.0, neginf=0.0)
            grey = np.clip(np.rint(spread), 0, 255).astype(np.uint8)
        result.paste(Image.fromarray(grey), (0, top))
    return result


def _bands(image: Image.Image) -> Iterator[tuple[int, NDArray[Any]]]:
    """The values of a picture, some rows at a time from the top: as a whole they take much room."""
    import numpy as np

    height = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, height):
        bottom = min(top + height, image.height)
        yield top, np.asarray(image.crop((0, top, image.width, bottom)))


def _in_srgb(image: Image.Image, profile: object) -> Image.Image:
    """An opaque image as a new RGB image without any metadata."""
    rgb = _converted_by_profile(image, profile)
    if rgb is None:
        # a copy of the pixels would be for nothing
        rgb = image._new(image.im) if image.mode == "RGB" else image.convert("RGB")
    rgb.info.clear()  # the orientation is applied: nobody must find it there and apply it again
    return rgb


def _converted_by_profile(image: Image.Image, profile: object) -> Image.Image | None:
    """The image in sRGB, or None where its profile changes nothing, is broken or of no use."""
    if image.mode == "LAB":
        profile = None
    elif not isinstance(profile, bytes) or not 0 < len(profile) <= _MAX_PROFILE_BYTES:
        return None
    transform = _to_srgb(image.mode, profile)
    return transform.apply(image) if transform else None


@functools.lru_cache(maxsize=32)  # the pictures of one camera share a profile
def _to_srgb(mode: str, profile: bytes | None) -> ImageCmsTransform | None:
    from PIL import ImageCms

    try:
        # without the cache of the last pixel, one transform may serve several threads
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(BytesIO(profile)) if profile else _lab_profile(),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            flags=ImageCms.Flags.NOCACHE,
        )
    except Exception:  # the profile is broken, or one for another mode
        return None
    return None if _changes_nothing(transform, mode) else transform


def _lab_profile() -> Any:
    from PIL import ImageCms

    return ImageCms.createProfile("LAB")


def _changes_nothing(transform: ImageCmsTransform, mode: str) -> bool:
    """Whether a transform moves no colour by more than rounding: the profile was sRGB."""
    from PIL import ImageChops

    if mode not in ("L", "RGB"):
        return False
    colours = list(itertools.product(range(0, 256, 51), repeat=len(mode)))
    probe = Image.frombytes(mode, (len(colours), 1), bytes(itertools.chain(*colours)))
    difference = ImageChops.difference(transform.apply(probe), probe.convert("RGB"))
    return max(difference.tobytes()) <= _ROUNDING
