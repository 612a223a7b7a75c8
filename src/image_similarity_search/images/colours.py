"""Which colours a picture is of, in words."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING

from image_similarity_search.filters import COLOURS, Colour

if TYPE_CHECKING:
    from PIL import Image

_SIDE = 12  # pixels that are looked at, each way
_SHARE = 0.25  # of them that must be of a colour
_DARK, _LIGHT, _PALE = 50, 205, 45  # of 255: value, value, saturation
_HUES: tuple[tuple[int, Colour], ...] = (  # up to which hue of 255
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
_BROWN = 150  # value, below which orange is called so


def colours_of(image: Image.Image) -> tuple[str, ...]:
    """The colours that a quarter or more of an RGB picture is of, the most first."""
    from PIL import Image

    # single pixels tell as much as averages of them, in a tenth of the time
    small = image.resize((_SIDE, _SIDE), Image.Resampling.NEAREST).convert("HSV")
    levels = small.tobytes()
    steps = (levels[at::3].translate(table) for at, table in enumerate(_STEPS))
    total = sum(int.from_bytes(one, "little") for one in steps)  # of all pixels at once
    names = total.to_bytes(_SIDE * _SIDE, "little").translate(_NAMES)
    counts = {name: names.count(number) for number, name in enumerate(COLOURS)}
    least = _SHARE * _SIDE * _SIDE
    found = [name for name in COLOURS if counts[name] >= least]
    return tuple(sorted(found, key=lambda name: -counts[name]))


def _steps(bounds: Iterable[int], step: int) -> bytes:
    """For each level of 256, ``step`` times how many of ``bounds`` it has reached."""
    ordered = list(bounds)
    return bytes(step * bisect_right(ordered, level & 0xF0 | 8) for level in range(256))


def _name(place: int) -> Colour:
    """The colour of pixels whose steps of hue, saturation and value add up to ``place``."""
    value, saturation, hue = place >> 5, place >> 4 & 1, place & 15
    if value == 0:
        return "black"
    if saturation == 0:
        return "white" if value > 2 else "grey"
    name = _HUES[min(hue, len(_HUES) - 1)][1]
    return "brown" if name == "orange" and value == 1 else name


# what makes a difference of hue, saturation and value, so that their sum says it all
_STEPS = (
    _steps((most for most, _ in _HUES), 1),
    _steps([_PALE], 16),
    _steps([_DARK, _BROWN, _LIGHT + 1], 32),
)
_NAMES = bytes(COLOURS.index(_name(place)) for place in range(256))
