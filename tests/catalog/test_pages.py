"""Rows read page by page are those that SQLite reads."""

from __future__ import annotations

import random
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_similarity_search.catalog.pages import Pages

_VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([0, 1, -1, 127, 128, -129, 2**15, 2**23, -(2**31), 2**47, 2**48]),
    st.floats(allow_nan=False).filter(lambda value: not value.is_integer()),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.binary(),
    st.integers(1, 60_000).map(lambda size: bytes(range(256)) * (size // 256 + 1)),
)
_ROWS = st.lists(st.tuples(_VALUES, _VALUES, _VALUES), max_size=20)


def rows_of(file: Path) -> list[Any]:
    with file.open("rb") as opened:
        return [(rowid, *values) for rowid, values in Pages(opened).rows()]


@settings(max_examples=60, deadline=None)
@given(_ROWS, st.sampled_from([512, 1024, 4096, 16_384, 65_536]))
def test_they_are_all_there_whatever_is_in_them(rows: list[Any], page_size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.sqlite"
        with closing(sqlite3.connect(file)) as database:
            database.execute(f"PRAGMA page_size = {page_size}")
            with database:
                database.execute("CREATE TABLE t (a, b, c)")
                database.execute("CREATE TABLE k (a TEXT PRIMARY KEY, b) WITHOUT ROWID")
                database.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
                database.execute("INSERT INTO k VALUES ('key', 'value')")
            expected = database.execute("SELECT rowid, a, b, c FROM t").fetchall()
        found = rows_of(file)
        assert (None, "key", "value") in found
        assert sorted(row for row in map(repr, found) if len(row)) == sorted(
            map(repr, [*expected, (None, "key", "value")])
        )


def test_inner_pages_of_a_table_without_rowid_hold_rows_too(tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("PRAGMA page_size = 1024")
        database.execute("CREATE TABLE k (a INTEGER PRIMARY KEY, b) WITHOUT ROWID")
        database.executemany(
            "INSERT INTO k VALUES (?, ?)", ((key, f"{key:050}") for key in range(5000))
        )
    assert sorted(key for _, key, _ in rows_of(file)) == list(range(5000))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A table of 300 rows on many pages, 100 of which were deleted."""
    path = tmp_path / "x.sqlite"
    with closing(sqlite3.connect(path)) as database:
        with database:
            database.execute("PRAGMA page_size = 1024")
            database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text)")
            database.executemany(
                "INSERT INTO t VALUES (?, ?)", ((number, f"{number:0200}") for number in range(300))
            )
        with database:
            database.execute("DELETE FROM t WHERE id BETWEEN 50 AND 149")
    return path


def test_deleted_rows_are_not_found(file: Path) -> None:
    assert sorted(row[0] for row in rows_of(file)) == [*range(50), *range(150, 300)]


def test_what_free_pages_still_hold_is_not_found(file: Path) -> None:
    """A table that is dropped leaves its pages as they were."""
    expected = sorted(rows_of(file))
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA secure_delete = OFF")  # which some builds of SQLite have on
        with database:
            database.execute("CREATE TABLE dropped (id INTEGER PRIMARY KEY, text)")
            database.execute("INSERT INTO dropped SELECT id + 1000, text FROM t")
        with database:
            database.execute("DROP TABLE dropped")
    assert file.read_bytes().count(f"{199:0200}".encode()) == 2
    assert sorted(rows_of(file)) == expected


def test_without_a_list_of_free_pages_no_row_is_missing(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[18:1024] = bytes(1024 - 18)
    file.write_bytes(data)
    assert {row[0] for row in rows_of(file)} >= {*range(50), *range(150, 300)}


def test_without_the_first_page_they_are_taken_for_as_large_as_a_catalogs(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA page_size = 16384")
        database.execute("CREATE TABLE t (a)")
        database.executemany("INSERT INTO t VALUES (?)", [(bytes(1000),)] * 100)
    data = path.read_bytes()
    path.write_bytes(bytes(16_384) + data[16_384:])
    assert len(rows_of(path)) == 100


def test_what_is_around_a_damaged_page_is_found(file: Path) -> None:
    data = bytearray(file.read_bytes())
    pages = len(data) // 1024
    for page in range(2, pages):
        damaged = bytearray(data)
        damaged[page * 1024 : (page + 1) * 1024] = bytes(1024)
        file.write_bytes(damaged)
        assert len(rows_of(file)) >= 200 - 5  # as many as are on a page


def test_garbage_is_no_row_and_no_failure(file: Path) -> None:
    data = file.read_bytes()
    for seed in range(300):
        rng = random.Random(seed)
        damaged = bytearray(data)
        for _ in range(rng.randrange(1, 400)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        file.write_bytes(damaged)
        assert isinstance(rows_of(file), list)


def test_a_chain_of_overflow_pages_that_bites_its_tail_ends(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA page_size = 512")
        database.execute("CREATE TABLE t (a)")
        database.execute("INSERT INTO t VALUES (?)", (bytes(5000),))
    data = bytearray(path.read_bytes())
    for page in range(3, len(data) // 512):
        data[page * 512 : page * 512 + 4] = (page + 1).to_bytes(4, "big")  # each leads to itself
    path.write_bytes(data)
    assert len(rows_of(path)) == 1
