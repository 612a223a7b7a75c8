"""Copies among the hits of a search, folded into the better one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.collection.duplicates.levels import NEAR_LIKENESS
from image_similarity_search.collection.duplicates.likeness import (
    is_plain,
    normalised,
    orientations,
)
from image_similarity_search.collection.duplicates.signing import SIDE, grey_signature
from image_similarity_search.collection.thumbnails import KeptThumbnail
from image_similarity_search.types import FloatArray, Hit, ImageRecord

_COARSE = 8  # pixels of a side
_AT_ONCE = 128  # hits that are compared together
_ROUNDING = 1e-4


class Folding:
    """Folds the hits of one search; what it saw of a picture is remembered for the next time.

    The same bytes are copies, and what ``iss duplicates`` calls near by the pixels of the whole
    picture, whichever way up. Pixels are those of the thumbnails that are kept.
    """

    def __init__(self, thumbnail: KeptThumbnail) -> None:
        self._thumbnail = thumbnail
        self._signatures: dict[int, FloatArray] = {}

    def folded(self, hits: Sequence[Hit]) -> list[Hit]:
        """The hits without those that are copies of a better one, which are put to it."""
        contents: dict[str, int] = {}
        homes = [contents.setdefault(_content(hit), at) for at, hit in enumerate(hits)]
        own = [at for at, home in enumerate(homes) if at == home]
        signatures = np.array([self._signature(hits[at].image) for at in own])
        for at, home in zip(own, _homes(signatures), strict=True):
            homes[at] = own[home]
        copies: dict[int, list[ImageRecord]] = {at: [] for at in own if homes[at] == at}
        for at, hit in enumerate(hits):
            home = homes[homes[at]]
            if home != at:
                copies[home].append(hit.image)
        return [replace(hits[at], folded=tuple(others)) for at, others in copies.items()]

    def _signature(self, image: ImageRecord) -> FloatArray:
        """What a thumbnail shows ``(32, 32)``; zeros where that is nothing to compare."""
        if image.id not in self._signatures:
            self._signatures[image.id] = _signature(self._thumbnail(image))
        return self._signatures[image.id]


def _content(hit: Hit) -> str:
    return hit.image.content_hash or f"image {hit.id}"


def _signature(jpeg: bytes | None) -> FloatArray:
    if jpeg:
        from PIL import Image

        with Image.open(BytesIO(jpeg), formats=["JPEG"]) as image:
            image.draft(None, (2 * SIDE, 2 * SIDE))
            grey = np.asarray(grey_signature(image.convert("RGB")))
        if not is_plain(grey[None])[0]:
            return normalised(grey.astype(np.float32))
    return np.zeros((SIDE, SIDE), dtype=np.float32)


def _homes(signatures: FloatArray) -> list[int]:
    """Of each signature ``(n, 32, 32)`` the place of the first that it is near to, or its own.

    What is near to another has no others that are near to it.
    """
    flat = signatures.reshape(-1, SIDE * SIDE)
    homes: list[int] = []
    for at, maybe in enumerate(_maybe_near(signatures)):
        home = at
        if firsts := [other for other in maybe if homes[other] == other]:
            views = orientations(signatures[at]).reshape(-1, SIDE * SIDE)
            near = (views @ flat[firsts].T).max(axis=0) >= NEAR_LIKENESS
            home = firsts[int(near.argmax())] if near.any() else at
        homes.append(home)
    return homes


def _maybe_near(signatures: FloatArray) -> Iterator[NDArray[np.intp]]:
    """For each signature the places of those before it that may be near to it.

    A product of two is at most that of their coarse parts, and of the lengths of what is left.
    """
    step = SIDE // _COARSE
    coarse = signatures.reshape(-1, _COARSE, step, _COARSE, step).sum(axis=(2, 4)) / step
    flat = coarse.reshape(-1, _COARSE * _COARSE)
    left = np.sqrt(np.maximum(0, np.square(signatures).sum(axis=(1, 2)) - np.square(flat).sum(1)))
    for start in range(0, len(signatures), _AT_ONCE):
        some = slice(start, min(start + _AT_ONCE, len(signatures)))
        views = orientations(coarse[some])
        products = views.reshape(-1, flat.shape[1]) @ flat[: some.stop].T
        most = products.reshape(len(views), -1, some.stop).max(axis=0)
        most += np.outer(left[some], left[: some.stop])
        for row, bound in enumerate(most):
            yield np.flatnonzero(bound[: start + row] >= NEAR_LIKENESS - _ROUNDING)
