"""Demo pictures drawn here: eight kinds of scenes, each in variations, the same every time."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from PIL import Image

from image_similarity_search.cli.demo.picture_set import PictureSet, Recipes, encoded
from image_similarity_search.cli.demo.scenes import SCENES, Scene

VARIATIONS = 8

_FAST = {"quality": 86, "method": 1, "compress_level": 2}  # each format takes what it knows


def drawings() -> PictureSet:
    """Eight kinds of scenes in eight variations; the queries are a ninth of three kinds."""
    pictures: dict[str, Callable[[], bytes]] = {}
    for folder, scene in SCENES.items():
        pictures |= _recipes(folder, scene)
    queries = {
        f"{folder}.jpg": functools.partial(_drawn, SCENES[folder], VARIATIONS, "JPEG")
        for folder in ("Fish", "Sailing boat", "Flower")
    }
    source = f"{len(pictures)} pictures drawn by this program, free for any use"
    return PictureSet("drawings", pictures, queries, source, f"{source}.\n")


def _recipes(folder: str, scene: Scene) -> Recipes:
    kinds = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
    endings = ["jpg", "jpg", "png", "webp", "jpg", "png", "jpg", "webp"]
    return {
        f"{folder}/{folder.lower()} {i + 1}.{ending}": functools.partial(
            _drawn, scene, i, kinds[ending]
        )
        for i, ending in enumerate(endings[:VARIATIONS])
    }


def _drawn(scene: Scene, variation: int, kind: str) -> bytes:
    rng = np.random.default_rng([variation, *scene.__name__.encode()])
    picture = scene(rng).reduce(2)  # half the size smooths the edges
    # noise as film has it, so that flat areas look less like a computer's
    grain = rng.standard_normal((picture.height, picture.width, 1), np.float32) * 2
    pixels = np.clip(np.asarray(picture, np.float32) + grain, 0, 255).astype(np.uint8)
    return encoded(Image.fromarray(pixels), kind, **_FAST)
