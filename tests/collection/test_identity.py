"""A collection remembers what it was made with, and refuses anything else."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import CountingEncoder

from image_similarity_search.catalog.checksums import checksum_of_meta
from image_similarity_search.collection import Collection, pipeline
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.errors import (
    CollectionCorruptError,
    CollectionMismatchError,
    CollectionNewerError,
    CollectionNotFoundError,
    ConfigError,
    UnknownEncoderError,
)
from image_similarity_search.workers.pool import Pool


class OtherEncoder(CountingEncoder):
    fingerprint = "another one"


class WiderEncoder(CountingEncoder):
    dim = 2000


@pytest.fixture
def index(tmp_path: Path) -> Path:
    Collection.open(tmp_path / "i", encoder="colour-texture", metric="l2", create=True).close()
    return tmp_path / "i"


def test_it_opens_without_saying_what_it_is(index: Path) -> None:
    with Collection.open(index) as collection:
        info = collection.info()
        assert (info.encoder, info.metric, info.dim) == ("colour-texture", "l2", 1152)
        assert collection.encoder.preprocessing == Preprocessing(64, 64, "box")


@pytest.mark.parametrize(
    ("asked", "stored", "given"),
    [
        ({"encoder": "efficientnet-lite0"}, "colour-texture", "efficientnet-lite0"),
        ({"encoder": OtherEncoder()}, CountingEncoder.fingerprint, "another one"),
        ({"encoder": WiderEncoder()}, 1152, 2000),
        ({"metric": "cosine"}, "l2", "cosine"),
        ({"index": "exact"}, "auto", "exact"),
    ],
    ids=["name", "fingerprint", "dimension", "metric", "index"],
)
def test_anything_else_is_refused_with_both_values(
    index: Path, asked: dict[str, object], stored: object, given: object
) -> None:
    with pytest.raises(CollectionMismatchError) as caught:
        Collection.open(index, **asked)  # type: ignore[arg-type]  # the point of the test
    assert (caught.value.stored, caught.value.given) == (stored, given)
    assert str(stored) in str(caught.value)
    assert str(given) in str(caught.value)


def _set_meta(key: str, value: str) -> Callable[[sqlite3.Connection], object]:
    def change(db: sqlite3.Connection) -> None:
        meta = dict(db.execute("SELECT key, value FROM meta")) | {key: value}
        meta["crc32"] = checksum_of_meta(meta)
        db.executemany("UPDATE meta SET value = ? WHERE key = ?", [(meta[k], k) for k in meta])

    return change


def _change(index: Path, change: Callable[[sqlite3.Connection], object]) -> None:
    database = sqlite3.connect(index / "catalog.sqlite")
    change(database)
    database.commit()
    database.close()


def test_a_named_encoder_that_gives_other_embeddings_now_is_refused(index: Path) -> None:
    _change(index, _set_meta("fingerprint", "colour-texture;0;older"))
    with (
        Collection.open(index) as collection,
        pytest.raises(CollectionMismatchError, match="older"),
    ):
        _ = collection.encoder


def test_a_newer_format_is_refused_with_both_numbers(index: Path) -> None:
    _change(index, lambda db: db.execute("PRAGMA user_version = 7"))
    with pytest.raises(CollectionNewerError, match="format 7, this version reads up to 5"):
        Collection.open(index)


def test_a_file_of_another_program_is_refused(index: Path) -> None:
    _change(index, lambda db: db.execute("PRAGMA application_id = 7"))
    with pytest.raises(CollectionCorruptError, match="another program"):
        Collection.open(index)
    (index / "catalog.sqlite").write_bytes(b"no database at all" * 1000)
    with pytest.raises(CollectionCorruptError, match="not a database"):
        Collection.open(index)


def test_an_unfinished_creation_is_finished(index: Path) -> None:
    for file in index.iterdir():
        file.unlink()
    sqlite3.connect(index / "catalog.sqlite").close()
    (index / "catalog.sqlite").touch()
    with pytest.raises(CollectionNotFoundError):
        Collection.open(index)
    Collection.open(index, encoder="colour-texture", create=True).close()
    Collection.open(index).close()


def test_what_can_not_be_made_leaves_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "Pool", Pool)  # whose processes nobody else gets
    before = threading.enumerate()
    with pytest.raises(ConfigError, match="nonsense") as failed:
        Collection.open(tmp_path / "new", encoder="colour-texture", index="nonsense", create=True)
    assert threading.enumerate() == before, failed  # which keeps what it knows


def test_opening_what_is_not_there_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(CollectionNotFoundError, match="iss index"):
        Collection.open(tmp_path / "none")
    with pytest.raises(UnknownEncoderError, match="colour-texture"):
        Collection.open(tmp_path / "none", encoder="nonsense", create=True)
    with pytest.raises(ConfigError, match="one of cosine, l2, l1, ip"):
        Collection.open(tmp_path / "none", metric="hamming", create=True)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="one of"):
        Collection.open(tmp_path / "none", index="nonsense", create=True)
    assert not (tmp_path / "none").exists()
