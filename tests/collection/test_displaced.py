"""Images whose place another took in a sync that was stopped before it looked for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import CountingEncoder, draw

from image_similarity_search import SearchOptions, export_collection
from image_similarity_search.collection import Collection
from image_similarity_search.errors import EncoderOutputError, ImageNotFoundError
from image_similarity_search.types import FloatArray, PixelArray


class _Fails(CountingEncoder):
    """Can't encode."""

    def encode(self, pixels: PixelArray) -> FloatArray:
        raise RuntimeError


def test_an_image_that_lost_its_place_is_nowhere_until_the_next_sync(
    tmp_path: Path, collection: Collection, photos: Path
) -> None:
    collection.sync(photos)
    (gone,) = (image.id for image in collection if image.path.endswith("picture 0.jpg"))
    (photos / "holiday/picture 1.png").replace(photos / "picture 0.jpg")
    draw(50).save(photos / "new.png")
    with (
        Collection.open(tmp_path / "index", encoder=_Fails()) as failing,
        pytest.raises(EncoderOutputError),
    ):
        failing.sync(photos)
    there = [image.id for image in collection.images()]
    assert (len(there), gone in there) == (11, False)
    assert there == [image.id for image in collection]
    assert len(collection) == collection.count() == collection.info().indexed == 11
    assert gone not in collection
    for asked in (
        lambda: collection.get(gone),
        lambda: collection.search(gone, options=SearchOptions(mirrored=True)),
        lambda: collection.explain(gone, there[0]),
    ):
        with pytest.raises(ImageNotFoundError, match="was moved during"):
            asked()
    assert collection.measure_recall(5).recall == 1.0
    assert export_collection(tmp_path / "index", tmp_path / "all.npy") == 11
    assert collection.sync(photos).removed == 1
