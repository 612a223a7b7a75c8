"""How long ``duplicates`` takes among very many pictures, and how much memory.

    python benchmarks/many_duplicates.py 100000 /tmp/scratch PHOTOS ...

Each picture is a view of a photograph: a part of it, of another place and size, sometimes mirrored,
in other colours. So most are no copies, but each has dozens that are like it by embeddings, which
is harder than in anybody's folder. Of one in 20 there is a copy beside it: the same bytes, saved
anew, or half the size. What was made in the scratch folder before serves again.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from bench.machine import machine
from many_pictures import jpegs_in
from PIL import Image, ImageEnhance, ImageOps
from tree_memory import peak_of

from image_similarity_search import Collection
from image_similarity_search.images import decode

_SIZE = (400, 300)
_COPIED = 20  # of so many views there is a copy of one
_PER_FOLDER = 1000


def _view(image: Image.Image, rng: random.Random) -> Image.Image:
    """A part of a photograph, no less than a third of a side and no more than 60 %."""
    width, height = (round(rng.uniform(0.33, 0.6) * side) for side in image.size)
    left, top = rng.randrange(image.width - width), rng.randrange(image.height - height)
    view = image.crop((left, top, left + width, top + height)).resize(_SIZE)
    view = ImageOps.mirror(view) if rng.random() < 0.5 else view
    return ImageEnhance.Color(view).enhance(rng.uniform(0.4, 1.6))


def _write_views(task: tuple[str, Path, range]) -> None:
    """Views of one photograph, by the numbers that they get, and copies of some."""
    path, folder, numbers = task
    rng = random.Random(path)
    image = decode.decode(Path(path).read_bytes()).image
    for number in numbers:
        target = _file(folder, number)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not _is_copy(number):
            view = _view(image, rng)
            view.save(target, quality=85)
        elif number // _COPIED % 3 == 0:
            shutil.copy(_file(folder, number - 1), target)
        elif number // _COPIED % 3 == 1:
            view.save(target, quality=50)
        else:
            view.resize((_SIZE[0] // 2, _SIZE[1] // 2)).save(target, quality=85)


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number // _PER_FOLDER:03}" / f"{number:06}.jpg"


def _is_copy(number: int) -> bool:
    """Whether a picture is a copy of the one before it."""
    return number % _COPIED == _COPIED - 1


def _write(folder: Path, count: int, photos: list[Path]) -> None:
    each = -(-count // len(photos) // _COPIED) * _COPIED
    tasks = [
        (str(path), folder, range(start, min(count, start + each)))
        for path, start in zip(photos, range(0, count, each), strict=False)
    ]
    with get_context("spawn").Pool() as pool:
        for done, _ in enumerate(pool.imap_unordered(_write_views, tasks), start=1):
            print(f"\rviews of {done} of {len(tasks)} photographs", end="", file=sys.stderr)
    print(file=sys.stderr)


def measured(count: int, scratch: Path, photos: list[Path]) -> dict[str, Any]:
    """What a search for duplicates among ``count`` pictures takes, and what it finds."""
    pictures, index = scratch / f"{count}-pictures", scratch / f"{count}-index"
    if not pictures.exists():
        _write(pictures, count, photos)
    with Collection.open(index, create=True) as collection:
        indexing = collection.sync(pictures).seconds
    figures: dict[str, Any] = {"machine": machine(), "images": count, "indexing_s": round(indexing)}
    command = [sys.executable, "-m", "image_similarity_search", "duplicates", "--json"]
    with open(scratch / "found.json", "w+", encoding="utf-8") as out:
        begin, before = time.perf_counter(), os.times()
        process = subprocess.Popen([*command, "--index-dir", str(index)], stdout=out, text=True)
        peak = peak_of(process, every=0.5)
        seconds, after = time.perf_counter() - begin, os.times()
        out.seek(0)
        report = json.load(out)
    used = sum(after[2:4]) - sum(before[2:4])  # of children that have ended
    return (
        figures
        | {
            "seconds": round(seconds),
            "processors_got": round(used / seconds, 2),
            "peak_mib": round(peak),
        }
        | _found(report, count)
    )


def _found(report: dict[str, Any], count: int) -> dict[str, Any]:
    """How many of the copies are in a group with what they are copies of."""
    group_of: dict[int, set[int]] = {}
    for place, group in enumerate(report["groups"]):
        for image in (group["keep"], *group["others"]):
            group_of.setdefault(int(Path(image["path"]).stem), set()).add(place)
    copies = [number for number in range(count) if _is_copy(number)]
    found = sum(
        not group_of.get(one, set()).isdisjoint(group_of.get(one - 1, set())) for one in copies
    )
    return {"groups": len(report["groups"]), "copies": len(copies), "copies_found": found}


if __name__ == "__main__":
    files = [path for folder in sys.argv[3:] for path in jpegs_in(folder)]
    print(json.dumps(measured(int(sys.argv[1]), Path(sys.argv[2]), files), indent=2))
