"""check_encoder passes a good encoder and names what is wrong with a bad one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.testing import check_encoder
from image_similarity_search.types import FloatArray, PixelArray


class MeanColour:
    """A whole encoder in ten lines."""

    name = "mean-colour"
    dim = 3
    preprocessing = Preprocessing(resize=32, crop=24)
    fingerprint = f"mean-colour-1;{preprocessing.fingerprint}"

    def encode(self, pixels: PixelArray) -> FloatArray:
        return np.asarray(pixels.mean(axis=(1, 2)), dtype=np.float32)


class Double(MeanColour):
    def encode(self, pixels: PixelArray) -> Any:
        return super().encode(pixels).astype(np.float64)


class ListOfRows(MeanColour):
    def encode(self, pixels: PixelArray) -> Any:
        return super().encode(pixels).tolist()


class TooWide(MeanColour):
    def encode(self, pixels: PixelArray) -> FloatArray:
        return np.repeat(super().encode(pixels), 2, axis=1)


class NotANumber(MeanColour):
    def encode(self, pixels: PixelArray) -> FloatArray:
        rows = super().encode(pixels)
        rows[rows == 0] = np.nan
        return rows


class PlusTheBatchMean(MeanColour):
    def encode(self, pixels: PixelArray) -> FloatArray:
        rows = super().encode(pixels)
        return np.asarray(rows + (rows.mean(axis=0) if len(rows) else 0), dtype=np.float32)


class LouderInCompany(MeanColour):
    def encode(self, pixels: PixelArray) -> FloatArray:
        return super().encode(pixels) * np.float32(len(pixels))


class SortedRows(MeanColour):
    def encode(self, pixels: PixelArray) -> FloatArray:
        rows = super().encode(pixels)
        return np.asarray(rows[np.argsort(rows.sum(axis=1))])


class Random(MeanColour):
    def encode(self, pixels: PixelArray) -> FloatArray:
        noise = np.random.default_rng().normal(size=(len(pixels), 3))
        return (super().encode(pixels) + 20 * noise).astype(np.float32)


class NoEmptyBatch(MeanColour):
    def encode(self, pixels: PixelArray) -> FloatArray:
        return np.array([row.mean(axis=(0, 1)) for row in pixels], dtype=np.float32)


class Constant(MeanColour):
    def encode(self, pixels: PixelArray) -> FloatArray:
        return np.ones((len(pixels), 3), dtype=np.float32)


class ChangesItsInput(MeanColour):
    def encode(self, pixels: PixelArray) -> FloatArray:
        pixels //= 2
        return super().encode(pixels)


class OneBuffer(MeanColour):
    def __init__(self) -> None:
        self.buffer = np.zeros((100, 3), dtype=np.float32)

    def encode(self, pixels: PixelArray) -> FloatArray:
        self.buffer[: len(pixels)] = super().encode(pixels)
        return self.buffer[: len(pixels)]


class NoFingerprint(MeanColour):
    fingerprint = ""


class MissingFingerprint:
    name = "x"
    dim = 3
    preprocessing = Preprocessing()


class ChangingFingerprint(MeanColour):
    calls = 0

    @property
    def fingerprint(self) -> str:  # type: ignore[override]
        self.calls += 1
        return f"mean-colour-{self.calls}"


class NoName(MeanColour):
    name = ""


class NoDim(MeanColour):
    dim = 0


class NoPreprocessing(MeanColour):
    preprocessing: Any = None


class NoEncode:
    name = "x"
    dim = 3
    preprocessing = Preprocessing()
    fingerprint = "x"


def test_a_good_encoder_passes() -> None:
    check_encoder(MeanColour())


@pytest.mark.parametrize(
    ("encoder", "complaint"),
    [
        (Double, "float64, not float32"),
        (ListOfRows, "a list, not an array"),
        (TooWide, r"shape \(0, 6\), not \(0, 3\)"),
        (NotANumber, "not finite"),
        (PlusTheBatchMean, "depends on the other pictures .*cosine"),
        (LouderInCompany, "depends on the other pictures .*lengths"),
        (SortedRows, "depends on the place"),
        (Random, "twice, gave two results"),
        (NoEmptyBatch, r"encode of 0 pictures returned shape \(0,\)"),
        (Constant, "have the same embedding"),
        (ChangesItsInput, "changed the pixels"),
        (OneBuffer, "changed an array returned before"),
        (NoFingerprint, "fingerprint is ''"),
        (MissingFingerprint, "fingerprint is None"),
        (ChangingFingerprint, "the fingerprint changed"),
        (NoName, "name is ''"),
        (NoDim, "dim is 0"),
        (NoPreprocessing, "not a Preprocessing"),
        (NoEncode, "no method encode"),
    ],
)
def test_a_bad_encoder_is_caught(encoder: type[Any], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_encoder(encoder())
