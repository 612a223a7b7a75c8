"""An encoder without weights: where which colours and edges are.

Far below a neural network in what it understands, but it needs nothing and is quick: for
tests, for pictures that differ by colour and layout, and as an example of an encoder.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.types import FloatArray, PixelArray

_GRID = 4  # cells a side
_LEVELS = 4  # steps of each colour channel
_DIRECTIONS = 8  # bins of edge orientation, half a turn in all
_SIDE = 64  # pixels


class ColourTextureEncoder:
    """A histogram of colours and one of edge orientations for each cell of a 4 by 4 grid.

    Square roots of the histograms are taken, so that Euclidean distance compares them as the
    Hellinger distance does (Arandjelović and Zisserman, 2012).
    """

    name = "colour-texture"
    thread_safe = True
    dim = _GRID * _GRID * (_LEVELS**3 + _DIRECTIONS)
    preprocessing = Preprocessing(resize=_SIDE, crop=_SIDE, interpolation="box")
    fingerprint = f"colour-texture;1;{preprocessing.fingerprint}"

    def encode(self, pixels: PixelArray) -> FloatArray:
        """Embed ``(n, 64, 64, 3)`` uint8 RGB pixels as ``(n, 1152)`` float32.

        Raises:
            ConfigError: other pixels than these.
        """
        if len(pixels):
            self.preprocessing.check(pixels)
        rows = [_histograms(picture) for picture in pixels]
        return np.asarray(rows, dtype=np.float32).reshape(len(pixels), self.dim)


def _histograms(picture: PixelArray) -> FloatArray:
    levels = picture.astype(np.int64) * _LEVELS // 256
    colours = (levels[..., 0] * _LEVELS + levels[..., 1]) * _LEVELS + levels[..., 2]
    down, right = np.gradient(picture.mean(axis=2))
    angles = np.arctan2(down, right) % np.pi
    directions = np.minimum((angles / np.pi * _DIRECTIONS).astype(np.int64), _DIRECTIONS - 1)
    parts = [
        _per_cell(colours, np.ones_like(angles), _LEVELS**3),
        _per_cell(directions, np.hypot(down, right), _DIRECTIONS),
    ]
    return np.concatenate(parts).astype(np.float32)


def _per_cell(
    bins: NDArray[np.int64], weights: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """The root of the share of each bin in the whole picture, cell by cell."""
    rows, columns = np.indices(bins.shape) * _GRID // _SIDE
    index = ((rows * _GRID + columns) * count + bins).ravel()
    histogram = np.bincount(index, weights.ravel(), minlength=_GRID * _GRID * count)
    shares: NDArray[np.float64] = histogram / max(histogram.sum(), 1e-9)
    return np.sqrt(shares)
