"""An index as programs in the way of the well-known recipe write it."""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from PIL import Image

from image_similarity_search.encoders.base import Encoder
from image_similarity_search.types import FloatArray


def embeddings_of(paths: Sequence[str | Path], encoder: Encoder) -> FloatArray:
    """What the recipe makes of pictures: it takes the pixels as they are."""
    views = []
    for path in paths:
        with Image.open(path) as image:
            views.append(encoder.preprocessing.view(image.convert("RGB")))
    return encoder.encode(np.stack(views))


def write_files(
    folder: Path, paths: Sequence[Any], rows: FloatArray, index: Any = None, protocol: int = 4
) -> None:
    """The two files; ``index`` is an empty FAISS index, ``IndexFlatL2`` by default."""
    folder.mkdir(parents=True, exist_ok=True)
    index = index if index is not None else faiss.IndexFlatL2(rows.shape[1])
    if len(rows):
        index.add(np.ascontiguousarray(rows))
    faiss.write_index(index, str(folder / "faiss.index"))
    with open(folder / "image_paths.pkl", "wb") as file:
        pickle.dump(
            [path if type(path) is str else os.fspath(path) for path in paths], file, protocol
        )


def write_index(folder: Path, paths: Sequence[str | Path], encoder: Encoder) -> None:
    """The index of these pictures."""
    write_files(folder, paths, embeddings_of(paths, encoder))
