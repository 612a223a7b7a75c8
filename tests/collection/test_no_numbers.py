"""Encoders that give no finite embedding: of some picture, or of any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import CountingEncoder, draw
from PIL import Image

from image_similarity_search.collection import Collection
from image_similarity_search.errors import EncoderOutputError
from image_similarity_search.types import FloatArray, PixelArray


class _Divides(CountingEncoder):
    """Divides by how bright a picture is, as one that normalises does; ``broken`` by nothing."""

    broken = False

    def encode(self, pixels: PixelArray) -> FloatArray:
        dark = self.broken | (pixels.max(axis=(1, 2, 3)) == 0)
        return np.where(dark[:, None], np.nan, super().encode(pixels)).astype(np.float32)


@pytest.fixture
def encoder() -> _Divides:
    return _Divides()


def test_an_encoder_that_gives_none_of_any_picture_is_an_error_and_no_picture_bad(
    collection: Collection, encoder: _Divides, photos: Path
) -> None:
    collection.sync(photos)
    changed = photos / "picture 0.jpg"
    draw(50).save(changed)
    encoder.broken = True
    for index in (lambda: collection.sync(photos), lambda: collection.add(changed)):
        with pytest.raises(EncoderOutputError, match=r"NaN .* for every picture"):
            index()
    assert len(collection) == 12
    assert not list(collection.skipped())
    encoder.broken = False
    assert collection.sync(photos).updated == 1


def test_a_picture_of_which_it_gives_none_is_bad_even_where_no_other_is_new(
    collection: Collection, photos: Path
) -> None:
    collection.sync(photos)
    Image.new("RGB", (96, 72)).save(photos / "night.png")
    assert collection.sync(photos).skipped == 1
    (bad,) = collection.skipped()
    assert (Path(bad.path).name, bad.reason) == (
        "night.png",
        "the encoder gave no finite embedding",
    )


class _TooLong(CountingEncoder):
    """Gives embeddings of numbers, whose length is none in float32."""

    def encode(self, pixels: PixelArray) -> FloatArray:
        return super().encode(pixels) + np.float32(1e38)


def test_one_whose_length_is_no_number_is_bad(tmp_path: Path, photos: Path) -> None:
    with Collection.open(tmp_path / "index", encoder=_TooLong(), create=True) as collection:
        assert collection.sync(photos).skipped == 12
        assert not collection.verify().problems
