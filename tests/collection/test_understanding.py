"""Clusters and outliers, beside exact NumPy, and on pictures whose groups are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from image_similarity_search import Filter, vectors
from image_similarity_search.collection import Collection
from image_similarity_search.collection.understanding import clustering
from image_similarity_search.collection.understanding.clustering import silhouette
from image_similarity_search.collection.understanding.merging import Merging
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
    found = [colours_of(coloured, cluster.ids.tolist()) for cluster in report.clusters]
    assert [len(cluster.ids) for cluster in report.clusters] == [5, 5, 5, 5, 1]
    assert sorted(found[:4], key=str) == sorted([{colour} for colour in _COLOURS], key=str)
    assert all(cluster.cohesion > 0.8 for cluster in report.clusters)
    assert max(report.tried, key=lambda count: report.tried[count]) == len(report.clusters)
    assert (steps[-1].phase, steps[-1].done, steps[-1].total) == ("clustering", 21, 21)


def test_what_is_all_the_same_is_one_cluster(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(6):
        Image.new("RGB", (64, 64), "red").save(folder / f"{number}.png", compress_level=number)
    with Collection.open(tmp_path / "i", encoder=ColourTextureEncoder(), create=True) as made:
        made.sync(folder)
        report = made.clusters()
    assert [len(cluster.ids) for cluster in report.clusters] == [6]
    assert report.silhouette == 0.0


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


@given(st.integers(0, 1000), st.integers(2, 9))
def test_the_silhouette_leaves_an_image_out_of_its_middle(seed: int, count: int) -> None:
    rows = units(seed, 30)
    groups = np.arange(30) % count
    sums = np.array([rows[groups == group].sum(axis=0) for group in range(count)])
    centres = vectors.comparable(sums, "cosine")
    products = rows @ centres.T
    own = products[np.arange(30), groups]
    products[np.arange(30), groups] = -1
    others = np.vecdot(rows, vectors.comparable(sums[groups] - rows, "cosine"))
    a, b = 1 - others, 1 - products.max(axis=1)
    expected = np.mean((b - a) / np.maximum(a, b))
    cosines = np.stack([own, products.max(axis=1)], axis=1)
    assert silhouette(groups, cosines) == pytest.approx(expected, abs=1e-3)


def test_the_silhouette_of_one_cluster_and_of_images_alone() -> None:
    apart = np.array([[1.0, 0.0]] * 4, dtype=np.float32)
    assert silhouette(np.array([0, 0, 1, 1]), apart) == 1.0
    assert silhouette(np.arange(4), apart) == 0.0
    assert silhouette(np.zeros(4, dtype=np.int64), apart) == 0.0


def merged_naively(rows: FloatArray, count: int) -> set[frozenset[int]]:
    """By Ward, the slow way: all pairs of groups, and what their merging adds to the squares."""
    groups = [[row] for row in range(len(rows))]

    def adds(pair: tuple[int, int]) -> float:
        one, other = groups[pair[0]], groups[pair[1]]
        far = np.square(rows[one].mean(axis=0) - rows[other].mean(axis=0)).sum()
        return float(far * len(one) * len(other) / (len(one) + len(other)))

    while len(groups) > count:
        _, (one, other) = min((adds(pair), pair) for pair in combinations(range(len(groups)), 2))
        groups[one] += groups.pop(other)
    return {frozenset(group) for group in groups}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 25))
def test_merging_is_that_of_ward(seed: int, count: int) -> None:
    rows = units(seed, 25)
    groups = merged_naively(rows, count)
    expected = np.array([rows[list(group)].sum(axis=0) for group in groups])
    found = Merging(rows).middles(count)
    nearest = vectors.comparable(expected, "cosine") @ found.T
    assert nearest.max(axis=1) == pytest.approx(np.ones(count), abs=1e-4)


def test_groups_are_found_wherever_they_begin() -> None:
    seeds = np.repeat(units(1, 6, 32), 20, axis=0)
    rows = vectors.comparable(seeds + 0.05 * units(2, 120, 32), "cosine")
    nearest, cosines = nearest_middles(rows, middles(rows, 6, 25))
    assert cosines[:, 0].min() > 0.6
    assert len(set(nearest.tolist())) == 6


def test_groups_of_unequal_sizes_are_found_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where fewer images are merged than there are."""
    sizes = (150, 60, 40, 20, 12, 8, 5, 5)
    of = np.repeat(np.arange(len(sizes)), sizes)
    seeds, noise = units(3, len(sizes), 64), units(4, len(of), 64)
    arrays = vectors.comparable(seeds[of] + 0.8 * noise, "cosine")
    monkeypatch.setattr(clustering, "_MERGED", 200)
    sample = clustering._Sample(arrays)
    tried: dict[int, float] = {}
    count = clustering._chosen(sample, tried)
    nearest, _ = nearest_middles(arrays, sample.middles(count, 25))
    assert count == len(sizes), tried
    assert len(set(zip(nearest.tolist(), of.tolist(), strict=True))) == len(sizes)
    assert sample.middles(250, 2).shape == (250, 64)  # more than were merged


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
    assert most / 160 > 0.95
