"""The catalog of a collection, moved from its file into PostgreSQL, and back."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import CountingEncoder, MakePicture
from postgres_server import PostgresServer

from image_similarity_search import Filter, export_collection, import_collection
from image_similarity_search.catalog import whereabouts
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.whereabouts import FILE_NAME, LEFT, NEXT, POINTER
from image_similarity_search.cli.app import app
from image_similarity_search.collection import Collection
from image_similarity_search.collection.verify import verified
from image_similarity_search.errors import (
    CollectionCorruptError,
    CollectionExistsError,
    CollectionMismatchError,
    CollectionNotFoundError,
    CollectionUnavailableError,
    CollectionUnwritableError,
    ConfigError,
)
from image_similarity_search.types import Progress

_TABLES = ("meta", "roots", "folders", "images", "embeddings", "traits", "removals", "forgotten")


@pytest.fixture
def filled(tmp_path: Path, photos: Path, make_picture: MakePicture) -> Iterator[Collection]:
    """A collection in a file, with all that one can have: tags, dismissals, a bad file, a gap."""
    with Collection.open(
        tmp_path / "index", encoder=CountingEncoder(), create=True, thumbnails=True
    ) as made:
        made.sync(photos)
        (photos / "bad.jpg").write_bytes(b"no picture")
        made.sync(photos)
        made.add(make_picture(tmp_path / "alone" / "loose.png", 90))
        made.add(make_picture(tmp_path / "alone" / "last.png", 91))
        made.add_tags([2], "gone")
        made.remove(2, tmp_path / "alone" / "last.png")
        made.add_tags([1, 3], ["sea", "été"])
        made.dismiss_duplicates(1, 3)
        yield made


def _all_of(collection: Collection, photos: Path) -> list[Any]:
    """What a collection says, of every kind."""
    ids = [image.id for image in collection]
    seen = Filter(tags=["sea"])
    return [
        list(collection),
        list(collection.skipped()),
        collection.roots(),
        collection.tags(),
        [collection.traits(id_) for id_ in ids],
        [collection.search(id_, k=12) for id_ in ids],
        collection.search(photos / "picture 0.jpg", k=12),
        collection.search(1, k=5, where=seen),
    ]


def _rows(path: Path) -> list[Any]:
    """All that is in a catalog's file."""
    with closing(sqlite3.connect(path)) as file:
        return [sorted(file.execute(f"SELECT * FROM {name}"), key=repr) for name in _TABLES]


def test_it_goes_there_and_back_and_is_the_same(
    filled: Collection, url: str, photos: Path, tmp_path: Path, make_picture: MakePicture
) -> None:
    index = tmp_path / "index"
    before, rows = _all_of(filled, photos), _rows(index / FILE_NAME)
    steps: list[Progress] = []
    store = (index / "faiss.index").read_bytes()
    filled.move_catalog(url, progress=steps.append)
    assert {step.phase: step.done for step in steps} == {"moving": 12, "comparing": 12}
    assert filled.info().catalog == url
    assert _all_of(filled, photos) == before
    assert _rows(index / LEFT) == rows
    assert not (index / FILE_NAME).exists()
    with Collection.open(tmp_path / "there", encoder=CountingEncoder(), catalog=url) as there:
        assert _all_of(there, photos) == before
        assert not there.verify(files=True).damaged
    filled.move_catalog("file")
    assert filled.info().catalog == ""
    assert not (index / POINTER).exists()
    assert _rows(index / FILE_NAME) == rows
    assert _all_of(filled, photos) == before
    assert (index / "faiss.index").read_bytes() == store
    assert not filled.verify(files=True).damaged
    assert "gone" not in filled.tags()
    filled.sync(photos)
    assert filled.tags()["gone"] == 1
    (last,) = filled.add(make_picture(tmp_path / "alone" / "new.png", 92))
    assert last.id == 17  # that of the last image is not given again


def test_it_goes_on_where_it_is(
    filled: Collection, url: str, photos: Path, tmp_path: Path, make_picture: MakePicture
) -> None:
    filled.move_catalog(url)
    make_picture(photos / "below" / "new.png", 95)
    report = filled.sync(photos)
    assert (report.encoded, report.unchanged, report.moved) == (2, 11, 0)  # one was forgotten
    assert max(image.id for image in filled) > 15
    filled.move_catalog("file")
    filled.move_catalog(url)  # over what was left there
    filled.move_catalog("file")
    assert filled.sync(photos).encoded == 0
    assert not filled.verify().damaged


