"""Damage is noticed and named, or does not matter; never is an answer wrong in silence."""

from __future__ import annotations

import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import damage
import pytest
from conftest import CountingEncoder, MakePicture

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection import Collection
from image_similarity_search.errors import (
    CollectionCorruptError,
    CollectionNewerError,
)

_PAGE = 16_384
_FLIPS = 80


@pytest.fixture
def index(tmp_path: Path, make_picture: MakePicture) -> Path:
    return damage.make(tmp_path / "pictures", make_picture)


@pytest.fixture
def copies(index: Path, tmp_path: Path) -> Iterator[Path]:
    return damage.copies(index, tmp_path / "copy")


def outcome(index: Path, expected: damage.Answers) -> str:
    """What became of asking a damaged collection; what is no outcome is raised."""
    try:
        answers = damage.answers(index)
    except CollectionCorruptError as error:
        return "named" if str(index / "catalog.sqlite") in str(error) else "misnamed"
    except CollectionNewerError:  # the number of the format itself was hit
        return "newer"
    return "right" if answers == expected else "wrong"


# The catalog


@pytest.mark.parametrize("with_store", [True, False], ids=["store", "no store"])
def test_a_turned_bit_of_the_catalog_is_noticed_or_does_not_matter(
    index: Path, copies: Iterator[Path], with_store: bool
) -> None:
    expected = damage.answers(index)
    outcomes: dict[str, list[int]] = defaultdict(list)
    for seed, copy in zip(range(_FLIPS), copies, strict=False):
        if not with_store:
            (copy / "faiss.index").unlink()
        place = damage.flip(copy / "catalog.sqlite", seed)
        outcomes[outcome(copy, expected)].append(place)
    assert not outcomes["wrong"] + outcomes["misnamed"]
    assert len(outcomes["named"]) > _FLIPS / 3  # the pages of empty tables do not matter
    assert outcomes["right"]


def test_a_catalog_of_any_length_but_its_own_is_named(index: Path, copies: Iterator[Path]) -> None:
    expected = damage.answers(index)
    size = (index / "catalog.sqlite").stat().st_size
    lengths = [0, 1, 99, 100, 511, 512, *range(1000, size, 9973), *range(_PAGE, size, _PAGE)]
    for length, copy in zip([*lengths, size - 1], copies, strict=False):
        damage.truncate(copy / "catalog.sqlite", length)
        assert outcome(copy, expected) == "named", length


def test_zeroed_pages_of_the_catalog_are_named_or_do_not_matter(
    index: Path, copies: Iterator[Path]
) -> None:
    expected = damage.answers(index)
    size = (index / "catalog.sqlite").stat().st_size
    outcomes = []
    for start, copy in zip(range(0, size, _PAGE), copies, strict=False):
        damage.zero(copy / "catalog.sqlite", start, _PAGE)
        outcomes.append(outcome(copy, expected))
    assert set(outcomes) == {"named", "right"}  # an empty table's page does not matter
    assert outcomes[0] == "named"
    damage.zero(next(copies) / "catalog.sqlite", 0, size)
    assert outcome(index.parent.parent / "copy", expected) == "named"


def test_a_missing_catalog_is_named_where_its_store_is_there(
    index: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (index / "catalog.sqlite").unlink()
    with pytest.raises(CollectionCorruptError, match=r"catalog\.sqlite is damaged: it is missing"):
        Collection.open(index)
    with Collection.open(index, encoder=CountingEncoder(), create=True) as collection:
        assert len(collection) == 0
    assert "it is missing or empty" in caplog.text


def test_another_collections_catalog_is_answered_from_as_it_is(
    index: Path, tmp_path: Path, make_picture: MakePicture
) -> None:
    other = make_picture(tmp_path / "other" / "x.png", 60)
    with Collection.open(tmp_path / "o", encoder=CountingEncoder(), create=True) as collection:
        collection.sync(other.parent)
    shutil.copy(tmp_path / "o" / "catalog.sqlite", index / "catalog.sqlite")
    with Collection.open(index) as collection:
        assert [hit.path for hit in collection.search(other)] == [str(other)]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DELETE FROM images WHERE id = 9", "image 9 has no record"),
        ("DELETE FROM embeddings WHERE image_id = 9", "22 of 23 images can be read"),
    ],
)
def test_a_row_that_is_missing_does_not_leave_the_answer_in_silence(
    index: Path, statement: str, words: str
) -> None:
    with Collection.open(index) as collection:
        assert len(collection.search(3, k=50)) == 22
        with closing(sqlite3.connect(index / "catalog.sqlite")) as database, database:
            database.execute(statement)  # which checks no references
        with pytest.raises(CollectionCorruptError, match=words):
            collection.search(3, k=50)


