"""Every promise of the storage format is looked at, also where the checksums are right."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.checksums import Checksums, checksum_of_meta
from image_similarity_search.catalog.inspection import inspect
from image_similarity_search.catalog.values import FileStat, Identity, Picture
from image_similarity_search.errors import CollectionNewerError, CollectionNotFoundError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A catalog of two roots, two images, a loose one and a bad file, and a removed one."""
    with closing(Catalog.create(str(tmp_path), Identity("e", "e;1", 4, "l2", "auto"))) as made:
        with made.transaction():
            made.places.require_root("/p")
            made.places.require_root("/q")
            ids = [put(made, path) for path in ("/p/a.jpg", "/q/x/b.jpg", "/r/c.jpg", "/p/d.jpg")]
            made.changes.put_skipped(
                made.places.require_place("/p/bad"), FileStat(7, 7), None, "bad"
            )
        with made.transaction():
            made.changes.remove(ids[-1:])
    return tmp_path / "catalog.sqlite"


def put(catalog: Catalog, path: str) -> int:
    unit = np.array([0.5, 0.5, 0.5, 0.5], dtype=np.float16)
    picture = Picture("ab" * 16, 10, 20, unit, 1.5)
    return catalog.changes.put(catalog.places.require_place(path), FileStat(1, 1), picture)


def change(file: Path, *statements: str) -> None:
    """Change a catalog, and give every row the right checksum; references are not checked."""
    with closing(sqlite3.connect(file)) as database, database:
        for statement in statements:
            database.execute(statement)
        meta = dict(database.execute("SELECT key, value FROM meta"))
        meta["crc32"] = checksum_of_meta(meta)
        database.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())
        checksums = Checksums(meta["id"])
        for table in ("roots", "folders", "images"):
            for row in database.execute(f"SELECT * FROM {table}").fetchall():
                crc32 = checksums.of(table, *row[:-1])
                database.execute(f"UPDATE {table} SET crc32 = ? WHERE id = ?", (crc32, row[0]))
        embeddings = database.execute("SELECT image_id, norm, unit FROM embeddings").fetchall()
        for row in embeddings:
            database.execute(
                "UPDATE embeddings SET crc32 = ? WHERE image_id = ?",
                (checksums.of("embeddings", *row), row[0]),
            )


def problems(file: Path) -> list[str]:
    return list(inspect(str(file), {}))


def test_a_whole_one_has_no_problems(file: Path) -> None:
    checked: dict[str, int] = {}
    assert list(inspect(str(file), checked)) == []
    pages = file.stat().st_size // 16_384
    assert checked == {"pages": pages, "roots": 2, "folders": 3, "images": 4, "embeddings": 3}
    change(file)
    assert problems(file) == []


_SKIPPED = "UPDATE images SET state = 'skipped', reason = 'x'"


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE meta SET value = 'x' WHERE key = 'dim'", "meta has dim 'x'"),
        ("UPDATE meta SET value = '-1' WHERE key = 'generation'", "generation '-1'"),
        ("UPDATE meta SET value = 'hamming' WHERE key = 'metric'", "metric 'hamming'"),
        ("DELETE FROM meta WHERE key = 'index'", "meta lacks index"),
        ("UPDATE roots SET path = x'2f702f71' WHERE path = x'2f71'", "/p/q lies in the root /p"),
        ("UPDATE roots SET path = x'2f72' WHERE path = x'2f71'", "/r belongs to the root /r"),
        ("UPDATE roots SET id = 9 WHERE id = 0", "the loose root is missing"),
        ("UPDATE folders SET path = x'2f78' WHERE path = x'78'", "has the path b'/x'"),
        ("UPDATE images SET name = x'612f62' WHERE id = 1", "image 1 has the name b'a/b'"),
        ("UPDATE images SET generation = 99 WHERE id = 1", "image 1 is of generation 99, of 2"),
        ("UPDATE images SET metadata = '[]' WHERE id = 1", "image 1 has metadata that"),
        ("UPDATE images SET metadata = '{' WHERE id = 1", "image 1 has metadata that"),
        ("UPDATE images SET content_hash = x'00'", "content hash of 1 bytes"),
        ("UPDATE images SET content_hash = NULL", "image 1 lacks a content hash"),
        ("UPDATE images SET width = 0", "image 1 lacks a width or a height"),
        ("UPDATE images SET height = NULL", "image 1 lacks a width or a height"),
        (f"{_SKIPPED} WHERE id = 1", "image 1 is skipped, and has an embedding"),
        ("UPDATE images SET reason = NULL", "image 5 is skipped without a reason"),
        ("DELETE FROM embeddings WHERE image_id = 1", "image 1 has no embedding"),
        ("UPDATE embeddings SET norm = 9 WHERE image_id = 1", "image 1 has the embedding of ano"),
        ("UPDATE embeddings SET unit = x'0000'", "has 2 bytes, of 4 dimensions"),
        ("UPDATE embeddings SET unit = x'007c0000007c0000'", "image 1 is not finite"),
        ("UPDATE embeddings SET norm = 9e999", "image 1 is not finite"),
        ("DELETE FROM images WHERE id = 1", "row 1 of embeddings refers to a row of images"),
        ("DELETE FROM folders WHERE id = 1", "refers to a row of folders"),
        ("UPDATE removals SET generation = 99", "image 4 was removed in generation 99, of 2"),
        ("INSERT INTO removals VALUES (2, 1)", "image 1 is both removed and present"),
        ("UPDATE sqlite_sequence SET seq = 1", "ids of images may be used twice"),
        ("DELETE FROM sqlite_sequence", "ids of images may be used twice"),
        ("DROP INDEX images_by_content", "images_by_content is not as the storage format"),
        ("ALTER TABLE images ADD COLUMN more INTEGER", "images is not as the storage format"),
        ("ALTER TABLE removals RENAME TO gone", "removals is not as the storage format"),
    ],
)
def test_what_is_not_as_it_should_be_is_found(file: Path, statement: str, problem: str) -> None:
    if problem.startswith("images is not"):
        with closing(sqlite3.connect(file)) as database, database:
            database.execute(statement)
    else:
        change(file, statement)
    found = problems(file)
    assert any(problem in text for text in found), found


def test_an_index_that_leaves_out_other_rows_is_found(file: Path) -> None:
    change(
        file,
        "DROP INDEX images_skipped",
        "CREATE INDEX images_skipped ON images (id) WHERE state = 'indexed'",
    )
    assert "images_skipped is not as the storage format has it" in problems(file)


def test_a_missing_entry_of_an_index_is_found(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("PRAGMA writable_schema = ON")
        sql = "SELECT sql FROM sqlite_schema WHERE name = 'images_by_content'"
        kept = database.execute(sql).fetchone()
        hide = "UPDATE sqlite_schema SET sql = ? WHERE name = 'images_by_content'"
        database.execute(hide, ("CREATE INDEX images_by_content ON images (content_hash) WHERE 0",))
        database.execute("PRAGMA writable_schema = RESET")
        database.execute("UPDATE images SET content_hash = x'00' WHERE id = 5")
        database.execute("PRAGMA writable_schema = ON")
        database.execute(hide, kept)
    assert any("images_by_content" in text for text in problems(file))


def test_what_is_no_catalog_is_no_damaged_one(file: Path) -> None:
    with pytest.raises(CollectionNotFoundError):
        problems(file.parent / "none" / "catalog.sqlite")
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(CollectionNewerError):
        problems(file)
