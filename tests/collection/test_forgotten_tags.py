"""Tags of images that are gone come back with a file of the same content."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from conftest import draw

from image_similarity_search.catalog import forgotten
from image_similarity_search.collection import Collection
from image_similarity_search.collection.duplicates.handing import hand_on_tags
from image_similarity_search.collection.interchange.exporting import export_collection
from image_similarity_search.collection.interchange.importing import import_collection


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two different pictures and a copy of the first, tagged differently; the third has none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    draw(0).save(folder / "a.png")
    shutil.copy(folder / "a.png", folder / "copy.png")
    draw(1).save(folder / "plain.png")
    return folder


@pytest.fixture
def collection(tmp_path: Path, photos: Path) -> Iterator[Collection]:
    with Collection.open(tmp_path / "index", encoder="colour-texture", create=True) as made:
        made.sync(photos)
        made.add_tags([photos / "a.png"], ["beach", "été"])
        made.add_tags([photos / "copy.png"], "spare")
        yield made


def tags(collection: Collection) -> dict[str, list[str]]:
    return {Path(one.path).name: one.metadata.get("tags", []) for one in collection}


def damage_embeddings(catalog: Path) -> None:
    with closing(sqlite3.connect(catalog)) as database, database:
        database.execute("UPDATE embeddings SET norm = norm + 1")


TAGGED = {"a.png": ["beach", "été"], "copy.png": ["spare"], "plain.png": []}


def test_they_come_back_with_files_that_were_away_during_a_sync(
    collection: Collection, photos: Path, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    away.mkdir()
    for name in ("a.png", "copy.png"):
        shutil.move(photos / name, away / name)
    assert collection.sync(photos).removed == 2
    assert tags(collection) == {"plain.png": []}
    for name in ("copy.png", "a.png"):
        shutil.move(away / name, photos / name)
    collection.sync(photos)
    assert tags(collection) == TAGGED  # each its own
    shutil.copy(photos / "a.png", photos / "another.png")
    collection.sync(photos)
    assert tags(collection) == TAGGED | {"another.png": []}  # they were given out once


def test_they_come_back_when_what_was_removed_is_added_under_another_name(
    collection: Collection, photos: Path
) -> None:
    collection.remove(photos)
    renamed = (photos / "a.png").rename(photos / "renamed.png")
    assert collection.add(renamed)[0].metadata["tags"] == ["spare"]  # what was forgotten last
    assert collection.add(photos / "copy.png")[0].metadata["tags"] == ["beach", "été"]


def test_they_come_back_with_a_file_that_was_bad_before_it_went(
    collection: Collection, photos: Path, tmp_path: Path
) -> None:
    shutil.copy(photos / "a.png", tmp_path / "backup.png")
    (photos / "copy.png").unlink()
    (photos / "a.png").write_bytes(b"damaged")
    assert collection.sync(photos).skipped == 1
    (photos / "a.png").unlink()
    collection.sync(photos)
    shutil.copy(tmp_path / "backup.png", photos / "a.png")
    collection.sync(photos)
    assert tags(collection)["a.png"] == ["beach", "été"]


def test_a_file_that_is_whole_again_keeps_them_to_itself(
    collection: Collection, photos: Path, tmp_path: Path
) -> None:
    whole = (photos / "a.png").read_bytes()
    for content in (b"damaged", b"still damaged", whole):
        (photos / "a.png").write_bytes(content)
        collection.sync(photos)
    (photos / "another.png").write_bytes(whole)
    collection.sync(photos)
    assert tags(collection) == TAGGED | {"another.png": []}


def test_a_bad_file_is_no_heir(collection: Collection, photos: Path) -> None:
    (photos / "bad.png").write_bytes(b"no picture")
    collection.sync(photos)
    catalog, gone = collection._catalog, collection.get(photos / "a.png")
    with catalog.transaction():
        assert not hand_on_tags(catalog, gone, str(photos / "bad.png"))
        assert hand_on_tags(catalog, gone, str(photos / "plain.png"))


def test_newer_tags_stay(collection: Collection, photos: Path) -> None:
    collection.remove(photos / "a.png")
    collection.add_tags([photos / "plain.png"], "newer")
    shutil.copy(photos / "a.png", photos / "plain.png")
    (record,) = collection.add(photos / "plain.png")
    assert record.metadata["tags"] == ["newer"]


def test_so_many_are_remembered(
    collection: Collection, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgotten, "MOST", 1)
    collection.remove(photos / "a.png")
    collection.remove(photos / "copy.png")
    collection.sync(photos)
    assert tags(collection) == {"a.png": ["spare"], "copy.png": [], "plain.png": []}


def test_an_export_has_them(collection: Collection, photos: Path, tmp_path: Path) -> None:
    collection.remove(photos / "a.png", photos / "copy.png")
    export_collection(tmp_path / "index", tmp_path / "export.npy")
    import_collection(tmp_path / "export.npy", tmp_path / "other")
    with Collection.open(tmp_path / "other") as other:
        other.sync(photos)
        assert tags(other) == TAGGED


def test_they_are_kept_apart_from_those_of_an_image_that_got_an_old_id(
    collection: Collection, photos: Path, tmp_path: Path
) -> None:
    """An import does not know which ids were given."""
    collection.remove(photos / "plain.png", photos / "copy.png")  # 2 and 3, the last
    for seed, before, after in ((8, "index", "second"), (9, "second", "third")):
        export_collection(tmp_path / before, tmp_path / f"{before}.npy")
        import_collection(tmp_path / f"{before}.npy", tmp_path / after)
        with Collection.open(tmp_path / after) as other:
            draw(seed).save(photos / f"{after}.png")
            other.add(photos / f"{after}.png")
            other.add_tags([photos / f"{after}.png"], after)
            other.remove(photos / f"{after}.png")
    damage_embeddings(tmp_path / "third" / "catalog.sqlite")
    assert Collection.repair(tmp_path / "third").kept_as
    with Collection.open(tmp_path / "third") as third:
        remembered = [one.tags for one in third._catalog.forgotten.all()]
        assert remembered == [["spare"], ["second"], ["third"]]


def test_a_repair_keeps_them_and_damage_is_told(
    collection: Collection, photos: Path, tmp_path: Path
) -> None:
    collection.remove(photos / "a.png")
    collection.close()
    catalog = tmp_path / "index" / "catalog.sqlite"
    damage_embeddings(catalog)
    Collection.repair(tmp_path / "index")
    with Collection.open(tmp_path / "index") as repaired:
        repaired.sync(photos)
        assert tags(repaired) == TAGGED
        repaired.remove(photos / "a.png")
    with closing(sqlite3.connect(catalog)) as database, database:
        database.execute("UPDATE forgotten SET tags = '[\"other\"]'")
    with Collection.open(tmp_path / "index") as damaged:
        assert "the tags of image 4, which is gone" in str(damaged.verify().problems)
        assert "tags" not in damaged.add(photos / "a.png")[0].metadata
