"""Adds to an encoder file the root mean square of its last features, and learns what follows it.

    python -m tools.encoder.head FILE.onnx HEAD.npy

The photographs are those of ``pictures.py``. Random parts of them stand for pictures, each altered
at random three times. Of the unit vectors of all it takes the mean, and the directions in which a
picture moves most when it is altered: the axes of the scatter around each picture's own mean.
Each is shortened as much as (its variance + the mean variance) ** -1/2 is smaller than that of the
rest. HEAD.npy: ``(1 + AXES, 1280)`` float16, the mean and the axes, each as long as the root of
what is taken away: ``encoders/head.py`` says how it is used.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageOps

from . import pictures
from .graph import RMS, add_rms

PARTS = 30  # of each photograph
ALTERED = 3  # versions of each part
AXES = 64
SEED = 7
BATCH = 16

Rows = NDArray[np.float32]


def altered(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """One of the ways in which copies of a picture differ, or several, at random."""
    kind = rng.random()
    if kind < 0.2:
        side = rng.uniform(0.1, 0.6) ** 0.5
        width, height = int(image.width * side), int(image.height * side)
        x = int(rng.integers(0, image.width - width + 1))
        y = int(rng.integers(0, image.height - height + 1))
        size = image.size
        image = image.crop((x, y, x + width, y + height)).resize(size, Image.Resampling.BICUBIC)
    elif kind < 0.3:
        turns = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
        image = image.transpose(turns[int(rng.integers(3))])
    if rng.random() < 0.4:
        image = ImageOps.mirror(image)
    for _ in range(int(rng.integers(0 if kind < 0.3 else 1, 3))):
        image = pictures.ALTERATIONS[int(rng.integers(len(pictures.ALTERATIONS)))](image, rng)
    return image.resize((pictures.SIZE, pictures.SIZE), Image.Resampling.BICUBIC)


def scattered(session: onnxruntime.InferenceSession) -> Rows:
    """Unit vectors ``(pictures, 1 + ALTERED, dim)``."""
    rng = np.random.default_rng(SEED)
    photographs = pictures.photographs()
    views = []
    for _ in range(PARTS):
        for photograph in photographs:
            part = pictures.crop(photograph, rng)
            views += [np.asarray(part), *(np.asarray(altered(part, rng)) for _ in range(ALTERED))]
    found = [
        session.run([RMS], {"pixels": np.stack(views[start : start + BATCH])})[0]
        for start in range(0, len(views), BATCH)
    ]
    rows = np.concatenate(found)
    rows /= np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    return rows.reshape(-1, 1 + ALTERED, rows.shape[1])


def head_of(units: Rows) -> NDArray[np.float16]:
    """The mean, and the shortened axes."""
    mean = units.mean(axis=(0, 1))
    apart = (units - units.mean(axis=1, keepdims=True)).reshape(-1, units.shape[2])
    variances, axes = np.linalg.eigh(apart.T.astype(np.float64) @ apart / len(apart))
    variances, axes = variances[::-1], axes[:, ::-1]
    rest, whole = variances[AXES:].mean(), variances.mean()
    taken = 1 - ((variances[:AXES] + whole) / (rest + whole)) ** -0.5
    return np.vstack([mean, (axes[:, :AXES] * np.sqrt(taken)).T]).astype(np.float16)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("head", type=Path)
    options = parser.parse_args()
    model = onnx.load(options.file)
    if RMS not in [output.name for output in model.graph.output]:
        add_rms(model)
        options.file.write_bytes(model.SerializeToString(deterministic=True))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    np.save(options.head, head_of(scattered(session)))
    for path in (options.file, options.head):
        data = path.read_bytes()
        print(
            f"{path}: {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()}",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()
