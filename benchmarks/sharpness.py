"""Which of two files of one size ``duplicates`` suggests to keep: an original, or a worse copy.

    python benchmarks/sharpness.py PHOTOS [COUNT]

Each photograph is altered in several ways, in its own size. Of most copies the original is plainly
the better one; the last ones are as sharp, and there sharpness is to say nothing.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from duplicates import enhanced, lettered, same
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from image_similarity_search import Collection
from image_similarity_search.errors import ImageError
from image_similarity_search.images import decode

_MOST = 400  # photographs
_Alteration = Callable[[Image.Image], Image.Image]


def _blurred(radius: float, image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(radius))


def _through(factor: float, image: Image.Image) -> Image.Image:
    """By way of another size, and back."""
    width, height = (max(1, round(factor * side)) for side in image.size)
    bicubic = Image.Resampling.BICUBIC
    return image.resize((width, height), bicubic).resize(image.size, bicubic)


# name: what is done, and the quality of the JPEG, which is often a larger file than the original
WORSE: Mapping[str, tuple[_Alteration, int]] = {
    "blurred by 0.5 pixels": (partial(_blurred, 0.5), 98),
    "blurred by 1 pixel": (partial(_blurred, 1), 98),
    "blurred by 2 pixels": (partial(_blurred, 2), 98),
    "saved at quality 75": (same, 75),
    "saved at quality 40": (same, 40),
    "saved at quality 20": (same, 20),
    "enlarged to twice, and back": (partial(_through, 2), 98),
    "reduced to 80 %, and back": (partial(_through, 0.8), 98),
    "reduced to half, and back": (partial(_through, 0.5), 98),
    "blurred by 1 pixel, quality 40": (partial(_blurred, 1), 40),
}
AS_SHARP: Mapping[str, tuple[_Alteration, int]] = {
    "saved at quality 98": (same, 98),
    "brighter by 20 %": (partial(enhanced, ImageEnhance.Brightness, 1.2), 98),
    "darker by 20 %": (partial(enhanced, ImageEnhance.Brightness, 0.8), 98),
    "more contrast": (partial(enhanced, ImageEnhance.Contrast, 1.3), 98),
    "black and white": (lambda image: image.convert("L").convert("RGB"), 98),
    "lettered": (lettered, 98),
    "mirrored": (ImageOps.mirror, 98),
}


def preferred(photos: str, most: str = str(_MOST)) -> Iterator[tuple[str, dict[str, int]]]:
    """Of the pairs that are found, how many originals are kept, and how many for being sharper."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "pictures"
        count = _write(photos, folder, int(most))
        with Collection.open(Path(temporary) / "index", create=True) as collection:
            collection.sync(folder)
            yield "images", {"originals": count, "all": len(collection)}
            for name in {**WORSE, **AS_SHARP}:
                yield name, _of_one(collection, folder, name)


def _write(photos: str, folder: Path, most: int) -> int:
    """Write originals and altered copies below ``folder``; returns how many originals."""
    paths = sorted(path for path in Path(photos).rglob("*") if path.is_file())
    random.Random(0).shuffle(paths)
    count = 0
    for path in paths:
        try:
            data = path.read_bytes()
            image = decode.decode(data).image
        except ImageError:
            continue
        for name, (alter, quality) in {**WORSE, **AS_SHARP}.items():
            target = folder / name / f"{count:04}.jpg"
            target.parent.mkdir(parents=True, exist_ok=True)
            alter(image).save(target, quality=quality)
        original = folder / "original" / f"{count:04}{path.suffix}"
        original.parent.mkdir(exist_ok=True)
        original.write_bytes(data)
        count += 1
        if count == most:
            break
    return count


def _of_one(collection: Collection, folder: Path, name: str) -> dict[str, int]:
    report = collection.duplicates(between=(folder / "original", folder / name))
    kept: Counter[tuple[str, bool]] = Counter()
    for group in report.groups:
        original = Path(group.keep.path).parent.name == "original"
        for other in group.others:
            if Path(other.image.path).stem == Path(group.keep.path).stem:
                kept["original" if original else "copy", group.why == "sharpest"] += 1
    return {
        "pairs": kept.total(),
        "original_as_sharper": kept["original", True],
        "original_otherwise": kept["original", False],
        "copy_otherwise": kept["copy", False],
        "copy_as_sharper": kept["copy", True],
    }


if __name__ == "__main__":
    for words, row in preferred(*sys.argv[1:3]):
        print(f"{words:32} {json.dumps(row)}", flush=True)
