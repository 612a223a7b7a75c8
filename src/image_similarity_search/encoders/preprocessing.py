"""What an encoder wants to see of a picture, as data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil, ulp
from sys import float_info
from typing import TYPE_CHECKING, Literal, Self, get_args

from image_similarity_search.errors import ConfigError
from image_similarity_search.types import checked_count, number

if TYPE_CHECKING:
    from PIL import Image

    from image_similarity_search.types import FloatArray, PixelArray, Region

Interpolation = Literal[
    "nearest", "box", "bilinear", "hamming", "bicubic", "lanczos", "hamming-bicubic"
]
INTERPOLATIONS: tuple[Interpolation, ...] = get_args(Interpolation)

Fit = Literal["crop", "stretch"]
FITS: tuple[Fit, ...] = get_args(Fit)

Channels = tuple[float, float, float]
Box = tuple[float, float, float, float]

IMAGENET_MEAN: Channels = (0.485, 0.456, 0.406)
IMAGENET_STD: Channels = (0.229, 0.224, 0.225)

_FULL = 1 << 16  # of the short side: no picture is decoded smaller for it


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Resize the short side to ``resize`` pixels, cut a square of ``crop`` pixels from the centre.

    With the ``fit`` ``stretch`` nothing is cut: the whole picture becomes that square, whatever
    its shape, and ``resize`` is the same number as ``crop``.

    The ``interpolation`` ``hamming-bicubic`` is ``hamming`` where what is seen is made smaller in
    both directions, which then shows as much as ``bicubic`` in two thirds of its time, and
    ``bicubic`` otherwise.

    ``mean`` and ``std`` (per RGB channel, of values in 0..1) are for encoders that want
    ``(pixel / 255 - mean) / std``; an encoder with the normalisation built in ignores them.
    """

    resize: int = 256
    crop: int = 224
    interpolation: Interpolation = "bicubic"
    mean: Channels = (0.0, 0.0, 0.0)
    std: Channels = (1.0, 1.0, 1.0)
    fit: Fit = "crop"

    def __post_init__(self) -> None:
        pixels = "a number of pixels, at least 1"
        object.__setattr__(self, "resize", checked_count("resize", self.resize, pixels))
        pixels = f"1 to {self.resize} pixels (the resize); give both"
        object.__setattr__(self, "crop", checked_count("crop", self.crop, pixels))
        if self.crop > self.resize:
            raise ConfigError("crop", self.crop, pixels)
        if self.interpolation not in INTERPOLATIONS:
            raise ConfigError(
                "interpolation", self.interpolation, f"one of {', '.join(INTERPOLATIONS)}"
            )
        if self.fit not in FITS:
            raise ConfigError("fit", self.fit, f"one of {', '.join(FITS)}")
        if self.fit == "stretch" and self.crop != self.resize:
            expected = f"{self.resize}, as resize: nothing is cut (unless fit is crop)"
            raise ConfigError("crop", self.crop, expected)
        self._set_channels("mean", -float_info.max, "three numbers")
        self._set_channels("std", ulp(0.0), "three numbers above 0")

    def _set_channels(self, name: str, least: float, expected: str) -> None:
        given = getattr(self, name)
        values = [number(value) for value in given] if isinstance(given, Iterable) else []
        if len(values) != 3 or not all(least <= value <= float_info.max for value in values):
            raise ConfigError(name, given, expected)
        object.__setattr__(self, name, tuple(values))

    @property
    def fingerprint(self) -> str:
        """Equal for equal preprocessing; part of an encoder's fingerprint."""
        channels = ",".join(f"{value:g}" for value in (*self.mean, *self.std))
        fit = "" if self.fit == "crop" else f";{self.fit}"  # which there was not, once
        return f"resize={self.resize};crop={self.crop};{self.interpolation};{channels}{fit}"

    def side_for(self, region: Region | None) -> int:
        """Pixels of a picture's short side that are needed to show it, or a part of it."""
        if region is None:
            return self.resize
        return min(ceil(self.resize / min(region.w, region.h)), _FULL)

    def changed(
        self,
        resize: int | None,
        crop: int | None,
        interpolation: Interpolation | None,
        fit: Fit | None = None,
    ) -> Self:
        """The same with other values, where they are not None.

        What stretches is asked for a crop by a ``resize`` and a ``crop`` that differ, unless
        ``fit`` is said; one of them alone is both.
        """
        if (fit or self.fit) == "stretch":
            one = crop if resize is None else resize if crop is None else None
            if one is not None and number(one) > 0:
                resize = crop = one
            elif fit is None and resize != crop:
                fit = "crop"
        return replace(
            self,
            resize=self.resize if resize is None else resize,
            crop=self.crop if crop is None else crop,
            interpolation=interpolation or self.interpolation,
            fit=fit or self.fit,
        )

    def check(self, pixels: object) -> None:
        """Refuse what is not ``(n, crop, crop, 3)`` uint8: its embedding would mean nothing.

        Raises:
            ConfigError: it is so.
        """
        import numpy as np  # here, for the processes that only decode do without

        shape = (self.crop, self.crop, 3)
        if not isinstance(pixels, np.ndarray):
            found = type(pixels).__name__
        elif pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != shape:
            found = f"{pixels.dtype} of shape {pixels.shape}"
        else:
            return
        raise ConfigError(
            "pixels",
            found,
            f"uint8 of shape (n, {self.crop}, {self.crop}, 3), each as preprocessing.view gives it"
            " of an RGB image; Collection.embed takes pictures of any size",
        )

    def normalise(self, pixels: PixelArray) -> FloatArray:
        """``(pixel / 255 - mean) / std`` of uint8 pixels ``(n, h, w, 3)``, of the same shape."""
        import numpy as np

        mean = np.asarray(self.mean, dtype=np.float32)
        std = np.asarray(self.std, dtype=np.float32)
        return np.asarray((pixels / np.float32(255) - mean) / std, dtype=np.float32)

    def view(self, image: Image.Image) -> PixelArray:
        """The pixels ``(crop, crop, 3)``, uint8 RGB, that an encoder gets of an RGB image."""
        import numpy as np

        return np.asarray(self.square(image))

    def square(self, image: Image.Image) -> Image.Image:
        """``view`` as an image."""
        from PIL import Image

        box = self._box(*image.size)
        resample = Image.Resampling[self._filter(box).upper()]
        # only what the crop shows is resized: the same pixels as resize then crop, for less work
        return image.resize((self.crop, self.crop), resample, box=box)

    def _filter(self, box: Box) -> str:
        """How what is in a box of pixels is resized, by Pillow's name for it."""
        if self.interpolation != "hamming-bicubic":
            return self.interpolation
        left, upper, right, lower = box
        return "hamming" if min(right - left, lower - upper) >= self.crop else "bicubic"

    def seen(self, width: int, height: int, region: Region | None = None) -> Region:
        """The part of a picture of so many pixels that ``view`` shows of it, or of a region."""
        from image_similarity_search.types import Region

        box = region.box(width, height) if region else (0, 0, width, height)
        edges = self._box(box[2] - box[0], box[3] - box[1])
        left, right = ((box[0] + edge) / width for edge in (max(edges[0], 0.0), edges[2]))
        top, bottom = ((box[1] + edge) / height for edge in (max(edges[1], 0.0), edges[3]))
        return Region(left, top, right - left, bottom - top)

    def _box(self, width: int, height: int) -> Box:
        """Left, upper, right and lower edge of what is seen, in pixels."""
        if self.fit == "stretch":
            return 0, 0, width, height
        short = min(width, height)
        # sizes and offsets exactly as torchvision's Resize and CenterCrop compute them
        scaled_width, scaled_height = (
            int(self.resize * width / short),
            int(self.resize * height / short),
        )
        left = round((scaled_width - self.crop) / 2)
        top = round((scaled_height - self.crop) / 2)
        x_scale, y_scale = width / scaled_width, height / scaled_height
        return (
            left * x_scale,
            top * y_scale,
            min((left + self.crop) * x_scale, width),
            min((top + self.crop) * y_scale, height),
        )