def test_by_command(filled: Collection, url: str, tmp_path: Path) -> None:
    where = ["--index-dir", str(tmp_path / "index")]
    filled.close()
    moved = CliRunner().invoke(app, ["move", "--catalog", url, *where])
    assert moved.stdout == f"moved: 12 images, catalog {url}\n", moved.output
    again = CliRunner().invoke(app, ["move", "--catalog", url, *where])
    assert "a place other than where the catalog is" in str(again.exception)
    back = CliRunner().invoke(app, ["move", "--catalog", "file", "--json", *where])
    assert json.loads(back.stdout).items() >= {"indexed": 12, "catalog": ""}.items()
    for wrong in (
        [],
        ["--to", "embedded", "--catalog", "file"],
        ["--catalog", url, "--index", "x"],
    ):
        assert CliRunner().invoke(app, ["move", *wrong, *where]).exit_code == 2


def test_others_are_told_where_it_went(filled: Collection, url: str, tmp_path: Path) -> None:
    filled.move_catalog(url)
    index = tmp_path / "index"
    with Collection.open(tmp_path / "there", encoder=CountingEncoder(), catalog=url) as there:
        filled.move_catalog("file")
        with pytest.raises(CollectionNotFoundError):
            there.add_tags([1], "lost")
    for create in (False, True):
        with pytest.raises(CollectionUnavailableError, match=f"was moved to {index} on "):
            Collection.open(tmp_path / "there", encoder=CountingEncoder(), create=create)
    assert filled.tags() == {"sea": 2, "été": 2}


def test_who_has_the_file_open_writes_to_it_no_more(
    filled: Collection, url: str, tmp_path: Path
) -> None:
    with Collection.open(tmp_path / "index", encoder=CountingEncoder()) as other:
        filled.move_catalog(url)
        assert len(other.search(1, k=3)) == 3
        with pytest.raises(CollectionNotFoundError):
            other.add_tags([1], "lost")


def test_it_moves_from_one_database_to_another(
    filled: Collection, server: PostgresServer, url: str, photos: Path, tmp_path: Path
) -> None:
    before = _all_of(filled, photos)
    filled.move_catalog(url)
    with pytest.raises(CollectionExistsError, match="join"):
        filled.move_catalog(url + "&application_name=other")  # which is the same place
    other = server.url(url.partition("schema=")[2] + "_b")
    filled.move_catalog(other)
    assert _all_of(filled, photos) == before
    with pytest.raises(CollectionUnavailableError, match="was moved to postgresql://"):
        Collection.open(tmp_path / "there", catalog=url)


def test_an_export_becomes_a_shared_collection(
    filled: Collection, url: str, tmp_path: Path, photos: Path
) -> None:
    file, index = str(tmp_path / "all.npy"), tmp_path / "imported"
    assert export_collection(tmp_path / "index", file) == 12
    made = CliRunner().invoke(
        app, ["import", file, "--catalog", url, "--json", "--index-dir", str(index)]
    )
    assert json.loads(made.stdout) == {"imported": 12}, made.output
    assert {path.name for path in index.iterdir()} == {POINTER, "writer.lock"}
    with Collection.open(index, encoder=CountingEncoder()) as imported:
        assert list(imported) == list(filled)
        assert imported.search(1, k=12) == filled.search(1, k=12)
        assert imported.sync(photos).encoded == 1  # what was forgotten
        assert not imported.verify().damaged
    for place in (index, tmp_path / "another"):
        with pytest.raises(CollectionExistsError):
            import_collection(file, place, catalog=url)
    assert not (tmp_path / "another" / POINTER).exists()
    assert export_collection(index, tmp_path / "again.npy") == 13
    with pytest.raises(ConfigError):
        import_collection(file, tmp_path / "another", catalog="nonsense")


# What is refused changes nothing


def test_another_collection_is_left_alone(
    filled: Collection, url: str, tmp_path: Path, photos: Path
) -> None:
    with Collection.open(
        tmp_path / "other", encoder=CountingEncoder(), catalog=url, create=True
    ) as other:
        other.sync(photos / "holiday")
        with pytest.raises(CollectionExistsError, match="give another schema"):
            filled.move_catalog(url)
        assert len(other) == 6
        assert not other.verify().damaged
    assert len(filled) == 12
    assert (tmp_path / "index" / FILE_NAME).exists()
    with pytest.raises(ConfigError, match="catalog"):
        filled.move_catalog("mysql://there/x")
    with pytest.raises(ConfigError, match="where the catalog is"):
        filled.move_catalog("file")
    with pytest.raises(CollectionUnavailableError, match="refused"):
        filled.move_catalog("postgresql://iss@127.0.0.1:1/x")
    with pytest.raises(CollectionMismatchError, match="iss move --catalog URL"):
        Collection.open(tmp_path / "index", catalog=url)


