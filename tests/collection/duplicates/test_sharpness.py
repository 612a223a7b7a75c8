"""The sharper of copies of one size is kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest
from conftest import draw
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from image_similarity_search import Collection, DuplicateGroup
from image_similarity_search.collection.duplicates import ordering
from image_similarity_search.collection.duplicates.ordering import SHARPER
from image_similarity_search.collection.duplicates.sharpness import sharpness_of

_PHOTOGRAPHS = 12
_Alteration = Callable[[Image.Image], Image.Image]


def _through(factor: float, image: Image.Image) -> Image.Image:
    """By way of another size, and back."""
    size = [round(factor * side) for side in image.size]
    bicubic = Image.Resampling.BICUBIC
    return image.resize((size[0], size[1]), bicubic).resize(image.size, bicubic)


def _lettered(image: Image.Image) -> Image.Image:
    image = image.copy()
    ImageDraw.Draw(image).text((20, image.height * 0.8), "HOLIDAY 2024", font_size=24)
    return image


def _blurred(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(1))


# what is done to a photograph, the quality of the JPEG, and how many of 12 must be found worse
_WORSE: Mapping[str, tuple[_Alteration, int, int]] = {
    "blurred": (_blurred, 95, 12),
    "hardly blurred": (lambda image: image.filter(ImageFilter.GaussianBlur(0.5)), 95, 11),
    "quality 40": (lambda image: image, 40, 11),
    "enlarged and reduced": (partial(_through, 2), 95, 11),
    "reduced and enlarged": (partial(_through, 0.5), 95, 12),
    "blurred, quality 40": (_blurred, 40, 12),
}
# what is done, at quality 95, and how many of 12 must be found neither better nor worse
_AS_SHARP: Mapping[str, tuple[_Alteration, int]] = {
    "quality 95": (lambda image: image, 12),
    "brighter": (lambda image: ImageEnhance.Brightness(image).enhance(1.2), 11),
    "more contrast": (lambda image: ImageEnhance.Contrast(image).enhance(1.3), 11),
    "lettered": (_lettered, 10),  # some have little detail but the letters
    "mirrored": (ImageOps.mirror, 12),
}


@pytest.fixture(scope="module")
def photographs() -> list[Image.Image]:
    """Some photographs, no larger than 500 pixels."""
    data = os.environ.get("ISS_TEST_DATA")
    if not data:
        pytest.skip("ISS_TEST_DATA names no folder of real pictures (photos/)")
    images = []
    for path in sorted((Path(data) / "photos").iterdir())[::33][:_PHOTOGRAPHS]:
        with Image.open(path) as image:
            images.append(image.convert("RGB"))
            images[-1].thumbnail((500, 500))
    return images


def _saved(image: Image.Image, path: Path, quality: int) -> Image.Image:
    image.save(path, quality=quality)
    with Image.open(path) as saved:
        return saved.convert("RGB")


def _ratio(image: Image.Image, other: Image.Image) -> float:
    one, two = sharpness_of(image), sharpness_of(other)
    assert one
    assert two
    return one / two


@pytest.mark.parametrize("name", _WORSE)
def test_what_took_detail_away_is_less_sharp(
    photographs: list[Image.Image], tmp_path: Path, name: str
) -> None:
    alter, quality, least = _WORSE[name]
    ratios = [
        _ratio(image, _saved(alter(image), tmp_path / "a.jpg", quality)) for image in photographs
    ]
    assert sum(ratio >= SHARPER for ratio in ratios) >= least, ratios
    assert min(ratios) > 1 / SHARPER  # never the copy


@pytest.mark.parametrize("name", _AS_SHARP)
def test_what_took_none_away_is_as_sharp(
    photographs: list[Image.Image], tmp_path: Path, name: str
) -> None:
    alter, least = _AS_SHARP[name]
    ratios = [_ratio(image, _saved(alter(image), tmp_path / "a.jpg", 95)) for image in photographs]
    assert sum(1 / SHARPER < ratio < SHARPER for ratio in ratios) >= least, ratios


@pytest.mark.parametrize("size", [(1, 1), (2, 50), (3, 3), (33, 10), (10, 70), (35, 35), (400, 3)])
def test_a_picture_of_any_size_has_a_sharpness_or_none(size: tuple[int, int]) -> None:
    value = sharpness_of(draw(1, size))
    assert (value is None) == (min(size) < 3)
    assert value is None or value > 0


def _found(collection: Collection, folder: Path, **options: object) -> DuplicateGroup:
    collection.sync(folder)
    (group,) = collection.duplicates(**options).groups  # type: ignore[arg-type]
    return group


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A picture with fine detail as a small file, and a blurred copy of the size as a large one."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    noise = Image.effect_noise((400, 300), 40).convert("RGB")
    picture = Image.blend(draw(1, (400, 300)), noise, 0.3)
    picture.save(folder / "sharp.jpg", quality=80)
    _blurred(picture).save(folder / "blurred.png")
    assert os.path.getsize(folder / "blurred.png") > os.path.getsize(folder / "sharp.jpg")
    return folder


def test_the_sharper_of_one_size_is_kept_before_the_larger_file(
    collection: Collection, folder: Path
) -> None:
    group = _found(collection, folder)
    assert (os.path.basename(group.keep.path), group.why) == ("sharp.jpg", "sharpest")
    (other,) = group.others
    assert group.sharpness
    assert other.sharpness
    assert group.sharpness > SHARPER * other.sharpness


def test_a_picture_of_more_pixels_is_kept_before_the_sharper(
    collection: Collection, folder: Path
) -> None:
    with Image.open(folder / "blurred.png") as image:
        image.resize((440, 330)).save(folder / "blurred.png")
    group = _found(collection, folder)
    assert (os.path.basename(group.keep.path), group.why) == ("blurred.png", "most pixels")
    assert {group.sharpness, group.others[0].sharpness} == {None}  # nothing depends on it


def test_nearly_the_same_size_is_the_same(collection: Collection, folder: Path) -> None:
    with Image.open(folder / "blurred.png") as image:
        image.resize((404, 303)).save(folder / "blurred.png")
    group = _found(collection, folder)
    assert (os.path.basename(group.keep.path), group.why) == ("sharp.jpg", "sharpest")


def test_of_the_same_sharpness_the_larger_file_is_kept(
    collection: Collection, folder: Path
) -> None:
    with Image.open(folder / "sharp.jpg") as image:
        image.save(folder / "blurred.png")
    group = _found(collection, folder)
    assert (os.path.basename(group.keep.path), group.why) == ("blurred.png", "largest file")
    assert group.sharpness == group.others[0].sharpness


def test_too_many_pixels_are_not_measured(
    collection: Collection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordering, "MOST_PIXELS", 2 * 400 * 300 - 1)
    collection.sync(folder)
    report = collection.duplicates()
    assert report.unmeasured == 2
    (group,) = report.groups
    assert (os.path.basename(group.keep.path), group.why) == ("blurred.png", "largest file")
    monkeypatch.undo()
    assert collection.duplicates().unmeasured == 0


def test_files_of_the_same_bytes_are_not_measured(collection: Collection, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        draw(1, (400, 300)).save(folder / name)
    group = _found(collection, folder)
    assert (group.level, group.sharpness, group.others[0].sharpness) == ("exact", None, None)
