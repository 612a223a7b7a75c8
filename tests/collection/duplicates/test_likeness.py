"""How alike two pictures are by their pixels."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from conftest import draw
from PIL import Image, ImageDraw, ImageOps

from image_similarity_search.collection.duplicates.likeness import (
    cut_likeness,
    largest_difference,
    oriented_likeness,
)
from image_similarity_search.types import PixelArray


def _grey(image: Image.Image) -> PixelArray:
    return np.asarray(image.resize((32, 32), Image.Resampling.BOX).convert("L"))


def _likeness(one: PixelArray, other: PixelArray) -> tuple[float, str]:
    (value,), (change,) = oriented_likeness(one[None], other[None])
    return float(value), change


def test_a_copy_is_alike_whatever_its_size_and_contrast() -> None:
    picture = draw(1, (400, 300))
    value, change = _likeness(_grey(picture), _grey(picture))
    assert value == pytest.approx(1)
    assert change == ""
    paler = picture.resize((100, 75)).point(lambda value: 60 + value // 2)
    value, change = _likeness(_grey(picture), _grey(paler))
    assert value > 0.98
    assert change == ""


@pytest.mark.parametrize(
    ("turn", "change"),
    [
        (Image.Transpose.ROTATE_90, "turned"),
        (Image.Transpose.ROTATE_180, "turned"),
        (Image.Transpose.ROTATE_270, "turned"),
        (Image.Transpose.FLIP_LEFT_RIGHT, "mirrored"),
        (Image.Transpose.FLIP_TOP_BOTTOM, "mirrored"),
        (Image.Transpose.TRANSPOSE, "mirrored and turned"),
        (Image.Transpose.TRANSVERSE, "mirrored and turned"),
    ],
)
def test_it_is_told_how_a_picture_was_turned(turn: Image.Transpose, change: str) -> None:
    picture = draw(2, (400, 300))
    value, found = _likeness(_grey(picture), _grey(picture.transpose(turn)))
    assert value > 0.99
    assert found == change


def test_a_part_is_like_the_whole_either_way_round() -> None:
    picture = draw(3, (400, 300))
    part = picture.crop((20, 0, 400, 285))  # 5 % less, in a corner
    wide = picture.crop((0, 38, 400, 263))  # a quarter less in height
    greys = np.stack([_grey(one) for one in (picture, part, wide, ImageOps.expand(picture, 12))])
    pairs = np.array([(0, 1), (0, 2), (0, 3), (1, 0), (2, 0), (3, 0)])
    for (one, other), value in zip(pairs, cut_likeness(greys, pairs), strict=True):
        assert value > 0.93
        assert _likeness(greys[one], greys[other])[0] < value


def test_other_pictures_are_not_alike() -> None:
    greys = np.stack([_grey(draw(seed)) for seed in range(30)])
    pairs = np.array(list(combinations(range(30), 2)))
    assert cut_likeness(greys, pairs).max() < 0.85
    assert max(_likeness(greys[one], greys[other])[0] for one, other in pairs) < 0.85


def test_letters_change_a_few_pixels_much() -> None:
    picture = draw(5, (400, 300))
    lettered = picture.copy()
    ImageDraw.Draw(lettered).text((20, 240), "HOLIDAY 2024", fill="white", font_size=28)
    assert _likeness(_grey(picture), _grey(lettered))[0] > 0.93
    assert largest_difference(_grey(picture), _grey(lettered)) > 30
    small = picture.resize((80, 60)).point(lambda value: 30 + value // 2)
    assert largest_difference(_grey(picture), _grey(small)) < 8
