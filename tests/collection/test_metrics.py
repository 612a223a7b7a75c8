"""Every metric, through every kind of index, says what NumPy says of the encoder's own values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import MakePicture, draw

from image_similarity_search import Collection, EncoderSpec, create_encoder
from image_similarity_search.encoders.table import DEFAULT_ENCODER
from image_similarity_search.errors import ConfigError
from image_similarity_search.types import METRICS, FloatArray, Metric, PixelArray

_COUNT = 640  # enough to train each of the kinds below
_KINDS = ("auto", "exact", "hnsw", "ivf", "ivf-pq", "IVF8,Flat", "IVF8,SQ8", "PQ64x4", "RaBitQ")
_FLAT_CODES = ("auto", "exact", "hnsw", "ivf", "IVF8,Flat")  # what l1 can be compared in
_K = 10


class Remembering:
    """The bundled encoder, which looks at the same picture once only, and at few pixels of it."""

    def __init__(self) -> None:
        self._encoder = create_encoder(EncoderSpec(DEFAULT_ENCODER, resize=112, crop=112))
        self._known: dict[bytes, FloatArray] = {}
        self.name, self.dim = self._encoder.name, self._encoder.dim
        self.preprocessing = self._encoder.preprocessing
        self.fingerprint = self._encoder.fingerprint

    def encode(self, pixels: PixelArray) -> FloatArray:
        keys = [hashlib.sha256(picture.tobytes()).digest() for picture in pixels]
        new = [row for row, key in enumerate(keys) if key not in self._known]
        if new:
            found = self._encoder.encode(pixels[new])
            self._known |= {keys[row]: value for row, value in zip(new, found, strict=True)}
        return np.array([self._known[key] for key in keys], dtype=np.float32)


@pytest.fixture(scope="module")
def encoder() -> Remembering:
    return Remembering()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(_COUNT):
        draw(seed, (64, 64)).save(folder / f"{seed:04}.bmp")
    return folder


@pytest.fixture(scope="module")
def values(encoder: Remembering, pictures: Path) -> dict[str, FloatArray]:
    """The encoder's own values of each picture, by its path."""
    paths = [str(path) for path in pictures.iterdir()]
    with Collection.open(pictures.parent / "values", encoder=encoder, create=True) as collection:
        return dict(zip(paths, collection.embed(paths), strict=True))


@pytest.fixture(scope="module", params=METRICS)
def collection(
    request: pytest.FixtureRequest,
    encoder: Remembering,
    pictures: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Collection]:
    metric: Metric = request.param
    folder = tmp_path_factory.mktemp(metric)
    with Collection.open(folder, encoder=encoder, metric=metric, create=True) as made:
        made.sync(pictures)
        yield made


def _plainly(query: FloatArray, rows: FloatArray, metric: Metric) -> FloatArray:
    """Distances, written as the design has them."""
    if metric == "ip":
        distances = -(rows @ query)
    elif metric == "l1":
        distances = np.abs(rows - query).sum(axis=1)
    elif metric == "l2":
        distances = np.sqrt(((rows - query) ** 2).sum(axis=1))
    else:
        lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(query)
        distances = 1 - (rows @ query) / lengths
    return np.asarray(distances, dtype=np.float32)


@pytest.mark.parametrize("kind", _KINDS)
def test_distances_scores_and_order_are_those_of_numpy(
    collection: Collection, values: dict[str, FloatArray], kind: str
) -> None:
    metric = collection.info().metric
    if metric == "l1" and kind not in _FLAT_CODES:
        with pytest.raises(ConfigError, match="l1"):
            collection.rebuild(kind)
        return
    collection.rebuild(kind)
    records = list(collection)
    rows = np.array([values[record.path] for record in records])
    at = {record.path: row for row, record in enumerate(records)}
    queries = [draw(seed, (64, 64)) for seed in range(_COUNT, _COUNT + 4)]
    found = 0
    for picture, query in zip(queries, collection.embed(queries), strict=True):
        expected = _plainly(query, rows, metric)
        hits = collection.search(picture, _K)
        near = [at[hit.path] for hit in hits]
        distances = np.array([hit.distance for hit in hits])
        # stored numbers have half precision: three digits
        scale = np.abs(expected).max()
        np.testing.assert_allclose(distances, expected[near], rtol=4e-3, atol=1e-3 * scale)
        assert (np.diff(distances) >= 0).all()
        scores = -distances if metric == "ip" else 1 / (1 + distances)
        np.testing.assert_allclose([hit.score for hit in hits], scores, rtol=1e-6)
        border = np.sort(expected)[_K - 1]
        found += int(np.count_nonzero(expected[near] <= border * (1 + np.sign(border) * 4e-3)))
    assert found >= 0.95 * _K * len(queries)


@pytest.mark.parametrize("kind", _FLAT_CODES)
def test_the_same_file_is_at_distance_0_and_leaves_with_its_file(
    collection: Collection, pictures: Path, kind: str, make_picture: MakePicture
) -> None:
    collection.rebuild(kind)
    extra = make_picture(pictures.parent / f"extra-{kind}.bmp", 7_000)
    collection.add(extra)
    hits = {hit.path: hit for hit in collection.search(extra, _COUNT + 1)}
    assert len(hits) == _COUNT + 1
    found = hits[str(extra)]
    if collection.info().metric == "ip":  # it has no bound: with itself it is the square
        square = np.square(collection.embed([extra])).sum()
        assert found.score == pytest.approx(square, rel=4e-3)
    else:
        assert (found.score, found.distance) == (1.0, 0.0)
        assert next(iter(hits)) == str(extra)
    collection.remove(extra)
    assert str(extra) not in {hit.path for hit in collection.search(extra, _COUNT + 1)}
