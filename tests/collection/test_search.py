"""What a search is given and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from conftest import CountingEncoder, MakePicture, draw
from numpy.typing import NDArray
from PIL import Image

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.values import FileStat
from image_similarity_search.collection import Collection, Query
from image_similarity_search.collection.examples import Example
from image_similarity_search.errors import ConfigError, ImageNotFoundError, ImageUnreadableError
from image_similarity_search.filters import Filter
from image_similarity_search.types import METRICS, Metric, Region


@pytest.fixture
def filled(collection: Collection, photos: Path) -> Collection:
    collection.sync(photos)
    return collection


@pytest.mark.parametrize("metric", METRICS)
def test_hits_are_what_plain_numpy_finds(tmp_path: Path, photos: Path, metric: Metric) -> None:
    encoder = CountingEncoder()
    with Collection.open(tmp_path / "m", encoder=encoder, metric=metric, create=True) as filled:
        filled.sync(photos)
        embeddings = {
            record.id: filled.embed([record.path])[0].astype(np.float64) for record in filled
        }
        query = photos / "picture 4.png"
        a = filled.embed([query])[0].astype(np.float64)

        def distance(b: NDArray[np.float64]) -> float:
            if metric == "cosine":
                return float(1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b))
            if metric == "l2":
                return float(np.linalg.norm(a - b))
            return float(np.abs(a - b).sum()) if metric == "l1" else float(-(a @ b))

        expected = sorted((distance(b), id_) for id_, b in embeddings.items())
        hits = filled.search(query, k=12)
        for outside in (-0.5, 90):
            if metric == "ip":  # its scores have no bounds
                assert all(hit.score >= outside for hit in filled.search(query, threshold=outside))
                continue
            with pytest.raises(ConfigError, match=f"threshold is {outside}; .* from 0 to 1"):
                filled.search(query, threshold=outside)
    assert [hit.id for hit in hits] == [id_ for _, id_ in expected]
    assert [hit.distance for hit in hits] == pytest.approx([d for d, _ in expected], abs=2e-2)
    for hit in hits:
        score = -hit.distance if metric == "ip" else 1 / (1 + hit.distance)
        assert hit.score == pytest.approx(score)


@pytest.mark.parametrize("metric", ["cosine", "l2", "l1"])
def test_the_same_file_scores_exactly_one(tmp_path: Path, photos: Path, metric: Metric) -> None:
    with Collection.open(
        tmp_path / "m", encoder=CountingEncoder(), metric=metric, create=True
    ) as filled:
        filled.sync(photos)
        for path in photos.rglob("*.*"):
            best = filled.search(path, k=1)[0]
            assert (best.path, best.score, best.distance) == (str(path), 1.0, 0.0)


def test_a_picture_may_be_given_in_any_form(filled: Collection, photos: Path) -> None:
    path = next(photos.rglob("picture 1.png"))
    with Image.open(path) as image:
        image.load()
    answers = [
        [(hit.id, hit.score) for hit in filled.search(query, k=4)]
        for query in (path, str(path), path.read_bytes(), image, np.asarray(image))
    ]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == (filled.get(path).id, 1.0)


def test_an_image_of_the_collection_leaves_itself_out(filled: Collection, photos: Path) -> None:
    path = photos / "picture 0.jpg"
    id_ = filled.get(path).id
    by_path = [hit.id for hit in filled.search(path, k=12)]
    assert [hit.id for hit in filled.search(id_, k=11)] == [
        other for other in by_path if other != id_
    ]
    assert len(filled.search(np.int64(id_), k=3)) == 3  # type: ignore[arg-type]  # ids from arrays


def test_k_bounds_the_hits(filled: Collection, photos: Path) -> None:
    path = photos / "picture 0.jpg"
    assert len(filled.search(path)) == 10
    assert len(filled.search(path, k=1)) == 1
    assert len(filled.search(path, k=1000)) == 12
    with pytest.raises(ConfigError, match="k is 0"):
        filled.search(path, k=0)


def test_a_threshold_leaves_out_the_less_alike(filled: Collection, photos: Path) -> None:
    path = photos / "picture 0.jpg"
    everything = filled.search(path, k=12)
    limit = everything[5].score
    assert filled.search(path, k=12, threshold=limit) == everything[:6]
    assert [hit.path for hit in filled.search(path, threshold=1.0)] == [str(path)]


def test_equals_come_in_order_of_id_also_at_the_border(
    collection: Collection, tmp_path: Path
) -> None:
    same = draw(1)
    for name in range(40):
        path = tmp_path / "same" / f"{name:02}.png"
        path.parent.mkdir(exist_ok=True)
        same.save(path)
    collection.sync(path.parent)
    first = sorted(record.id for record in collection)
    assert [hit.id for hit in collection.search(path, k=5)] == first[:5]
    assert [hit.id for hit in collection.search(first[2], k=5)] == [*first[:2], *first[3:6]]


def test_equals_come_in_order_of_id_whatever_order_the_store_has(
    collection: Collection, tmp_path: Path
) -> None:
    folder = tmp_path / "same"
    folder.mkdir()
    for number in range(60):
        draw(100 + number).save(folder / f"{number:02}.png")
    collection.sync(folder)
    first = sorted(record.id for record in collection)
    same = draw(1)
    for numbers in (range(30, 60), range(30)):  # the low ids come last into the store
        for number in numbers:
            same.save(folder / f"{number:02}.png")
        collection.sync(folder)
    assert [hit.id for hit in collection.search(same, k=5)] == first[:5]


def test_many_queries_are_answered_as_one_by_one(
    filled: Collection, photos: Path, encoder: CountingEncoder
) -> None:
    id_ = filled.get(photos / "picture 8.webp").id
    queries: list[Query] = [photos / "picture 0.jpg", id_, draw(7)]
    assert filled.search_many(queries, 3) == [filled.search(query, 3) for query in queries]
    assert filled.search_many([], 3) == []


def test_an_empty_collection_finds_nothing(collection: Collection, photos: Path) -> None:
    assert collection.search(photos / "picture 0.jpg") == []


def test_what_can_not_be_searched_by_is_said(filled: Collection, photos: Path) -> None:
    (photos / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(ImageNotFoundError, match="nowhere"):
        filled.search("nowhere.jpg")
    with pytest.raises(ImageUnreadableError, match="not a supported image format"):
        filled.search(photos / "bad.jpg")
    with pytest.raises(ImageNotFoundError, match="id 999"):
        filled.search(999)
    with pytest.raises(ConfigError, match="query"):
        filled.search(3.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_too_large_for_any_is_refused_by_its_name(
    filled: Collection, photos: Path, sign: int
) -> None:
    path, large = photos / "picture 0.jpg", sign * 10**400
    asked: dict[str, Callable[[], object]] = {
        "threshold": lambda: filled.search(path, threshold=large),
        "weight": lambda: filled.search_by_examples([Example(path, large)]),
        "region": lambda: Region(0.5, 0, large, 1),
        "gps_box": lambda: Filter(gps_box=(0, 0, large, 0)),
        "time_limit": lambda: filled.add(path, time_limit=large),
        "seconds": lambda: filled.uploads(seconds=large),
    }
    for name, ask in asked.items():
        with pytest.raises(ConfigError) as refused:
            ask()
        assert refused.value.name == name
    with pytest.raises(ConfigError, match="time_limit"):
        filled.duplicates(time_limit=large)


def test_a_number_too_large_for_any_is_no_score_of_a_metric_without_bounds(
    tmp_path: Path, encoder: CountingEncoder, photos: Path
) -> None:
    with (
        Collection.open(tmp_path / "ip", encoder=encoder, metric="ip", create=True) as collection,
        pytest.raises(ConfigError, match="expected a score"),
    ):
        collection.search(photos / "picture 0.jpg", threshold=10**400)


def test_adding_one_file_makes_it_found(
    filled: Collection, tmp_path: Path, make_picture: MakePicture
) -> None:
    path = make_picture(tmp_path / "loose.png", 77)
    (record,) = filled.add(path)
    assert (record.path, record.state) == (str(path), "indexed")
    assert filled.search(path, k=1)[0].id == record.id
    assert filled.add(path) == [record]
    assert len(filled) == 13


def test_adding_a_bad_file_says_why_and_a_missing_one_adds_nothing(
    filled: Collection, tmp_path: Path, make_picture: MakePicture
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    (record,) = filled.add(bad)
    assert (record.state, record.reason) == ("skipped", "the file is empty")
    good = make_picture(tmp_path / "good.png", 78)
    with pytest.raises(ImageNotFoundError, match="nothing was added"):
        filled.add(good, tmp_path / "missing.png")
    assert len(filled) == 12


def test_removed_images_are_not_found(filled: Collection, photos: Path) -> None:
    path = photos / "picture 0.jpg"
    id_ = filled.get(photos / "picture 8.webp").id
    assert filled.remove(path, id_) == 2
    assert filled.remove(photos / "holiday") == 6
    assert len(filled.search(path, k=20)) == 4
    with pytest.raises(ImageNotFoundError, match="nothing was changed"):
        filled.remove(path)
    assert filled.remove(photos) == 4
    assert not filled.roots()
    assert path.exists()


def test_the_stored_form_of_an_embedding_is_what_is_compared(
    filled: Collection, photos: Path
) -> None:
    raw = filled.embed([photos / "picture 0.jpg"])
    row = vectors.comparable(raw, "cosine")
    assert np.linalg.norm(row) == pytest.approx(1)
    assert row @ raw[0] / np.linalg.norm(raw) == pytest.approx(1, abs=1e-5)


def test_an_image_that_lost_its_place_in_an_ended_run_is_not_shown(
    collection: Collection, photos: Path
) -> None:
    """Another has its file; that the run would have noticed later, by finding it or forgetting."""
    collection.sync(photos)
    mover, there = (collection.get(photos / name) for name in ("picture 0.jpg", "picture 4.png"))
    with closing(Catalog(collection.info().index_dir)) as catalog, catalog.transaction():
        stat = FileStat(there.size, there.mtime_ns)
        assert (
            catalog.changes.move(mover.id, catalog.places.require_place(there.path), stat)
            == there.id
        )
    for k in (1, 5, 11, 50):
        hits = collection.search(there.path, k=k)
        assert len(hits) == min(k, 11)
        assert there.id not in {hit.id for hit in hits}
    assert collection.search(photos / "picture 4.png", k=50, threshold=0.0) == hits
