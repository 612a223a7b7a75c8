"""A catalog that is filled aside appears when it is whole, and not before."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.new_catalog import NewCatalog
from image_similarity_search.catalog.values import FileStat, Identity, ImageBatch, Picture
from image_similarity_search.errors import CollectionNotFoundError, ConfigError
from image_similarity_search.types import ImageRecord

IDENTITY = Identity("e", "", 4, "l2", "auto")


def rows_of(*images: tuple[int, str]) -> ImageBatch:
    records = [
        ImageRecord(
            id_, path, 10 * id_, -id_, f"{id_:032x}", id_, None, "indexed", None, {"n": id_}
        )
        for id_, path in images
    ]
    units = np.random.default_rng(len(images)).standard_normal((len(images), 4))
    return ImageBatch(records, units.astype(np.float16), np.arange(len(images), dtype=np.float32))


def test_what_was_put_is_there(tmp_path: Path) -> None:
    rows = rows_of((3, "/r/a/x.jpg"), (5, "/r/y.jpg"), (9, "/s/caf\udce9.jpg"), (10, "/r/a/\0gone"))
    with NewCatalog.begun(str(tmp_path), IDENTITY) as new:
        new.put_roots(["/r"])
        new.put_rows(rows)
        new.put_rows(rows_of((11, "/r/z.jpg")))
        new.put_in_place()
    assert os.listdir(tmp_path) == ["catalog.sqlite"]
    with closing(Catalog(str(tmp_path))) as catalog:
        assert list(catalog.records([3, 5, 9, 10]).values()) == rows.records
        assert len(catalog.indexed_ids()) == 5
        found = catalog.embeddings.of(np.array([3, 5, 9, 10]))
        order = np.argsort(found.ids)
        assert np.array_equal(found.units[order], rows.units)
        assert np.array_equal(found.norms[order], rows.norms)
        assert list(catalog.places.roots().values()) == ["/r"]
        assert catalog.record_at("/r/a/x.jpg") == rows.records[0]
        with catalog.transaction():
            place = catalog.places.require_place("/t/new.jpg")
            picture = Picture("00" * 16, 1, 1, np.zeros(4, np.float16), 0.0)
            assert catalog.changes.put(place, FileStat(1, 1), picture) == 12
        assert catalog.generation == 4


def test_until_it_is_in_place_there_is_none(tmp_path: Path) -> None:
    with NewCatalog.begun(str(tmp_path), IDENTITY) as new:
        new.put_rows(rows_of((1, "/a")))
        with pytest.raises(CollectionNotFoundError):
            Catalog(str(tmp_path))
    assert os.listdir(tmp_path) == []
    with pytest.raises(RuntimeError), NewCatalog.begun(str(tmp_path), IDENTITY):
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    aside = tmp_path / "catalog.new"
    aside.mkdir()
    for name in ("catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"):
        (aside / name).write_bytes(b"half of it")
    with NewCatalog.begun(str(tmp_path), IDENTITY) as new:
        new.put_rows(rows_of((1, "/a")))
        new.put_in_place()
    assert os.listdir(tmp_path) == ["catalog.sqlite"]


def test_a_log_of_a_catalog_that_is_gone_is_not_taken_for_its_own(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("CREATE TABLE other (a)")
        other.commit()
        log = (tmp_path / "catalog.sqlite-wal").read_bytes()
    (tmp_path / "catalog.sqlite").unlink()
    (tmp_path / "catalog.sqlite-wal").write_bytes(log)
    with NewCatalog.begun(str(tmp_path), IDENTITY) as new:
        new.put_rows(rows_of((1, "/a")))
        new.put_in_place()
    with closing(Catalog(str(tmp_path))) as catalog:
        assert len(catalog.indexed_ids()) == 1
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("twice", [[(1, "/a"), (1, "/b")], [(1, "/a"), (2, "/a")]])
def test_an_id_or_path_that_is_there_twice_is_refused(
    tmp_path: Path, twice: list[tuple[int, str]]
) -> None:
    with (
        NewCatalog.begun(str(tmp_path), IDENTITY) as new,
        pytest.raises(ConfigError, match="each id and path once"),
    ):
        new.put_rows(rows_of(*twice))


def test_questions_of_one_moment_see_no_later_change(tmp_path: Path) -> None:
    with NewCatalog.begun(str(tmp_path), IDENTITY) as new:
        new.put_rows(rows_of((1, "/a"), (2, "/b")))
        new.put_in_place()
    with closing(Catalog(str(tmp_path))) as reader, closing(Catalog(str(tmp_path))) as writer:
        with reader.snapshot():
            assert reader.counts().indexed == 2
            with writer.transaction():
                writer.changes.remove([1])
            assert [record.id for record in reader.all_records()] == [1, 2]
            assert len(reader.embeddings.of(np.array([1, 2])).ids) == 2
        assert [record.id for record in reader.all_records()] == [2]
        with reader.transaction():
            reader.changes.remove([2])
        assert writer.counts().indexed == 0
