"""What of altered copies is the same picture, which one stays, and what an action leaves alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import draw
from PIL import Image, ImageDraw, ImageOps

from image_similarity_search import Collection
from image_similarity_search.duplicates import Duplicate
from image_similarity_search.errors import ConfigError

_SIZE = (400, 300)


def _pale() -> Image.Image:
    """A picture with little colour, as many photographs are, and fine detail."""
    coloured = draw(3, _SIZE)
    pale = Image.blend(coloured.convert("L").convert("RGB"), coloured, 0.15)
    return Image.blend(pale, draw(3, (40, 30)).resize(_SIZE).convert("L").convert("RGB"), 0.2)


def _sepia(image: Image.Image) -> Image.Image:
    return ImageOps.colorize(image.convert("L"), "#2b1700", "#fff0d0")


def _lettered(image: Image.Image) -> Image.Image:
    lettered = image.copy()
    ImageDraw.Draw(lettered).text((150, 250), "(c) me", fill="#a0a0a0", font_size=30)
    return lettered


def _half_the_colour(image: Image.Image) -> Image.Image:
    return Image.blend(image.convert("L").convert("RGB"), image, 0.5)


def _by_a_wider_gamut(image: Image.Image) -> Image.Image:
    """Rounded twice, as when it is converted to other colours and back."""
    levels = np.asarray(image, dtype=np.float64) / 255
    rounded = np.rint(levels**1.22 * 255) / 255
    return Image.fromarray(np.rint(rounded ** (1 / 1.22) * 255).astype(np.uint8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one picture."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    _pale().save(folder / "original.jpg", quality=92)
    return folder


def _others(collection: Collection) -> dict[str, Duplicate]:
    """The copies of the one that stays, by name, where there is one group."""
    (group,) = collection.duplicates().groups
    assert os.path.basename(group.keep.path) == "original.jpg"
    return {os.path.basename(one.image.path): one for one in group.others}


@pytest.mark.parametrize("alter", [ImageOps.grayscale, _sepia, _lettered, _half_the_colour])
def test_what_lost_colours_or_has_letters_is_not_the_same(
    collection: Collection, folder: Path, alter: Callable[[Image.Image], Image.Image]
) -> None:
    alter(_pale()).save(folder / "altered.png")
    collection.sync(folder)
    assert collection.duplicates("same").groups == []
    (group,) = collection.duplicates().groups
    assert group.level == "near"


def test_what_was_only_saved_anew_or_resized_is_the_same(
    collection: Collection, folder: Path
) -> None:
    picture = _pale()
    picture.save(folder / "poor.jpg", quality=20)
    picture.save(folder / "other.webp", quality=60)
    picture.quantize(256).save(folder / "few.gif")
    _by_a_wider_gamut(picture).save(folder / "rounded.png")
    for width in (300, 200, 100):
        small = picture.resize((width, width * 3 // 4), Image.Resampling.LANCZOS)
        small.save(folder / f"{width}.jpg", quality=75)
    collection.sync(folder)
    (group,) = collection.duplicates("same", thorough=True).groups
    assert len(group.others) == 7


@pytest.mark.parametrize("alter", [ImageOps.grayscale, _sepia])
def test_what_is_in_colour_stays_however_large_the_other_file(
    collection: Collection, folder: Path, alter: Callable[[Image.Image], Image.Image]
) -> None:
    altered = alter(_pale())
    ImageOps.mirror(altered).save(folder / "altered.png")
    altered.resize((800, 600)).save(folder / "large.jpg", quality=70)
    collection.sync(folder)
    changes = {name: one.change for name, one in _others(collection).items()}
    assert changes == {
        "altered.png": "mirrored, without its colours",
        "large.jpg": "without its colours",
    }
    groups = collection.duplicates().groups
    assert groups[0].why == "in colour"
    report = collection.resolve_duplicates(groups, "delete", level="near", dry_run=False)
    assert [os.path.basename(deed.path) for deed in report.done] == ["altered.png"]
    (left,) = report.left
    assert left.path == str(folder / "large.jpg")
    assert "more pixels" in left.problem


def test_changed_copies_go_only_where_it_is_said(collection: Collection, folder: Path) -> None:
    _lettered(_pale()).save(folder / "lettered.png")
    collection.sync(folder)
    groups = collection.duplicates().groups
    (deed,) = collection.resolve_duplicates(groups, "delete", dry_run=False).left
    assert "its level is near" in deed.problem
    assert len(os.listdir(folder)) == 2
    assert collection.resolve_duplicates(groups, "delete", level="near", dry_run=False).done
    assert len(os.listdir(folder)) == 1
    with pytest.raises(ConfigError, match="level"):
        collection.resolve_duplicates([], "delete", level="equal")  # type: ignore[arg-type]
