"""A collection of 100,000 images without their files: rows, embeddings, and some thumbnails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from conftest import draw

from image_similarity_search.catalog.new_catalog import NewCatalog
from image_similarity_search.catalog.values import ImageBatch
from image_similarity_search.collection.identity import identity_of
from image_similarity_search.encoders.colour_texture import ColourTextureEncoder
from image_similarity_search.images.thumbnail import thumbnail_of
from image_similarity_search.thumbnails.thumbnail_file import ThumbnailFile
from image_similarity_search.types import ImageRecord

COUNT = 100_000
_CONTENTS = 100  # different pictures, of which the images are copies
_AT_ONCE = 10_000


def make_many(place: Path) -> None:
    """An index in ``place/index`` of what was in ``place/photos``, say."""
    photos, index = place / "photos", place / "index"
    photos.mkdir(parents=True)
    index.mkdir()
    encoder = ColourTextureEncoder()
    rng = np.random.default_rng(1)
    with NewCatalog.begun(str(index), identity_of(encoder, None, None)) as catalog:
        catalog.put_roots([str(photos)])
        for start in range(1, COUNT + 1, _AT_ONCE):
            units = rng.standard_normal((_AT_ONCE, encoder.dim)).astype(np.float32)
            units /= np.linalg.norm(units, axis=1, keepdims=True)
            records = [_record(photos, id_) for id_ in range(start, start + _AT_ONCE)]
            norms = np.ones(_AT_ONCE, dtype=np.float32)
            catalog.put_rows(ImageBatch(records, units.astype(np.float16), norms))
        catalog.put_in_place()
    kept = ThumbnailFile(str(index))
    kept.put({_content(seed): thumbnail_of(draw(seed, (256, 192))) for seed in range(_CONTENTS)})
    kept.close()


def _record(photos: Path, id_: int) -> ImageRecord:
    path = str(photos / f"{id_ // 1000:03}" / f"image {id_}.jpg")
    return ImageRecord(id_, path, 1, 1, _content(id_ % _CONTENTS), 256, 192, "indexed", None, {})


def _content(seed: int) -> str:
    return f"{seed:032x}"
