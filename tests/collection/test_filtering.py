"""Searching among the images that a filter lets through, and going through them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from conftest import MakePicture, draw

from image_similarity_search import Collection, Filter, Preprocessing, vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.catalog.values import FileStat, Picture
from image_similarity_search.collection import Query, ranking, store_keeper
from image_similarity_search.errors import ConfigError, FolderNotFoundError, ImageNotFoundError
from image_similarity_search.stores import FaissStore
from image_similarity_search.types import FloatArray, PixelArray

_DIM = 32
_COUNT = 8000
_SHARES = (0.001, 0.005, 0.02, 0.05, 0.1, 0.3, 1.0)


class Unused:
    """Stands for the encoder of embeddings that are there already."""

    name = "unused"
    dim = _DIM
    fingerprint = "unused;1"
    preprocessing = Preprocessing(resize=8, crop=8)

    def encode(self, pixels: PixelArray) -> FloatArray:
        raise NotImplementedError


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Collection, FloatArray]]:
    """A collection that scans one bit a dimension, and the vectors in it.

    Image ``n`` has row ``n - 1``, and a width that says in which share of the images it is.
    """
    folder = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(_COUNT // 40, _DIM))
    rows = centres[rng.integers(0, len(centres), _COUNT)] + 0.6 * rng.normal(size=(_COUNT, _DIM))
    units, norms = vectors.pack(np.asarray(rows + 2, dtype=np.float32))
    widths = rng.permutation(_COUNT) + 1
    Collection.open(folder, encoder=Unused(), create=True).close()
    catalog = Catalog(str(folder))
    with writer_lock(str(folder)), catalog.transaction():
        for n in range(_COUNT):
            place = catalog.places.require_place(f"/photos/{n % 10}/{n}.jpg")
            picture = Picture("00" * 16, int(widths[n]), 1, units[n], float(norms[n]))
            catalog.changes.put(place, FileStat(1, 1), picture)
    catalog.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_keeper, "FaissStore", partial(FaissStore, flat_limit=500))
        with Collection.open(folder, encoder=Unused()) as collection:
            assert "1-bit" in collection.info().store
            yield collection, vectors.unpack(units, norms, "cosine")


@pytest.mark.parametrize("share", _SHARES)
def test_the_nearest_of_those_let_through_are_found(
    many: tuple[Collection, FloatArray], share: float
) -> None:
    collection, rows = many
    where = Filter(max_width=round(share * _COUNT))
    allowed = np.array([one.id for one in collection.images(where, limit=_COUNT)])
    assert len(allowed) == collection.count(where) == round(share * _COUNT)
    found = wanted = 0
    for query in range(1, _COUNT, _COUNT // 60):
        hits = collection.search(query, k=10, where=where)
        others = allowed[allowed != query]
        distances = vectors.distances(rows[query - 1], rows[others - 1], "cosine")
        nearest = others[np.lexsort((others, distances))][:10]
        assert len(hits) == len(nearest)
        assert {hit.id for hit in hits} <= set(others.tolist())
        assert [hit.distance for hit in hits] == sorted(hit.distance for hit in hits)
        found += len({hit.id for hit in hits} & set(nearest.tolist()))
        wanted += len(nearest)
    assert found / wanted >= 0.99


def test_an_exact_index_misses_none_and_equals_stay_in_order(
    collection: Collection, photos: Path
) -> None:
    collection.sync(photos)
    query = photos / "picture 4.png"
    everything = collection.search(query, k=12)
    for where in (Filter(folder=photos / "holiday"), Filter(formats="png"), Filter(name="*1*")):
        among = {one.id for one in collection.images(where)}
        assert 0 < len(among) < 12
        expected = [hit for hit in everything if hit.id in among]
        assert collection.search(query, k=12, where=where) == expected
        assert collection.search(query, k=2, where=where) == expected[:2]
    assert collection.search(query, k=3, where=Filter()) == everything[:3]
    assert collection.search(query, where=Filter(min_width=10_000)) == []
    best = everything[5].score
    assert collection.search(query, threshold=best, where=Filter(min_width=1)) == everything[:6]
    id_ = collection.get(query).id
    assert (
        collection.search(id_, k=2, where=Filter(formats="png"))
        == [hit for hit in everything if hit.path.endswith(".png") and hit.id != id_][:2]
    )


def test_many_queries_share_a_filter(collection: Collection, photos: Path) -> None:
    collection.sync(photos)
    where = Filter(folder=photos / "holiday")
    queries: list[Query] = [photos / "picture 0.jpg", collection.get(photos / "picture 4.png").id]
    assert collection.search_many(queries, 3, where=where) == [
        collection.search(query, 3, where=where) for query in queries
    ]


def test_an_answer_is_kept_until_something_changes(
    collection: Collection, photos: Path, make_picture: MakePicture
) -> None:
    collection.sync(photos)
    where = Filter(folder=photos / "holiday", formats="jpeg")
    before = collection.count(where)
    added = make_picture(photos / "holiday" / "NEW.JPG", 50)
    assert collection.count(where) == before
    collection.sync(photos)
    assert collection.count(where) == before + 1
    assert collection.search(added, k=1, where=where)[0].path == str(added)
    collection.remove(added)
    assert collection.count(where) == before


def test_pages_of_images(collection: Collection, photos: Path) -> None:
    collection.sync(photos)
    (photos / "bad.jpg").write_bytes(b"no picture")
    collection.sync(photos)
    for where in (None, Filter(min_width=1), Filter(formats=["jpg", "png"])):
        whole = collection.images(where)
        assert len(whole) == collection.count(where)
        assert [one.id for one in whole] == sorted(one.id for one in whole)
        paged, after = [], 0
        while page := collection.images(where, after=after, limit=3):
            paged += page
            after = page[-1].id
        assert paged == whole
        assert collection.images(where, offset=4, limit=3) == whole[4:7]
        assert collection.images(where, after=whole[1].id, offset=2) == whole[4:]
        assert collection.images(where, offset=100) == []
    assert collection.images() == list(collection)
    for wrong in ({"after": -1}, {"after": "a"}, {"limit": 0}, {"limit": 2.5}, {"offset": -1}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            collection.images(**wrong)


def test_folders_are_found_by_any_path_that_leads_there(
    collection: Collection, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    os.symlink(photos / "holiday", linked / "here")
    collection.sync(photos / "holiday" / "beach")
    collection.sync(photos / "würfel & co")
    collection.sync(linked, follow_symlinks=True)  # whose images are known by the link
    monkeypatch.chdir(tmp_path)
    expected = {"photos": 6, "photos/würfel & co": 3, "linked": 6, "linked/here": 9, ".": 12}
    for folder, count in expected.items():
        assert collection.count(Filter(folder=folder)) == count, folder
    for folder in ("photos/nowhere", "phot"):
        with pytest.raises(FolderNotFoundError, match="no indexed images"):
            collection.count(Filter(folder=folder))


def test_formats_go_by_the_extensions_of_the_table(
    collection: Collection, tmp_path: Path, make_picture: MakePicture
) -> None:
    for seed, name in enumerate(["a.jpg", "b.JPEG", "c.jfif", "d.tif", "e.png"]):
        kind = {"d.tif": "TIFF", "e.png": "PNG"}.get(name, "JPEG")
        make_picture(tmp_path / "p" / name, seed, format=kind)
    collection.sync(tmp_path / "p")
    counts = {"jpeg": 3, "JPG": 3, ".jfif": 3, "tiff": 1, "heic": 0, "JPEG 2000": 0}
    assert {name: collection.count(Filter(formats=name)) for name in counts} == counts
    assert collection.count(Filter(formats=("jpeg", "png"))) == 4
    with pytest.raises(ConfigError, match=r"'docx'.*JPEG"):
        collection.count(Filter(formats="docx"))
    with pytest.raises(ConfigError, match="where"):
        collection.count({"formats": "jpeg"})  # type: ignore[arg-type]


def test_the_date_is_that_of_the_file(collection: Collection, photos: Path) -> None:
    moment = datetime(2020, 2, 29, 12, tzinfo=UTC)
    old = photos / "picture 0.jpg"
    os.utime(old, (moment.timestamp(),) * 2)
    collection.sync(photos)
    assert [one.path for one in collection.images(Filter(modified_before="2021"))] == [str(old)]
    assert collection.count(Filter(modified_after=moment)) == 12
    assert collection.count(Filter(modified_before=moment)) == 0
    assert collection.count(Filter(modified_after="2021")) == 11


@pytest.mark.parametrize("where", [None, Filter(max_width=30), Filter(max_width=_COUNT // 2)])
def test_many_searched_together_are_answered_as_one_by_one(
    many: tuple[Collection, FloatArray], where: Filter | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection, _ = many
    queries = [*range(1, _COUNT, _COUNT // 40), 1, 1]
    alone = [collection.search(query, k=7, threshold=0.6, where=where) for query in queries]
    assert any(alone)
    assert collection.search_many(queries, k=7, threshold=0.6, where=where) == alone
    monkeypatch.setattr(ranking, "_AT_ONCE", 1000)  # a few of them at a time
    assert collection.search_many(queries, k=7, threshold=0.6, where=where) == alone
    assert collection.search_many([], where=where) == []


def test_tags_stay_with_an_image(collection: Collection, photos: Path) -> None:
    collection.sync(photos)
    first, second = photos / "picture 0.jpg", photos / "holiday" / "picture 1.png"
    assert collection.add_tags([first, collection.get(second).id], ["Straße", " am   Meer "]) == 2
    assert collection.add_tags([first], "strasse") == 0  # the same word in another case
    assert collection.add_tags([photos / "holiday"], "holiday") == 6
    assert collection.tags() == {"am meer": 2, "holiday": 6, "strasse": 2}
    assert collection.get(first).metadata == {"tags": ["am meer", "strasse"]}
    both = Filter(tags=["STRASSE", "holiday"])
    assert [hit.path for hit in collection.search(first, where=both)] == [str(second)]
    assert collection.count(Filter(tags="nowhere")) == 0
    moved = photos / "moved.png"
    second.rename(moved)
    draw(99).save(first)
    collection.sync(photos)
    assert {image.path for image in collection.images(Filter(tags="strasse"))} == {
        str(moved),
        str(first),
    }
    assert collection.remove_tags([moved], ["strasse", "unknown"]) == 1
    assert collection.remove_tags([first], ["am meer", "strasse"]) == 1
    assert collection.get(first).metadata == {}
    assert not collection.verify().damaged


def test_tags_in_metadata_that_is_not_ours_disturb_nothing(
    collection: Collection, photos: Path
) -> None:
    collection.sync(photos)
    for id_, metadata in enumerate(['{"tags": "text"}', '{"tags": [1, "a"]}', '{"tags": {}}'], 1):
        with collection._catalog.transaction():
            image = collection._catalog._rows.image_of(id_)
            assert image
            collection._catalog._rows.update_image(image._replace(metadata=metadata))
    assert collection.tags() == {"a": 1, "text": 1}
    assert collection.add_tags([1, 2, 3], "b") == 3
    assert collection.count(Filter(tags="b")) == 3


@pytest.mark.parametrize("tag", ["", "  ", "x" * 101, "a\x00b", 7, None])
def test_what_is_no_tag_is_refused(collection: Collection, photos: Path, tag: object) -> None:
    with pytest.raises(ConfigError, match="text of 1 to 100 characters"):
        Filter(tags=[tag])  # type: ignore[list-item]
    collection.sync(photos)
    with pytest.raises(ConfigError, match="text of 1 to 100 characters"):
        collection.add_tags([1], [tag])  # type: ignore[list-item]
    with pytest.raises(ImageNotFoundError):
        collection.add_tags([1, 99], "a")
    assert collection.tags() == {}
