"""What a picture may be given as, and an embedding."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import CountingEncoder

import image_similarity_search as package
from image_similarity_search import (
    Collection,
    ConfigError,
    ImageNotFoundError,
    ImageUnreadableError,
    errors,
)
from image_similarity_search.types import METRICS, Metric


def _looked_at(path: Path) -> io.BytesIO:
    file = io.BytesIO(path.read_bytes())
    file.read(20)  # as where somebody looked what it is
    return file


@pytest.mark.parametrize(
    "given",
    [
        _looked_at,
        lambda path: io.BytesIO(path.read_bytes()),
        lambda path: bytearray(path.read_bytes()),
        lambda path: memoryview(path.read_bytes()),
    ],
)
def test_a_picture_is_given_as_an_open_file_or_as_its_bytes(
    collection: Collection, photos: Path, given: Callable[[Path], Any]
) -> None:
    collection.sync(photos)
    path = photos / "picture 0.jpg"
    assert collection.search(given(path)) == collection.search(path)
    assert (collection.embed([given(path)]) == collection.embed([path])).all()
    with path.open("rb") as file:
        assert collection.search(file) == collection.search(path)
    with pytest.raises(ImageUnreadableError, match="closed"):
        collection.search(file)


@pytest.mark.parametrize("given", [io.StringIO("x"), [0.5, 0.5], 0.5])
def test_what_is_no_picture_is_told_what_is(
    collection: Collection, photos: Path, given: Any
) -> None:
    collection.sync(photos)
    with pytest.raises(ConfigError, match="binary mode"):
        collection.search(given)


@pytest.mark.parametrize("metric", METRICS)
def test_an_embedding_finds_what_its_picture_does(
    tmp_path: Path, photos: Path, metric: Metric
) -> None:
    opened = Collection.open(tmp_path / "i", encoder=CountingEncoder(), metric=metric, create=True)
    with opened as collection:
        collection.sync(photos)
        rows = collection.embed(sorted(photos.glob("*.*")))
        queries = sorted(photos.glob("*.*"))
        expected = collection.search_many(queries, k=5)
        assert collection.search_many(rows, k=5) == expected
        assert collection.search_many([*rows.astype(np.float64)], k=5) == expected
        assert collection.search(rows[0], k=5) == expected[0]
        mixed = collection.search_many([rows[1], 3, queries[0]], k=5)
        assert mixed == [expected[1], collection.search(3, k=5), expected[0]]
        with pytest.raises(ConfigError, match="numbers"):
            collection.search(rows[0][:-1])
        with pytest.raises(ConfigError, match="finite"):
            collection.search(rows[0] * np.nan)


def test_stored_embeddings_are_had_by_id_and_path(collection: Collection, photos: Path) -> None:
    collection.sync(photos)
    images = list(collection)
    found = collection.embeddings([images[2].path, images[0].id])
    encoded = collection.embed([images[2].path, images[0].path])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, encoded, rtol=2e-3, atol=2e-3)
    assert collection.search(found[0], k=1)[0].id == images[2].id
    with pytest.raises(ImageNotFoundError):
        collection.embeddings([1, 999])
    with pytest.raises(ConfigError, match="a list"):
        collection.embeddings(images[0].path)
    assert collection.embeddings([]).shape == (0, collection.info().dim)


def test_every_error_is_had_from_the_package() -> None:
    classes = {name for name in vars(errors) if name.endswith("Error")}
    assert classes <= set(package.__all__)