# The write-ahead log


@pytest.fixture
def killed(
    index: Path, tmp_path: Path, make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, list[damage.Answers]]:
    """A collection as a killed process leaves it, with a log, and its answers after each change."""
    monkeypatch.setattr(Catalog, "make_durable", lambda _: None)
    states = [damage.answers(index)]
    with Collection.open(index, encoder=CountingEncoder()) as collection:
        for seed in range(50, 54):
            make_picture(tmp_path / "pictures" / "two" / f"new {seed}.png", seed)
            collection.sync(tmp_path / "pictures" / "two")
            states.append(damage.answers(index))
        shutil.copytree(index, tmp_path / "killed", ignore=shutil.ignore_patterns("*-shm"))
    return tmp_path / "killed", states


def test_a_log_that_is_whole_is_read(killed: tuple[Path, list[damage.Answers]]) -> None:
    index, states = killed
    assert (index / "catalog.sqlite-wal").stat().st_size > 0
    assert damage.answers(index) == states[-1]


@pytest.mark.parametrize("how", ["deleted", "turned bits", "cut short", "zeroed"])
def test_a_damaged_log_leaves_an_earlier_state_as_a_power_cut_does(
    killed: tuple[Path, list[damage.Answers]], tmp_path: Path, how: str
) -> None:
    index, states = killed
    size = (index / "catalog.sqlite-wal").stat().st_size
    seen = set()
    for number, copy in zip(
        range(1 if how == "deleted" else 30), damage.copies(index, tmp_path / "w"), strict=False
    ):
        log = copy / "catalog.sqlite-wal"
        if how == "deleted":
            log.unlink()
        elif how == "turned bits":
            damage.flip(log, number)
        elif how == "cut short":
            damage.truncate(log, size * number // 30)
        else:
            damage.zero(log, size * number // 30, 4096)
        answers = damage.answers(copy)
        assert answers in states
        seen.add(states.index(answers))
    assert 0 in seen
    assert how == "deleted" or len(seen) > 1


def test_a_log_of_another_collection_is_noticed(
    killed: tuple[Path, list[damage.Answers]], tmp_path: Path, make_picture: MakePicture
) -> None:
    index, states = killed
    other = damage.make(tmp_path / "other pictures", make_picture)
    shutil.copy(other / "catalog.sqlite", index / "catalog.sqlite")
    assert outcome(index, states[-1]) == "named"


# The store


def test_a_damaged_store_is_made_anew_and_the_answers_stay(
    index: Path, copies: Iterator[Path], caplog: pytest.LogCaptureFixture
) -> None:
    expected = damage.answers(index)
    size = (index / "faiss.index").stat().st_size
    lengths = [0, 1, 15, 16, *range(100, size, size // 30), size - 1]
    ways: list[Callable[[Path], object]] = [
        Path.unlink,
        *(partial(damage.truncate, length=length) for length in lengths),
        *(partial(damage.zero, start=start, length=4096) for start in range(0, size, _PAGE)),
        *(partial(damage.flip, seed=seed) for seed in range(_FLIPS)),
    ]
    for way, copy in zip(ways, copies, strict=False):
        caplog.clear()
        way(copy / "faiss.index")
        assert damage.answers(copy) == expected
        assert "rebuilding it" in caplog.text
    caplog.clear()
    assert damage.answers(copy) == expected
    assert not caplog.text


def test_a_store_that_holds_what_the_catalog_has_not_is_made_anew(
    index: Path,
    tmp_path: Path,
    make_picture: MakePicture,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of two histories of one backup, of one mark, with as many images."""
    monkeypatch.setattr("secrets.randbelow", lambda _: 0)
    backup = (index / "catalog.sqlite").read_bytes()
    folder = tmp_path / "pictures" / "two"
    first, second = folder / "first.png", folder / "second.png"
    make_picture(first, 70)
    make_picture(second, 71)
    with Collection.open(index, encoder=CountingEncoder()) as collection:
        collection.add(first, second)
        collection.remove(first)
        generation = collection.info().generation
    store = (index / "faiss.index").read_bytes()
    (index / "catalog.sqlite").write_bytes(backup)
    (index / "faiss.index").unlink()
    with Collection.open(index, encoder=CountingEncoder()) as collection:
        collection.add(first)
        collection.rebuild()
        assert collection.info().generation == generation
    (index / "faiss.index").write_bytes(store)
    with Collection.open(index) as collection:
        caplog.clear()
        assert collection.search(first, k=1)[0].path == str(first)
    assert "contradicts the catalog (image 27 has no embedding): rebuilding it" in caplog.text