def test_a_newer_file_is_not_replaced(filled: Collection, url: str, tmp_path: Path) -> None:
    there, copy = tmp_path / "index" / FILE_NAME, tmp_path / "copy" / FILE_NAME
    copy.parent.mkdir()
    with closing(sqlite3.connect(there)) as file, closing(sqlite3.connect(copy)) as copied:
        file.backup(copied)
    with Collection.open(copy.parent, encoder=CountingEncoder()) as other:
        other.add_tags([1], "newer")
    filled.move_catalog(url)
    shutil.copy(copy, there)
    with pytest.raises(CollectionExistsError, match=r"catalog.sqlite: it is a newer state"):
        filled.move_catalog("file")
    assert _rows(there) == _rows(copy)
    assert filled.info().catalog == url
    assert filled.tags() == {"sea": 2, "été": 2}
    there.unlink()
    filled.move_catalog("file")
    assert filled.tags() == {"sea": 2, "été": 2}


def test_damage_is_not_moved(filled: Collection, url: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "index" / FILE_NAME)) as file, file:
        file.execute("UPDATE embeddings SET norm = norm * 2 WHERE image_id = 5")
    with pytest.raises(CollectionCorruptError, match="row 5 of embeddings"):
        filled.move_catalog(url)
    with closing(sqlite3.connect(tmp_path / "index" / FILE_NAME)) as file, file:
        file.execute("DELETE FROM embeddings WHERE image_id = 5")
    with pytest.raises(CollectionCorruptError, match="11 of 12 embeddings"):
        filled.move_catalog(url)
    with pytest.raises(CollectionNotFoundError):
        Catalog(str(tmp_path / "nothing"), url)


def test_whoever_may_not_say_that_it_is_gone_does_not_move_it(
    server: PostgresServer, filled: Collection, url: str, tmp_path: Path
) -> None:
    filled.move_catalog(url)
    schema = url.partition("schema=")[2]
    server.execute(f"CREATE ROLE looks{schema} LOGIN PASSWORD '{server.password}'")
    server.execute(f"GRANT USAGE ON SCHEMA {schema} TO looks{schema}")
    for table in (*_TABLES, "format"):
        server.execute(f"GRANT SELECT ON {schema}.{table} TO looks{schema}")
    server.execute(f"GRANT USAGE, SELECT ON SEQUENCE {schema}.images_id_seq TO looks{schema}")
    address = url.replace("iss@", f"looks{schema}@")
    with Collection.open(tmp_path / "looks", encoder=CountingEncoder(), catalog=address) as looks:
        with pytest.raises(CollectionUnwritableError, match="permission denied"):
            looks.move_catalog("file")
        assert len(looks) == 12
        assert not (tmp_path / "looks" / FILE_NAME).exists()
    assert filled.tags() == {"sea": 2, "été": 2}


def test_what_others_change_after_the_turn_was_lost_is_not_lost(
    server: PostgresServer, filled: Collection, url: str, tmp_path: Path
) -> None:
    filled.move_catalog(url)

    def step(progress: Progress) -> None:
        if progress.phase == "comparing" and progress.done == progress.total:
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks"
                " WHERE locktype = 'advisory' AND granted"
            )
            with Collection.open(tmp_path / "there", catalog=url) as there:
                there.add_tags([1], "late")

    with pytest.raises(CollectionUnavailableError):
        filled.move_catalog("file", progress=step)
    assert not (tmp_path / "index" / FILE_NAME).exists()
    assert filled.info().catalog == url
    assert filled.tags() == {"sea": 2, "été": 2, "late": 1}
    filled.move_catalog("file")
    assert filled.tags() == {"sea": 2, "été": 2, "late": 1}


def test_what_was_changed_without_a_turn_is_not_lost(
    filled: Collection, url: str, tmp_path: Path
) -> None:
    filled.move_catalog(url)

    def step(progress: Progress) -> None:
        if progress.phase == "comparing" and progress.done == progress.total:
            with closing(Catalog(str(tmp_path / "there"), url)) as other, other.transaction():
                other.tags.change([1], ["late"], [])

    with pytest.raises(
        CollectionCorruptError, match="it was changed meanwhile; run the command again"
    ):
        filled.move_catalog("file", progress=step)
    assert filled.tags() == {"sea": 2, "été": 2, "late": 1}


# Killed

_MOVE = """
import os, sys
from image_similarity_search import Collection
from image_similarity_search.catalog import whereabouts

where, index, to = sys.argv[1:]
die = lambda *_: os.kill(os.getpid(), 9)
if where == "placed":
    whereabouts.remember = die
if where == "intended":
    intend = whereabouts.intend
    whereabouts.intend = lambda *said: die(intend(*said))
if where == "told":
    whereabouts.set_aside = die

def step(progress):
    if where == progress.phase and progress.done:
        die()

with Collection.open(index) as collection:
    collection.move_catalog(to, progress=step)
"""


def _killed(index: Path, to: str, where: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _MOVE, where, str(index), to],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def _said_by(index: Path) -> list[Any]:
    with Collection.open(index) as collection:
        assert not collection.verify().damaged
        return [list(collection), collection.tags(), collection.search(1, k=12)]


