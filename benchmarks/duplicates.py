"""How many altered copies of photographs ``duplicates`` finds, and how much else.

    python benchmarks/duplicates.py PHOTOS UKBENCH [COUNT]

Each photograph is altered in many ways; its copies and, as the hard part, several views of each of
some objects, which are no copies, are indexed together. Then the originals and views are compared
with the copies of each alteration, and at last everything with everything.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from image_similarity_search import Collection, DuplicateGroup, DuplicateReport
from image_similarity_search.errors import ImageError
from image_similarity_search.images import decode

_MOST = 100  # photographs
_Alteration = Callable[[Image.Image], Image.Image]


def _scaled(side: float, image: Image.Image) -> Image.Image:
    """By a factor, or to so many pixels of the longer side."""
    factor = side if side < 1 else side / max(image.size)
    width, height = (max(1, round(factor * length)) for length in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _cropped(part: float, left: float, top: float, image: Image.Image) -> Image.Image:
    """Without ``part`` of each side, of which ``left`` and ``top`` say where it is cut off."""
    width, height = image.size
    x, y = part * left * width, part * top * height
    return image.crop((int(x), int(y), int(x + width * (1 - part)), int(y + height * (1 - part))))


def _square(image: Image.Image) -> Image.Image:
    side = min(image.size)
    return ImageOps.fit(image, (side, side))


def lettered(image: Image.Image) -> Image.Image:
    """With a line of letters across it."""
    image = image.copy()
    width, height = image.size
    size = max(10, width // 14)
    ImageDraw.Draw(image).text((width * 0.05, height * 0.8), "HOLIDAY 2024 (c) us", font_size=size)
    return image


def enhanced(kind: Any, factor: float, image: Image.Image) -> Image.Image:
    """As one of ``PIL.ImageEnhance`` makes it."""
    altered: Image.Image = kind(image).enhance(factor)
    return altered


def same(image: Image.Image) -> Image.Image:
    """As it is."""
    return image


# name: what is done, and the quality of the JPEG that is saved
ALTERATIONS: Mapping[str, tuple[_Alteration, int]] = {
    "saved at quality 60": (same, 60),
    "saved at quality 20": (same, 20),
    "half the size": (partial(_scaled, 0.5), 85),
    "a quarter of the size": (partial(_scaled, 0.25), 85),
    "64 pixels": (partial(_scaled, 64), 85),
    "brighter by 20 %": (partial(enhanced, ImageEnhance.Brightness, 1.2), 90),
    "darker by 20 %": (partial(enhanced, ImageEnhance.Brightness, 0.8), 90),
    "more contrast": (partial(enhanced, ImageEnhance.Contrast, 1.3), 90),
    "black and white": (lambda image: image.convert("L").convert("RGB"), 90),
    "blurred": (lambda image: image.filter(ImageFilter.GaussianBlur(2)), 90),
    "lettered": (lettered, 90),
    "with a border": (lambda image: ImageOps.expand(image, min(image.size) // 25, "white"), 90),
    "5 % cut off": (partial(_cropped, 0.05, 0.5, 0.5), 90),
    "10 % cut off": (partial(_cropped, 0.1, 0.5, 0.5), 90),
    "20 % cut off": (partial(_cropped, 0.2, 0.5, 0.5), 90),
    "20 % cut off, in a corner": (partial(_cropped, 0.2, 0.0, 0.0), 90),
    "cut to a square": (_square, 90),
    "mirrored": (ImageOps.mirror, 90),
    "turned by 90 degrees": (lambda image: image.transpose(Image.Transpose.ROTATE_90), 90),
    "turned by 180 degrees": (lambda image: image.transpose(Image.Transpose.ROTATE_180), 90),
    "turned by 3 degrees": (lambda i: i.rotate(3, Image.Resampling.BICUBIC, expand=False), 90),
}


def truth_set(photos: str, folder: Path, most: int = _MOST) -> int:
    """Write originals and altered copies below ``folder``; returns how many originals."""
    paths = sorted(path for path in Path(photos).rglob("*") if path.is_file())
    random.Random(0).shuffle(paths)
    count = 0
    for path in paths:
        try:
            image = decode.decode(path.read_bytes()).image
        except ImageError:
            continue
        for name, (alter, quality) in {"original": (same, 95), **ALTERATIONS}.items():
            target = folder / name / f"{count:04}.jpg"
            target.parent.mkdir(parents=True, exist_ok=True)
            alter(image).save(target, quality=quality)
        count += 1
        if count == most:
            break
    return count


def found(
    photos: str, views: str | None = None, most: str = str(_MOST)
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Recall for each alteration, and what was found wrongly; two minutes on a quiet machine."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "pictures"
        count = truth_set(photos, folder, int(most))
        if views:
            (folder / "original" / "views").mkdir()
            for path in sorted(Path(views).resolve().iterdir())[: 2 * int(most)]:
                (folder / "original" / "views" / path.name).symlink_to(path)
        with Collection.open(Path(temporary) / "index", create=True) as collection:
            collection.sync(folder)
            yield "images", {"originals": count, "all": len(collection)}
            for name in ALTERATIONS:
                yield name, _of_one(collection, folder, name, count)
            for level in ("same", "near", "similar"):
                for thorough in (False, True):
                    report = collection.duplicates(level, thorough=thorough)
                    yield f"all, {level}{', thorough' * thorough}", _precision(report)


def _of_one(collection: Collection, folder: Path, name: str, count: int) -> dict[str, Any]:
    sides = (folder / "original", folder / name)
    row: dict[str, Any] = {}
    for words, thorough in (("", False), ("thorough_", True)):
        report = collection.duplicates(between=sides, thorough=thorough)
        right, wrong = _right_and_wrong(report.groups)
        same, _ = _right_and_wrong(report.groups, "same")
        row |= {
            f"{words}same": round(same / count, 3),
            f"{words}near": round(right / count, 3),
            f"{words}wrong": wrong,
        }
    return row


def _precision(report: DuplicateReport) -> dict[str, Any]:
    right, wrong = _right_and_wrong(report.copies + report.similar)
    beside, beside_wrong = _right_and_wrong(report.staying)
    return {
        "groups": len(report.groups),
        "right": right,
        "wrong": wrong,
        "staying_right": beside,
        "staying_wrong": beside_wrong,
        "precision": round(right / max(1, right + wrong), 4),
        "seconds": round(report.seconds, 1),
    }


def _right_and_wrong(groups: Iterable[DuplicateGroup], level: str | None = None) -> tuple[int, int]:
    """Images beside one that stays, of the same photograph or of another."""
    right = wrong = 0
    for group in groups:
        for other in group.others:
            if level is not None and other.level != level:
                continue
            same = _source(group.keep.path) == _source(other.image.path)
            right, wrong = right + same, wrong + (not same)
    return right, wrong


def _source(path: str) -> str:
    """What tells the photograph that an image is of; a view is of itself alone."""
    return path if "views" in Path(path).parts else Path(path).name


if __name__ == "__main__":
    for words, row in found(*sys.argv[1:4]):
        print(f"{words:28} {json.dumps(row)}", flush=True)
