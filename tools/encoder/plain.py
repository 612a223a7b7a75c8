"""The plain recipe, to compare with: ONNX Runtime's static int8, seven-bit weights, MinMax."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from .pictures import photographs, views


class Views(CalibrationDataReader):  # type: ignore[misc]
    """Random views, one at a time."""

    def __init__(self, count: int, seed: int) -> None:
        self.views: Iterator[NDArray[np.uint8]] = views(photographs(), count, seed)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next input, or None."""
        pixels = next(self.views, None)
        return None if pixels is None else {"pixels": pixels[None]}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("float", type=Path)
    parser.add_argument("int8", type=Path)
    options = parser.parse_args()
    quantize_static(
        onnx.load(options.float),
        options.int8,
        Views(100, 7),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=["pixels.centred", "pixels.normalised"],
    )


if __name__ == "__main__":
    main()
