"""Draws two pictures side by side, bright where they count."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from image_similarity_search.collection.explaining.explanation import Explanation, Place, Seen
from image_similarity_search.types import FloatArray

_SIZE = (640, 440)  # that a picture may have
_GAP = 16
_CAPTION = 40
_PAPER, _INK, _QUIET = (251, 250, 248), (29, 28, 26), (107, 104, 98)
_DARK = 0.32  # of its light is left to a place that does not count
_UNSEEN = 0.35  # how much a part beyond what is seen fades into the paper
_FOR, _AGAINST = (255, 170, 40), (70, 130, 255)
_TINT = 0.28  # how much of that colour the place has that counts most
_MARKS = ((230, 60, 50), (30, 110, 220), (20, 140, 80), (150, 70, 190), (200, 120, 0))
_MARK = 13  # radius


def drawn(explanation: Explanation) -> Image.Image:
    """An RGB image; see ``Explanation.draw``."""
    compared = explanation.compared
    sides = (explanation.query, explanation.hit)
    grids = (compared.query, compared.hit)
    panels = [_panel(side, grid) for side, grid in zip(sides, grids, strict=True)]
    height = max(panel.height for panel in panels)
    width = sum(panel.width for panel in panels)
    out = Image.new("RGB", (width + 3 * _GAP, height + _CAPTION + 2 * _GAP), _PAPER)
    pen, left = ImageDraw.Draw(out), _GAP
    words = ("query", f"hit, score {compared.score:.4f}")
    for number, (panel, side) in enumerate(zip(panels, sides, strict=True)):
        top = _GAP + (height - panel.height) // 2
        out.paste(panel, (left, top))
        for rank, match in enumerate(compared.matches):
            place = match.hit if number else match.query
            _mark(pen, _centre(place, grids[number], side, panel), (left, top), rank)
        pen.text((left, height + 2 * _GAP), words[number], _INK, _font(18))
        left += panel.width + _GAP
    note = (
        "bright: adds to the similarity"
        if compared.method == "places"
        else ("bright: the similarity depends on it")
    )
    pen.text((out.width - _GAP, height + 2 * _GAP), note, _QUIET, _font(16), anchor="ra")
    return out


def _panel(side: Seen, grid: FloatArray) -> Image.Image:
    """The picture, dark where it does not count, pale where it was not seen."""
    picture = side.picture.convert("RGB")
    scale = min(_SIZE[0] / picture.width, _SIZE[1] / picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    pale = Image.blend(picture.convert("L").convert("RGB"), Image.new("RGB", size, _PAPER), _UNSEEN)
    box = side.part.box(*size)
    pale.paste(_lit(picture.crop(box), grid), box)
    return pale


def _lit(picture: Image.Image, grid: FloatArray) -> Image.Image:
    most = max(float(np.abs(grid).max()), 1e-12)
    smooth = Image.fromarray(grid / most).resize(picture.size, Image.Resampling.BICUBIC)
    heat = np.asarray(smooth, dtype=np.float32)[..., None].clip(-1, 1)
    pixels = np.asarray(picture, dtype=np.float32)
    grey = np.asarray(picture.convert("L"), dtype=np.float32)[..., None]
    weight = np.abs(heat)
    colour = np.where(heat > 0, _FOR, _AGAINST)
    light = _DARK + (1 - _DARK) * weight
    lit = (grey + (pixels - grey) * weight) * light
    tint = _TINT * weight**2
    return Image.fromarray((lit * (1 - tint) + colour * tint).clip(0, 255).astype(np.uint8))


def _centre(place: Place, grid: FloatArray, side: Seen, panel: Image.Image) -> tuple[float, float]:
    """Where the middle of a place is in the panel."""
    left, top, right, bottom = side.part.box(*panel.size)
    rows, columns = grid.shape
    x = left + (place[1] + 0.5) / columns * (right - left)
    return x, top + (place[0] + 0.5) / rows * (bottom - top)


def _mark(
    pen: ImageDraw.ImageDraw, centre: tuple[float, float], corner: tuple[int, int], rank: int
) -> None:
    x, y = centre[0] + corner[0], centre[1] + corner[1]
    box = (x - _MARK, y - _MARK, x + _MARK, y + _MARK)
    pen.ellipse(box, _MARKS[rank % len(_MARKS)], "white", 2)
    pen.text((x, y), str(rank + 1), "white", _font(16), anchor="mm")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
