"""No value of the catalog can change without a notice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_similarity_search.catalog import schema
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.checksums import Checksums, Value
from image_similarity_search.catalog.inspection import inspect
from image_similarity_search.catalog.values import FileStat, Identity, Picture
from image_similarity_search.errors import CollectionCorruptError

_NUMBERS = st.integers(-(2**63), 2**63 - 1)
_SEALED = ("meta", "roots", "folders", "images", "embeddings")


def _columns() -> Iterator[tuple[str, str]]:
    """Every column but ids, which others refer to, in every table that has checksums."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(schema.SCHEMA)
        for table in _SEALED:
            for row in database.execute("SELECT name FROM pragma_table_info(?)", (table,)):
                if row[0] not in ("id", "image_id", "key"):
                    yield table, row[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A catalog of two images and a bad file."""
    identity = Identity("e", "e;1", 4, "l2", "auto")
    with closing(Catalog.create(str(tmp_path), identity)) as made, made.transaction():
        made.places.require_root("/p")
        for number in (1, 2):
            place = made.places.require_place(f"/p/x/{number}.jpg")
            unit = np.array([0.5, 0.5, 0.5, 0.5], dtype=np.float16)
            picture = Picture(f"{number:032x}", 10, 20, unit, 1.5)
            made.changes.put(place, FileStat(number, number), picture)
        bad = made.places.require_place("/p/x/bad.jpg")
        made.changes.put_skipped(bad, FileStat(7, 7), None, "no picture")
    return tmp_path


def read_all(folder: Path) -> None:
    """Read everything that a search or a sync reads."""
    with closing(Catalog(str(folder))) as catalog:
        assert catalog.generation == 1
        assert len(catalog.records([1, 2])) == 2
        assert len(list(catalog.all_records())) == 2
        assert len(list(catalog.all_records(skipped=True))) == 1
        assert len(next(catalog.embeddings.since(0)).ids) == 2
        assert list(catalog.places.roots().values()) == ["/p"]


def change(folder: Path, statement: str) -> None:
    """Change the file behind the back of the catalog."""
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as database, database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        assert database.execute(statement).rowcount > 0


def test_what_is_whole_can_be_read(folder: Path) -> None:
    read_all(folder)


@pytest.mark.parametrize(("table", "column"), list(_columns()))
def test_a_changed_value_is_noticed(folder: Path, table: str, column: str) -> None:
    changed = {
        "path": "x'2f71' || path",
        "name": "x'61' || name",
        "unit": "x'0000000000000000'",
        "content_hash": "x'00000000000000000000000000000000'",
        "value": "value || '1'",
        "state": "'indexee'",
        "reason": "'another'",
        "metadata": "'{\"a\": 1}'",
    }.get(column, f"ifnull({column}, 0) + 1")
    where = " WHERE id != 0" if table == "roots" else ""
    of_its_type = f"CAST({changed} AS {_type(table, column)})"
    change(folder, f"UPDATE {table} SET {column} = {of_its_type}{where}")
    with pytest.raises(CollectionCorruptError, match=r"catalog\.sqlite is damaged"):
        read_all(folder)
    assert list(inspect(str(folder / "catalog.sqlite"), {}))


def _type(table: str, column: str) -> str:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(schema.SCHEMA)
        query = "SELECT type FROM pragma_table_info(?) WHERE name = ?"
        return str(database.execute(query, (table, column)).fetchone()[0])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE embeddings SET image_id = 3 - image_id + 10",
        "UPDATE images SET id = id + 10",
        "UPDATE folders SET id = id + 10",
        "DELETE FROM folders",
        "DELETE FROM roots WHERE id = 1",
        "DELETE FROM embeddings WHERE image_id = 2",
        "DELETE FROM meta WHERE key = 'metric'",
        "DELETE FROM meta WHERE key = 'crc32'",
    ],
)
def test_a_row_that_is_missing_or_has_another_id_is_noticed(folder: Path, statement: str) -> None:
    change(folder, statement)
    with pytest.raises((CollectionCorruptError, AssertionError)):
        read_all(folder)
    assert list(inspect(str(folder / "catalog.sqlite"), {}))


def test_a_row_of_another_collection_is_noticed(folder: Path) -> None:
    change(folder, f"UPDATE meta SET value = '{'0' * 32}' WHERE key = 'id'")
    with pytest.raises(CollectionCorruptError, match="meta"):
        read_all(folder)


def test_the_quick_way_gives_the_same() -> None:
    checksums = Checksums("abc")
    unit = bytes(range(8))
    assert checksums.of_embedding(7, 1.5, unit) == checksums.of("embeddings", 7, 1.5, unit)


_IMAGE: tuple[Value, ...] = (
    *(7, 3, b"a\xff.jpg", 10, -20, bytes(range(240, 256)), 30, 40),
    *("indexed", None, 5, "{}", 2**32 - 1),
)


@pytest.mark.parametrize("place", range(len(_IMAGE)))
@pytest.mark.parametrize("value", [None, 0, -1, 2**63 - 1, b"", b"\xe9", "", "{", "\u20ac", 1.5])
def test_the_quick_way_of_an_image_gives_the_same(place: int, value: Value) -> None:
    """Whatever it holds: a damaged row may hold anything, a good one null where that may be."""
    checksums = Checksums("abc")
    row = (*_IMAGE[:place], value, *_IMAGE[place + 1 :])
    assert checksums.of_image((*_IMAGE, 0)) == checksums.of("images", *_IMAGE)
    same = checksums.of_image((*row, 0)) == checksums.of("images", *row)
    assert same or not isinstance(value, type(_IMAGE[place]))
    if value is None and place in (5, 6, 7, 9, 12):  # what may be null
        assert same


def test_values_that_are_run_together_are_told_apart() -> None:
    of = Checksums("abc").of
    rows = [(1, 23), (12, 3), (123,), ("1", "23"), (b"1", b"23"), (None, 123), ("",), (b"",), ()]
    assert len({of("images", *row) for row in rows}) == len(rows)
    assert of("images", 1) != of("folders", 1) != Checksums("abd").of("folders", 1)


@given(
    st.tuples(
        _NUMBERS,
        _NUMBERS,
        st.binary() | st.none() | st.text(),
        _NUMBERS | st.none(),
        _NUMBERS | st.floats(),
        st.binary(min_size=16, max_size=16) | st.none(),
        *[_NUMBERS | st.none()] * 2,
        st.sampled_from(["indexed", "skipped"]),
        st.text() | st.none(),
        _NUMBERS,
        st.just("{}") | st.text(),
        _NUMBERS | st.none(),
    )
)
def test_the_quick_checksum_of_an_image_is_the_general_one(
    values: tuple[int | float | str | bytes | None, ...],
) -> None:
    checksums = Checksums("0123abcd")
    expected = checksums.of("images", *values)
    quick = checksums.of_image((*values, expected))
    # a value of a type that its column can't hold may only make the row a damaged one
    typed = isinstance(values[2], bytes) and isinstance(values[3], int)
    assert quick == expected if typed and isinstance(values[4], int) else quick >= 0
