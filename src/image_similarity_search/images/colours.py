"""Which colours a picture is of, in words."""

from __future__ import annotations

import functools
from collections import Counter
from typing import TYPE_CHECKING

from image_similarity_search.filters import COLOURS, Colour

if TYPE_CHECKING:
    from PIL import Image

_SIDE = 12  # pixels that are looked at, each way
_SHARE = 0.25  # of them that must be of a colour
_DARK, _LIGHT, _PALE = 50, 205, 45  # of 255: value, value, saturation
_HUES: tuple[tuple[int, Colour], ...] = (  # up to which hue of 255, in steps of ``_COARSE``
    (16, "red"),
    (32, "orange"),
    (48, "yellow"),
    (112, "green"),
    (144, "cyan"),
    (176, "blue"),
    (208, "purple"),
    (240, "pink"),
    (256, "red"),
)
_COARSE = bytes(
    level & 0xF0 | 8 for level in range(256)
)  # of few values: most pixels are like others
_BROWN = 150  # value, below which orange is called so


def colours_of(image: Image.Image) -> tuple[str, ...]:
    """The colours that a quarter or more of an RGB picture is of, the most first."""
    from PIL import Image

    # single pixels tell as much as averages of them, in a tenth of the time
    small = image.resize((_SIDE, _SIDE), Image.Resampling.NEAREST).convert("HSV")
    data = small.tobytes().translate(_COARSE)
    counts = Counter(map(_name, data[::3], data[1::3], data[2::3]))
    least = _SHARE * _SIDE * _SIDE
    found = [name for name in COLOURS if counts[name] >= least]
    return tuple(sorted(found, key=lambda name: -counts[name]))


@functools.lru_cache(maxsize=4_096)  # as many as there are
def _name(hue: int, saturation: int, value: int) -> Colour:
    if value < _DARK:
        return "black"
    if saturation < _PALE:
        return "white" if value > _LIGHT else "grey"
    name = next(name for most, name in _HUES if hue < most)
    return "brown" if name == "orange" and value < _BROWN else name
