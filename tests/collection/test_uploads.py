"""Pictures of strangers: embedded as any, and what becomes of hostile ones."""

from __future__ import annotations

import os
from concurrent.futures import CancelledError, Future
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from conftest import CountingEncoder, children_of, draw, until

from image_similarity_search.collection import Collection
from image_similarity_search.errors import (
    ConfigError,
    EncoderOutputError,
    ImageSearchError,
    ImageTooLargeError,
    ImageTooSlowError,
    ImageUnreadableError,
)
from image_similarity_search.types import FloatArray, PixelArray, Region
from image_similarity_search.workers.pool import Pool


def _png(seed: int, size: tuple[int, int] = (96, 72)) -> bytes:
    out = BytesIO()
    draw(seed, size).save(out, "PNG")
    return out.getvalue()


def test_they_are_embedded_as_any_picture(collection: Collection) -> None:
    pictures = [_png(seed) for seed in range(20)]
    with collection.uploads() as uploads:
        futures = [uploads.embed(data) for data in pictures]
        rows = np.stack([future.result() for future in futures])
    assert (rows == collection.embed(pictures)).all()


def test_those_that_wait_are_encoded_together(tmp_path: Path) -> None:
    calls: list[int] = []

    class Slow(CountingEncoder):
        def encode(self, pixels: PixelArray) -> FloatArray:
            calls.append(len(pixels))
            until(lambda: len(calls) > 1 or len(futures) == 40)
            return super().encode(pixels)

    futures: list[Future[FloatArray]] = []
    with (
        Collection.open(tmp_path / "index", encoder=Slow(), create=True) as collection,
        collection.uploads() as uploads,
    ):
        futures.extend(uploads.embed(_png(seed % 4)) for seed in range(40))
        for future in futures:
            future.result()
    assert sum(calls) == 40
    assert max(calls) > 1


def test_a_part_is_embedded_as_if_it_were_a_picture(collection: Collection) -> None:
    whole = draw(1, (200, 200))
    part = whole.crop((100, 50, 200, 150))
    out, cut = BytesIO(), BytesIO()
    whole.save(out, "PNG")
    part.save(cut, "PNG")
    with collection.uploads() as uploads:
        row = uploads.embed(out.getvalue(), Region(*np.array([0.5, 0.25, 0.5, 0.5]))).result()
    assert (row == collection.embed([cut.getvalue()])[0]).all()


def test_bad_ones_cost_nobody_else_anything(collection: Collection) -> None:
    with collection.uploads(max_pixels=10_000) as uploads:
        good = [uploads.embed(_png(seed)) for seed in range(3)]
        with pytest.raises(ImageUnreadableError, match="not a supported image format"):
            uploads.embed(b"no picture").result()
        with pytest.raises(ImageTooLargeError, match="10,000"):
            uploads.embed(_png(1, (101, 100))).result()
        assert all(future.result().shape == (collection.encoder.dim,) for future in good)
        with pytest.raises(ImageUnreadableError):
            uploads.thumbnail(b"no picture")
        assert uploads.thumbnail(_png(1)).startswith(b"\xff\xd8")


def test_one_that_takes_too_long_is_given_up(collection: Collection) -> None:
    large = _png(1, (1000, 1000))
    with (
        collection.uploads(seconds=1e-4) as uploads,
        pytest.raises(ImageTooSlowError, match=r"more than 0\.0001 s"),
    ):
        uploads.embed(large).result()


@pytest.mark.unix
def test_a_lost_decoder_is_replaced(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "image_similarity_search.collection.uploads.Pool", Pool
    )  # whose processes nobody else gets
    before = children_of(os.getpid())
    with collection.uploads() as uploads:
        uploads.embed(_png(1)).result()
        for pid in children_of(os.getpid()) - before:
            os.kill(pid, 9)
        assert uploads.embed(_png(2)).result().shape == (collection.encoder.dim,)
    until(lambda: not children_of(os.getpid()) - before)


def test_an_encoder_that_fails_fails_those_alone_that_it_was_given(tmp_path: Path) -> None:
    class Failing(CountingEncoder):
        def encode(self, pixels: PixelArray) -> FloatArray:
            rows = super().encode(pixels)
            if self.count == 1:
                raise ValueError("no")
            return rows * np.float32(np.nan) if self.count == 2 else rows

    with (
        Collection.open(tmp_path / "index", encoder=Failing(), create=True) as collection,
        collection.uploads() as uploads,
    ):
        with pytest.raises(EncoderOutputError, match="ValueError: no"):
            uploads.embed(_png(1)).result()
        with pytest.raises(EncoderOutputError, match="no finite"):
            uploads.embed(_png(1)).result()
        assert np.isfinite(uploads.embed(_png(1)).result()).all()


def test_what_is_under_way_at_the_end_is_not_waited_for_in_vain(collection: Collection) -> None:
    uploads = collection.uploads()
    futures = [uploads.embed(data) for data in [_png(1, (1000, 1000))] * 24]
    uploads.close()
    for future in futures:
        error = future.exception(timeout=20)
        assert error is None or isinstance(error, CancelledError | ImageSearchError)


def test_limits_are_checked(collection: Collection) -> None:
    for limits in ({"max_pixels": 0}, {"seconds": 0.0}, {"seconds": float("nan")}):
        with pytest.raises(ConfigError):
            collection.uploads(**limits)
