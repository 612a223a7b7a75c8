"""What the demo's drawn scenes are painted with: colours, gradients, light and outlines."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 960, 720

Colour: TypeAlias = tuple[int, int, int]
Point: TypeAlias = tuple[float, float]


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """A colour by hue (around the circle, from 0 to 1), saturation and value."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, min(saturation, 1.0), min(value, 1.0))
    return round(255 * red), round(255 * green), round(255 * blue)


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """The colour that is ``share`` of the way from the first to the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def gradient(*stops: Colour, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    """From top to bottom through evenly spaced colours."""
    rows = np.linspace(0, len(stops) - 1, size[1])
    bands = [np.interp(rows, range(len(stops)), [stop[c] for stop in stops]) for c in range(3)]
    column = np.stack(bands, axis=-1).astype(np.uint8)[:, None, :]
    return Image.fromarray(column).resize(size, Image.Resampling.NEAREST)


def circle(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, fill: Colour) -> None:
    """A filled circle."""
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill)


def glow(image: Image.Image, x: float, y: float, radius: float, colour: Colour) -> None:
    """Light that falls off around a point."""
    side = np.linspace(-1, 1, max(2, int(radius / 2)))  # coarse, because light has no edges
    mask = 255 * np.clip(1 - np.hypot(side[None, :], side[:, None]), 0, 1) ** 2
    light = Image.fromarray(mask.astype(np.uint8)).resize((round(2 * radius),) * 2)
    image.paste(colour, (round(x - radius), round(y - radius)), light)


def ball(image: Image.Image, x: float, y: float, radius: float, colour: Colour) -> None:
    """A round thing lit from the upper left."""
    side = np.linspace(-1, 1, max(2, int(2 * radius)))
    across, down = np.meshgrid(side, side)
    light = np.clip(1.22 - 0.62 * np.hypot(across + 0.38, down + 0.42), 0.3, 1.2)
    shine = np.clip(1 - np.hypot(across + 0.38, down + 0.45) / 0.3, 0, 1)[..., None] * 90
    pixels = np.clip(light[..., None] * np.array(colour) + shine, 0, 255).astype(np.uint8)
    mask = Image.fromarray(((np.hypot(across, down) < 0.985) * 255).astype(np.uint8))
    image.paste(Image.fromarray(pixels), (round(x - radius), round(y - radius)), mask)


def ridge(rng: np.random.Generator, base: float, height: float, waves: float) -> list[Point]:
    """The outline of hills, closed along the bottom."""
    columns = np.arange(0, WIDTH + 1, 6)
    line = np.zeros(len(columns))
    for octave in range(4):
        pace = waves * 2**octave * 2 * np.pi / WIDTH
        line += np.sin(columns * pace * rng.uniform(0.8, 1.2) + rng.uniform(0, 7)) / 1.9**octave
    points = zip(columns.tolist(), (base - height * line).tolist(), strict=True)
    return [*points, (float(WIDTH), float(HEIGHT)), (0.0, float(HEIGHT))]


def turned(points: Iterable[Point], angle: float, x: float, y: float) -> list[Point]:
    """The points turned by an angle in radians around (0, 0), then moved to (x, y)."""
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    return [(x + a * cos - b * sin, y + a * sin + b * cos) for a, b in points]


def leaf(length: float, width: float, steps: int = 12) -> list[Point]:
    """A petal or leaf from (0, 0) along the first axis."""
    along: NDArray[np.float64] = np.linspace(0, 1, steps)
    half = width / 2 * np.sin(np.pi * along**0.8)
    there = zip((length * along).tolist(), half.tolist(), strict=True)
    back = zip((length * along[::-1]).tolist(), (-half[::-1]).tolist(), strict=True)
    return [*there, *back]
