"""A store knows the catalog that it caught up with from one that counts the same generations."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from histories import IDENTITY, Histories

from image_similarity_search.catalog import history
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.types import NEW, Moment


def _copied(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


@pytest.fixture
def histories(tmp_path: Path) -> Iterator[Histories]:
    """Of a catalog in a file; a backup is put into it as SQLite does, with others at it."""
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
    Catalog.create(str(folders[0]), IDENTITY).close()
    file = folders[0] / "catalog.sqlite"
    made = Histories(
        folders,
        lambda _: Catalog(str(folders[0])),
        lambda backup: _copied(file, backup),
        lambda backup: _copied(backup, file),
    )
    yield made
    made.close()


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_restored_every_folder_finds_what_is_there(
    histories: Histories, seed: int
) -> None:
    histories.run(seed, 150)


def test_without_a_restore_no_store_is_made_anew(
    histories: Histories, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    histories.restore = lambda rng: None  # type: ignore[method-assign]
    histories.run(7, 150)
    assert "rebuilding it" not in caplog.text


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with closing(Catalog.create(str(tmp_path), IDENTITY)) as made:
        yield made


def _advance(catalog: Catalog, times: int = 1) -> Moment:
    for _ in range(times):
        with catalog.transaction():
            pass
    return catalog.moment


def test_what_is_of_the_past_of_a_catalog_can_catch_up_and_nothing_else(catalog: Catalog) -> None:
    first, second = _advance(catalog), _advance(catalog)
    for past in (NEW, first, second):
        assert catalog.history.why_not(past) == ""
    assert catalog.history.why_not(Moment(3, 1)) == history.AHEAD
    for other in (Moment(1, second.mark), Moment(1), Moment(2), Moment(0, 1)):
        assert catalog.history.why_not(other) == history.ANOTHER


def test_the_oldest_marks_are_dropped(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_KEPT", 10)
    monkeypatch.setattr(history, "_EACH", 5)
    old, kept = _advance(catalog, 5), _advance(catalog)
    _advance(catalog, 9)
    assert catalog.history.why_not(old) == history.TOO_OLD
    assert catalog.history.why_not(kept) == ""


def test_what_was_written_before_there_were_marks_is_believed_once(tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parent.parent / "golden" / "format-4", tmp_path / "old")
    with closing(Catalog(str(tmp_path / "old"))) as catalog:
        now = catalog.moment
        assert now.mark == 0
        assert catalog.history.why_not(now) == ""
        assert catalog.history.why_not(now._replace(mark=1)) == history.ANOTHER
        later = _advance(catalog)
        for past in (now, Moment(now.generation - 1), later):
            assert catalog.history.why_not(past) == ""
        assert catalog.history.why_not(Moment(later.generation)) == history.ANOTHER
