"""What scores mean to an encoder: the numbers behind the words for thresholds.

    python benchmarks/thresholds.py PHOTOS UKBENCH [MODEL]

PHOTOS has pictures that show different things each, UKBENCH four in a row of each object. By
cosine. ``same-kind`` is the score that 1 in 100 pairs of pictures of different things reach,
``same-object`` that 1 in 1,000 reach, ``same-picture`` that 1 in 100 pairs of photographs of one
object reach: of the two sets the higher one, rounded up. What of the other pairs reaches it is
told, too.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_similarity_search import Encoder, create_encoder, vectors
from image_similarity_search.images import decode
from image_similarity_search.types import SCORE_WORDS, FloatArray

_OBJECT_SIZE = 4

Scores = NDArray[np.float64]


def _rows(encoder: Encoder, folder: str) -> FloatArray:
    """Comparable vectors of the pictures of a folder, by name."""
    parts = []
    for path in sorted(Path(folder).iterdir()):
        image = decode.decode(path.read_bytes()).image
        parts.append(encoder.encode(encoder.preprocessing.view(image)[None]))
    return vectors.comparable(np.concatenate(parts), "cosine")


def _pairs(rows: FloatArray) -> tuple[Scores, NDArray[np.bool_]]:
    """The score of each pair, and whether the two are of one object, four in a row being so."""
    first, second = np.triu_indices(len(rows), 1)
    scores = 1 / (2 - (rows.astype(np.float64) @ rows.T)[first, second])
    return scores, first // _OBJECT_SIZE == second // _OBJECT_SIZE


def main() -> None:
    """The command line."""
    encoder = create_encoder(sys.argv[3] if len(sys.argv) > 3 else None)
    different_things, _ = _pairs(_rows(encoder, sys.argv[1]))
    scores, alike = _pairs(_rows(encoder, sys.argv[2]))
    views, others = scores[alike], scores[~alike]

    def reached(share: float) -> float:
        return float(max(np.quantile(one, 1 - share) for one in (different_things, others)))

    found = (float(np.quantile(views, 0.99)), reached(1e-3), reached(1e-2))
    print(f"{encoder.name}: pairs that score as much")
    print("| word | score | views of one object | other things, UKBENCH | PHOTOS |")
    print("|---|---|---|---|---|")
    for word, score in zip(SCORE_WORDS, found, strict=True):
        least = math.ceil(score * 100) / 100
        parts = [float((one >= least).mean()) for one in (views, others, different_things)]
        print(f"| `{word}` | {least:.2f} | {parts[0]:.3f} | {parts[1]:.5f} | {parts[2]:.5f} |")


if __name__ == "__main__":
    main()
