"""Clusters and outliers, beside exact NumPy, and on pictures whose groups are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from image_similarity_search import Filter, vectors
from image_similarity_search.collection import Collection
from image_similarity_search.collection.understanding.clustering import silhouette
from image_similarity_search.collection.understanding.neighbours import Neighbourhood
from image_similarity_search.encoders.colour_texture import ColourTextureEncoder
from image_similarity_search.errors import ConfigError, FolderNotFoundError
from image_similarity_search.stores.kmeans import middles, nearest_middles
from image_similarity_search.types import FloatArray, Progress

_COLOURS = ("red", "green", "blue", "yellow")


def tinted(colour: str, seed: int) -> Image.Image:
    """A plain picture with a little noise."""
    pixels = np.asarray(Image.new("RGB", (64, 64), colour), dtype=np.int16)
    noise = np.random.default_rng(seed).integers(-20, 20, pixels.shape)
    return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def coloured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    """Five pictures of each of four colours, and a chessboard; in folders by colour."""
    folder = tmp_path_factory.mktemp("coloured")
    for colour in _COLOURS:
        (folder / "pictures" / colour).mkdir(parents=True)
        for seed in range(5):
            tinted(colour, seed).save(folder / "pictures" / colour / f"{seed}.png")
    board = np.kron(np.indices((8, 8)).sum(axis=0) % 2, np.ones((8, 8))) * 255
    Image.fromarray(board.astype(np.uint8)).save(folder / "pictures" / "board.png")
    encoder = ColourTextureEncoder()
    with Collection.open(folder / "index", encoder=encoder, create=True) as made:
        made.sync(folder / "pictures")
        yield made


def colours_of(collection: Collection, ids: list[int]) -> set[str]:
    return {Path(collection.get(id_).path).parent.name for id_ in ids}


def test_the_number_of_clusters_is_chosen(coloured: Collection) -> None:
    steps: list[Progress] = []
    report = coloured.clusters(progress=steps.append)
    assert len(report.clusters) == 4
    for cluster in report.clusters:
        assert len(colours_of(coloured, cluster.ids.tolist()) & set(_COLOURS)) == 1
        assert cluster.cohesion > 0.8
    assert max(report.tried, key=lambda count: report.tried[count]) == len(report.clusters)
    assert (steps[-1].phase, steps[-1].done, steps[-1].total) == ("clustering", 21, 21)


def test_every_image_is_in_one_cluster_and_the_nearest(coloured: Collection) -> None:
    report = coloured.clusters(3, shown=2)
    ids = [id_ for cluster in report.clusters for id_ in cluster.ids.tolist()]
    assert sorted(ids) == sorted(image.id for image in coloured)
    sizes = [len(cluster.ids) for cluster in report.clusters]
    assert sizes == sorted(sizes, reverse=True)
    for cluster in report.clusters:
        assert len(cluster.images) == min(2, len(cluster.ids))
        assert [image.id for image in cluster.images] == cluster.ids[:2].tolist()
        assert cluster.typical.id == cluster.ids[0]
        assert list(cluster.cosines) == sorted(cluster.cosines, reverse=True)
    assert report.tried == {}


def test_only_some_images_count(coloured: Collection) -> None:
    (folder,) = coloured.roots()
    where = Filter(folder=f"{folder}/red")
    assert [len(cluster.ids) for cluster in coloured.clusters(1, where=where).clusters] == [5]
    report = coloured.outliers(2, k=3, where=where)
    assert colours_of(coloured, [one.image.id for one in report.outliers]) == {"red"}
    assert all(len(one.nearest) == 3 for one in report.outliers)


def test_what_is_like_nothing_else_comes_first(coloured: Collection) -> None:
    report = coloured.outliers(3, k=4)
    first = report.outliers[0]
    assert Path(first.image.path).name == "board.png"
    assert first.distance > 2 * report.outliers[1].distance
    assert first.times == pytest.approx(first.distance / report.median)
    distances = [one.distance for one in report.outliers]
    assert distances == sorted(distances, reverse=True)
    assert first.distance == pytest.approx(np.mean([hit.distance for hit in first.nearest]))
    assert [hit.score for hit in first.nearest] == pytest.approx(
        [1 / (1 + hit.distance) for hit in first.nearest]
    )


def test_one_image_and_none(collection: Collection, tmp_path: Path) -> None:
    assert collection.clusters().clusters == []
    assert collection.outliers().outliers == []
    tinted("red", 1).save(tmp_path / "one.png")
    collection.add(tmp_path / "one.png")
    (cluster,) = collection.clusters().clusters
    assert len(cluster.ids) == 1
    assert cluster.cohesion == pytest.approx(1.0, abs=1e-3)
    assert collection.outliers().outliers == []


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda it: it.clusters(0), "count is 0; expected a number of clusters, 1 to 21"),
        (lambda it: it.clusters(22), "count is 22; expected a number of clusters, 1 to 21"),
        (lambda it: it.clusters(shown=0), "shown is 0"),
        (lambda it: it.outliers(0), "count is 0"),
        (lambda it: it.outliers(k=0), "k is 0"),
    ],
)
def test_numbers_that_make_no_sense(
    coloured: Collection, ask: Callable[[Collection], object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        ask(coloured)
    with pytest.raises(FolderNotFoundError):
        coloured.clusters(where=Filter(folder="/nowhere"))


def units(seed: int, count: int, dim: int = 8) -> FloatArray:
    rows = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return vectors.comparable(rows, "cosine")


@given(st.integers(0, 1000), st.integers(1, 12))
def test_rows_go_to_the_nearest_middle(seed: int, count: int) -> None:
    rows, centres = units(seed, 30), units(seed + 1, count)
    nearest, cosines = nearest_middles(rows, centres)
    products = rows @ centres.T
    assert (products[np.arange(30), nearest] == products.max(axis=1)).all()
    assert np.allclose(cosines[:, 0], products.max(axis=1))
    second = np.sort(products, axis=1)[:, -2] if count > 1 else -1
    assert np.allclose(cosines[:, 1], second)


def test_the_silhouette() -> None:
    apart = np.array([[1.0, 0.0]] * 4, dtype=np.float32)
    alike = np.array([[0.5, 0.5]] * 4, dtype=np.float32)
    pairs, alone = np.array([0, 0, 1, 1]), np.array([0, 1, 2, 3])
    assert silhouette(pairs, apart) == 1.0
    assert silhouette(pairs, alike) == 0.0
    assert silhouette(alone, apart) == 0.0


def test_groups_are_found_wherever_they_begin() -> None:
    seeds = np.repeat(units(1, 6, 32), 20, axis=0)
    rows = vectors.comparable(seeds + 0.05 * units(2, 120, 32), "cosine")
    nearest, cosines = nearest_middles(rows, middles(rows, 6, 25))
    assert cosines[:, 0].min() > 0.6
    assert len(set(nearest.tolist())) == 6


def test_neighbours_are_the_exact_ones(coloured: Collection) -> None:
    ids = np.array([image.id for image in coloured], dtype=np.int64)
    found = Neighbourhood(coloured._catalog, ids).of(ids, 4, lambda _: None)
    rows = coloured._searcher.stored(ids.tolist())
    for at, id_ in enumerate(found.ids.tolist()):
        far = vectors.distances(rows[at], rows, "cosine")
        order = [int(ids[i]) for i in np.lexsort((ids, far)) if ids[i] != id_][:4]
        assert found.nearest[at].tolist() == order
        assert found.distances[at] == pytest.approx(np.sort(far[ids != id_])[:4])


def test_views_of_an_object_are_together(test_data: Path, tmp_path: Path) -> None:
    """Real pictures: 40 objects, four views of each."""
    views = sorted((test_data / "ukbench").glob("*.jpg"))[:160]
    if len(views) < 160:
        pytest.skip("there are no pictures of UKBench")
    with Collection.open(tmp_path / "index", create=True) as collection:
        collection.add(*views)
        report = collection.clusters(40)
        number = {record.id: views.index(Path(record.path)) // 4 for record in collection}
    objects = [[number[id_] for id_ in cluster.ids.tolist()] for cluster in report.clusters]
    most = sum(max(map(found.count, found)) for found in objects)
    assert most / 160 > 0.7