@pytest.mark.parametrize("where", ["moving", "comparing", "placed", "told"])
def test_killed_on_the_way_it_is_whole_and_moves_again(
    index_data: Path, url: str, tmp_path: Path, where: str
) -> None:
    before = _said_by(index_data)
    _killed(index_data, url, where)
    if where in ("moving", "comparing"):
        with pytest.raises(CollectionNotFoundError):
            Collection.open(tmp_path / "there", catalog=url)
    assert _said_by(index_data) == before
    if where != "told":
        with Collection.open(index_data) as collection:
            collection.move_catalog(url)
    assert _said_by(index_data) == before
    on_the_way = where if where in ("moving", "comparing") else "intended"
    _killed(index_data, "file", on_the_way)
    assert _said_by(index_data) == before
    with Collection.open(index_data) as collection:
        assert collection.info().catalog == url
        collection.move_catalog("file")
    assert not (index_data / NEXT).exists()
    assert _said_by(index_data) == before


@pytest.mark.parametrize("to", ["file", "another"])
def test_killed_when_it_has_left_it_is_where_it_went(
    index_data: Path, server: PostgresServer, url: str, tmp_path: Path, to: str
) -> None:
    before = _said_by(index_data)
    with Collection.open(index_data) as collection:
        collection.move_catalog(url)
    other = "" if to == "file" else server.url(url.partition("schema=")[2] + "_b")
    _killed(index_data, other or "file", "placed")
    assert (index_data / POINTER).read_text().strip() == url
    with pytest.raises(CollectionUnavailableError, match="it was moved to"):
        Collection.open(tmp_path / "there", catalog=url)
    if not other:
        (index_data / FILE_NAME).rename(index_data / "lost")
        with pytest.raises(CollectionUnavailableError, match="it was moved to"):
            Collection.open(index_data, create=True)  # rather than a new one
        (index_data / "lost").rename(index_data / FILE_NAME)
    assert not verified(str(index_data)).damaged  # the first that opens it
    assert not (index_data / NEXT).exists()
    assert _said_by(index_data) == before
    with Collection.open(index_data) as collection:
        assert collection.info().catalog == other
        collection.add_tags([1], "sea")
        assert collection.tags() == {"sea": 1}


def test_killed_before_it_has_left_it_moves_again_to_another_database(
    index_data: Path, server: PostgresServer, url: str
) -> None:
    before = _said_by(index_data)
    with Collection.open(index_data) as collection:
        collection.move_catalog(url)
    other = server.url(url.partition("schema=")[2] + "_b")
    _killed(index_data, other, "intended")
    assert _said_by(index_data) == before
    with Collection.open(index_data) as collection:
        assert collection.info().catalog == url
        collection.move_catalog(other)
        assert collection.info().catalog == other
    assert _said_by(index_data) == before


def test_a_server_that_is_lost_at_the_end_has_it_still(
    server: PostgresServer,
    filled: Collection,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    filled.move_catalog(url)
    intend = whereabouts.intend

    def intended(folder: str, to: str) -> None:
        intend(folder, to)
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid != pg_backend_pid() AND application_name != ''"
        )

    with monkeypatch.context() as patched:
        patched.setattr(whereabouts, "intend", intended)
        with pytest.raises(CollectionUnavailableError):
            filled.move_catalog("file")
    with Collection.open(tmp_path / "there", encoder=CountingEncoder(), catalog=url) as there:
        there.add_tags([1], "late")
    with Collection.open(tmp_path / "index", encoder=CountingEncoder()) as again:
        assert again.info().catalog == url
        assert again.tags() == {"sea": 2, "été": 2, "late": 1}
        again.move_catalog("file")
        assert again.tags() == {"sea": 2, "été": 2, "late": 1}


def test_a_file_that_kept_its_name_is_written_to_no_more(index_data: Path, url: str) -> None:
    with Collection.open(index_data) as other:
        _killed(index_data, url, "told")
        assert (index_data / FILE_NAME).exists()
        assert len(other.search(1, k=3)) == 3
        with pytest.raises(CollectionNotFoundError):
            other.add_tags([1], "lost")


def test_what_was_changed_since_by_others_is_not_taken_for_the_same(
    index_data: Path, url: str, tmp_path: Path
) -> None:
    _killed(index_data, url, "placed")
    with Collection.open(tmp_path / "there", catalog=url) as there:
        there.add_tags([1], "sea")
    with Collection.open(index_data) as collection:
        with pytest.raises(CollectionExistsError, match="another state of this collection"):
            collection.move_catalog(url)
        assert collection.tags() == {}
    with Collection.open(tmp_path / "there") as there:
        assert there.tags() == {"sea": 1}
