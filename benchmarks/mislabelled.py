"""How many images in a wrong group ``evaluate`` tells, and how many others.

    python benchmarks/mislabelled.py PHOTOS UKBENCH [METRIC]

PHOTOS has pictures that show different things each, UKBENCH four in a row of each object. Groups
are made of these in many ways, of which no one is what all users have; of each, one image in twenty
is put into another group, drawn at random, three times over. AP is the average precision of the
order of ``fit``: 1 where all the planted come first.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from duplicates import enhanced, lettered
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from image_similarity_search import Collection, Metric, create_encoder, import_embeddings
from image_similarity_search.images import decode
from image_similarity_search.types import FloatArray, IdArray

_VIEWS = 4  # of each object of UKBENCH
_DRAWS = 3
_PLANTED = 20  # one in so many images
_LONGEST = 640  # pixels of an altered copy

_ALTERED = (
    lambda image: image,
    lettered,
    ImageOps.mirror,
    lambda image: ImageOps.crop(image, min(image.size) // 5),
    lambda image: image.rotate(12),
    lambda image: ImageOps.grayscale(image).convert("RGB"),
    lambda image: image.filter(ImageFilter.GaussianBlur(6)),
    partial(enhanced, ImageEnhance.Brightness, 0.5),
)

_Set = tuple[str, FloatArray, IdArray]


def _images(folder: str) -> Iterator[Image.Image]:
    for path in sorted(Path(folder).iterdir()):
        image = decode.decode(path.read_bytes()).image
        image.thumbnail((_LONGEST, _LONGEST))
        yield image


def _sets(photos: str, ukbench: str) -> Iterator[_Set]:
    """Embeddings, and the right group of each."""
    encoder = create_encoder()

    def rows(images: Iterator[Image.Image]) -> FloatArray:
        views = (encoder.preprocessing.view(image)[None] for image in images)
        return np.concatenate([encoder.encode(view) for view in views])

    objects, pictures = rows(_images(ukbench)), rows(_images(photos))
    object_of = np.arange(len(objects)) // _VIEWS
    for together in (1, 2, 5, 25):
        yield f"{together} objects, 4 views of each", objects, object_of // together
    two = np.arange(len(objects)) % _VIEWS < 2
    yield "1 object, 2 views of it", objects[two], object_of[two]
    chance = np.random.default_rng(0)
    uneven = (15 * chance.random(object_of.max() + 1) ** 3).astype(np.int64)[object_of]
    yield "objects, very unequal groups", objects, uneven
    half = len(pictures) // 4
    few = (image for number, image in enumerate(_images(photos)) if number < half)
    copies = rows(make(image) for image in few for make in _ALTERED)
    photo_of = np.arange(len(copies)) // len(_ALTERED)
    for together in (1, 10):
        yield f"{together} photographs, 8 copies of each", copies, photo_of // together
    rest = np.concatenate([pictures[half:], copies])
    of_rest = np.concatenate([np.zeros(len(pictures) - half, np.int64), photo_of + 1])
    yield "the same of 1, and one of all other photographs", rest, of_rest
    for count in (10, 40):
        yield f"photographs, {count} groups by k-means", pictures, _clustered(pictures, count)


def _clustered(rows: FloatArray, count: int) -> IdArray:
    with tempfile.TemporaryDirectory() as place, _collection(rows, place, "cosine") as collection:
        groups = np.zeros(len(rows), np.int64)
        for number, cluster in enumerate(collection.clusters(count).clusters):
            groups[cluster.ids - 1] = number
        return groups


def _collection(rows: FloatArray, place: str, metric: Metric) -> Collection:
    import_embeddings(rows, place, paths=[f"/{row}.jpg" for row in range(len(rows))], metric=metric)
    return Collection.open(place)


def _found(collection: Collection, right: IdArray, draw: int) -> NDArray[np.float64]:
    """How many were planted, told, told of these, and told with the right group; and the AP."""
    chance = np.random.default_rng(draw)
    planted = chance.choice(len(right), len(right) // _PLANTED, replace=False)
    groups = right.copy()
    for row in planted:
        groups[row] = chance.choice(np.setdiff1d(right, right[row]))
    report = collection.evaluate({f"/{row}.jpg": str(group) for row, group in enumerate(groups)})
    told = [(one.image.id - 1, one.looks_like) for one in report.mislabelled()]
    rows = [one.image.id - 1 for one in sorted(report.queries, key=lambda one: one.fit)]
    ranks = np.flatnonzero(np.isin(rows, planted)) + 1
    wrong = [(row, group) for row, group in told if row in set(planted.tolist())]
    named = sum(group == str(right[row]) for row, group in wrong)
    precision = float((np.arange(1, len(ranks) + 1) / ranks).mean())
    return np.array([len(planted), len(told), len(wrong), named, precision])


def main() -> None:
    """The command line."""
    metric = cast("Metric", sys.argv[3] if len(sys.argv) > 3 else "cosine")
    print("| groups of | planted | told | of these planted | with the right group | AP |")
    print("|---|---|---|---|---|---|")
    for name, rows, right in _sets(sys.argv[1], sys.argv[2]):
        with tempfile.TemporaryDirectory() as place, _collection(rows, place, metric) as collection:
            draws = [_found(collection, right, draw) for draw in range(_DRAWS)]
        *counts, precision = np.mean(draws, axis=0).tolist()
        cells = " | ".join(f"{count:.1f}" for count in counts)
        print(f"| {name} | {cells} | {precision:.2f} |", flush=True)


if __name__ == "__main__":
    main()
