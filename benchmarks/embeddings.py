"""Real embeddings, and as many more as are wanted, grown from them.

Each picture is encoded whole and in crops; every seventh picture is held out, whole, as a query.
The rest is grown by mixing: a row leans towards one real embedding and a little towards another,
so that it lies where pictures lie. Neighbours are closer together than among as many real
pictures, which makes finding the right ten harder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from image_similarity_search import create_encoder
from image_similarity_search.errors import ImageError
from image_similarity_search.images import decode
from image_similarity_search.types import FloatArray

BLOCK = 4096  # rows grown at a time
_CROPS = 6  # of each picture, beside the whole of it
_QUERY_EVERY = 7
_MOST_QUERIES = 200
_BATCH = 64


@dataclass(frozen=True, slots=True)
class RealEmbeddings:
    """Embeddings of pictures: ``base`` ``(n, dim)`` to search in, ``queries`` ``(q, dim)``."""

    base: FloatArray
    queries: FloatArray


def encoded(folders: Sequence[str]) -> RealEmbeddings:
    """Encode the pictures of some folders with the bundled encoder."""
    rng = np.random.default_rng(0)
    encoder = create_encoder()
    views: dict[bool, list[FloatArray]] = {False: [], True: []}  # by whether it is a query
    waiting: list[tuple[bool, Image.Image]] = []

    def encode() -> None:
        rows = encoder.encode(np.stack([encoder.preprocessing.view(one) for _, one in waiting]))
        for (is_query, _), row in zip(waiting, rows, strict=True):
            views[is_query].append(row)
        waiting.clear()

    paths = [path for folder in folders for path in sorted(Path(folder).rglob("*"))]
    number = 0
    for path in filter(Path.is_file, paths):
        try:
            image = decode.decode(path.read_bytes(), name=str(path), min_side=256).image
        except ImageError:
            continue
        is_query = number % _QUERY_EVERY == 0 and number < _QUERY_EVERY * _MOST_QUERIES
        number += 1
        waiting.append((is_query, image))
        waiting += [] if is_query else [(False, _crop(image, rng)) for _ in range(_CROPS)]
        if len(waiting) >= _BATCH:
            encode()
    if waiting:
        encode()
    if not views[False]:
        raise SystemExit(f"fewer than two pictures in {', '.join(folders)}")
    return RealEmbeddings(np.array(views[False]), np.array(views[True]))


def grown(base: FloatArray, count: int) -> Iterator[FloatArray]:
    """``count`` embeddings, ``BLOCK`` at a time: those of ``base`` first, then mixed ones."""
    rng = np.random.default_rng(1)
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        real = base[start : start + size]
        left = size - len(real)
        one, other = rng.integers(0, len(base), (2, left))
        share = rng.uniform(0.5, 1, (left, 1)).astype(np.float32)
        yield np.concatenate([real, base[one] * share + base[other] * (1 - share)])


def _crop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    width, height = image.size
    side = int(min(width, height) * rng.uniform(0.5, 0.95))
    left, top = rng.integers(0, width - side + 1), rng.integers(0, height - side + 1)
    return image.crop((int(left), int(top), int(left) + side, int(top) + side))
