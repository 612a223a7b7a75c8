"""As many picture files as are wanted, of a few photographs."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image

_PER_FOLDER = 1000
_JPEG = (".jpg", ".jpeg")


def jpegs_in(folder: str | Path) -> list[Path]:
    """The JPEG files at and below a folder, in order."""
    return sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in _JPEG)


def copied(photos: str | Path, folder: str | Path, count: int) -> str:
    """``count`` JPEG files that decode as those in ``photos``, with a few bytes more at the end.

    So each is another content, which must be decoded and encoded. Returns the folder.
    """
    contents = [path.read_bytes() for path in jpegs_in(photos)]
    for number in range(count):
        inner = Path(folder) / f"{number // _PER_FOLDER:03}"
        if number % _PER_FOLDER == 0:
            inner.mkdir(parents=True)
        data = contents[number % len(contents)]
        (inner / f"{number:06}.jpg").write_bytes(data + b"%d" % number)
    return os.fspath(folder)


def enlarged(photos: str | Path, folder: str | Path, count: int, size: tuple[int, int]) -> str:
    """``count`` of the photographs as JPEG files of ``size`` pixels. Returns the folder."""
    Path(folder).mkdir(parents=True)
    for number, path in enumerate(jpegs_in(photos)[:count]):
        with Image.open(path) as image:
            large = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
        large.save(Path(folder) / f"{number:06}.jpg", quality=90)
    return os.fspath(folder)
