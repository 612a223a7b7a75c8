"""A collection whose catalog is shared: made, joined, refused, and told apart."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import CountingEncoder, MakePicture, until
from postgres_server import PostgresServer
from test_watch import following

from image_similarity_search import Filter
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.postgresql.schema import FORMAT_VERSION
from image_similarity_search.catalog.whereabouts import POINTER
from image_similarity_search.cli.app import app
from image_similarity_search.collection import Collection, outage
from image_similarity_search.collection.interchange.exporting import export_collection
from image_similarity_search.errors import (
    CollectionCorruptError,
    CollectionMismatchError,
    CollectionNewerError,
    CollectionNotFoundError,
    CollectionUnavailableError,
    CollectionUnwritableError,
    ConfigError,
    ImageSearchError,
)
from image_similarity_search.types import Metric


@pytest.fixture
def filled(tmp_path: Path, photos: Path, url: str) -> Iterator[Collection]:
    """A shared collection of twelve pictures, in the index folder ``here``."""
    index = tmp_path / "here"
    with Collection.open(index, encoder=CountingEncoder(), catalog=url, create=True) as made:
        made.sync(photos)
        yield made


def _schema(url: str) -> str:
    return url.partition("schema=")[2]


def test_a_folder_remembers_its_catalog_and_no_password(
    filled: Collection, url: str, tmp_path: Path, password: str
) -> None:
    with Collection.open(tmp_path / "here", encoder=CountingEncoder()) as again:
        assert len(again) == 12
        assert again.info().catalog == url
        assert again.info().catalog_bytes > 12 * 8192
    kept = {path.name: path.read_bytes() for path in (tmp_path / "here").iterdir()}
    assert kept[POINTER].decode() == f"{url}\n"
    assert "catalog.sqlite" not in kept
    assert not any(password.encode() in content for content in kept.values())


def test_another_computer_joins_and_finds_the_same(
    filled: Collection,
    url: str,
    tmp_path: Path,
    photos: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    query = photos / "picture 0.jpg"
    with Collection.open(tmp_path / "there", encoder=CountingEncoder(), catalog=url) as there:
        assert there.search(query, k=12) == filled.search(query, k=12)
    assert not caplog.records
    joined = CliRunner().invoke(app, ["join", url, "--index-dir", str(tmp_path / "third")])
    assert joined.output == "joined: 12 images\n"
    again = CliRunner().invoke(app, ["join", url, "--index-dir", str(tmp_path / "third"), "--json"])
    assert json.loads(again.output) == {"catalog": url, "indexed": 12}
    with Collection.open(tmp_path / "third", encoder=CountingEncoder()) as third:
        assert len(third) == 12


def test_a_computer_without_the_folder_is_told_so_once(
    url: str, photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for index in ("here", "there"):
        with Collection.open(
            tmp_path / index, encoder="colour-texture", catalog=url, create=True
        ) as made:
            made.sync(photos)
    elsewhere = photos.rename(tmp_path / "of another computer")
    command = ["search", elsewhere / "picture 0.jpg", "--index-dir", tmp_path / "there"]
    found = CliRunner().invoke(app, [*map(str, command)])
    assert found.stdout.splitlines()[0] == f"1.0000  {photos / 'picture 0.jpg'}"
    said = capfd.readouterr().err
    assert said.count(str(photos)) == 1
    assert said.endswith("mount it at that path\n")  # to relocate it would do so for all


@pytest.mark.parametrize("metric", ["cosine", "l2", "l1", "ip"])
def test_hits_are_those_of_a_catalog_in_a_file(
    url: str, tmp_path: Path, photos: Path, metric: Metric
) -> None:
    answers = []
    for name, catalog in (("file", None), ("shared", url)):
        with Collection.open(
            tmp_path / name, encoder=CountingEncoder(), catalog=catalog, metric=metric, create=True
        ) as made:
            made.sync(photos)
            red = Filter(formats=["jpg", "webp"], min_width=90)
            answers.append(
                [
                    [(hit.id, hit.path, hit.distance, hit.score) for hit in made.search(*asked)]
                    for asked in ((photos / "picture 0.jpg", 12), (3, 5))
                ]
                + [made.search(1, k=9, where=red), made.traits(1), list(made), made.roots()]
            )
    assert answers[0] == answers[1]


def test_the_catalog_is_exported_verified_and_its_store_mended(
    filled: Collection, tmp_path: Path
) -> None:
    assert export_collection(tmp_path / "here", tmp_path / "all.parquet") == 12
    assert filled.verify(files=True).checked["files"] == 12
    (tmp_path / "here" / "faiss.index").write_bytes(b"no store")
    assert filled.verify().counts["store"] == 1
    assert Collection.repair(tmp_path / "here").store_rebuilt
    assert not filled.verify().damaged


def test_damage_is_found_and_left_to_who_keeps_the_database(
    server: PostgresServer, filled: Collection, url: str, tmp_path: Path
) -> None:
    server.execute(f"UPDATE {_schema(url)}.embeddings SET norm = 2 WHERE image_id = 3")
    with pytest.raises(CollectionCorruptError, match="embedding of image 3"):
        filled.search(3)
    assert filled.verify().counts["catalog"] == 1
    with pytest.raises(CollectionCorruptError, match="backup of the database"):
        Collection.repair(tmp_path / "here")


# Refusals


def test_a_folder_of_another_catalog_is_refused(
    filled: Collection, server: PostgresServer, url: str, tmp_path: Path, make_picture: MakePicture
) -> None:
    with pytest.raises(CollectionMismatchError, match="catalog is postgresql"):
        Collection.open(tmp_path / "here", catalog=server.url("other"), create=True)
    Collection.open(tmp_path / "own", encoder=CountingEncoder(), create=True).close()
    with pytest.raises(CollectionMismatchError, match=r"catalog is .*catalog.sqlite"):
        Collection.open(tmp_path / "own", catalog=url)
    assert not (tmp_path / "own" / POINTER).exists()


def test_another_encoder_is_refused_and_nothing_is_left_behind(
    filled: Collection, url: str, tmp_path: Path
) -> None:
    with pytest.raises(CollectionMismatchError, match="model is colour-texture"):
        Collection.open(tmp_path / "new", encoder="resnet50", catalog=url, create=True)
    with pytest.raises(CollectionMismatchError, match="metric is cosine"):
        Collection.open(tmp_path / "new", metric="l2", catalog=url, create=True)
    assert not (tmp_path / "new").exists()


def test_where_there_is_none_that_is_said(server: PostgresServer, tmp_path: Path) -> None:
    with pytest.raises(CollectionNotFoundError, match="postgresql://iss@127"):
        Collection.open(tmp_path / "new", catalog=server.url("nothing"))
    with pytest.raises(CollectionUnavailableError, match="does not exist"):
        Collection.open(tmp_path / "new", catalog=server.url("x", database="nothing"), create=True)
    with pytest.raises(CollectionUnavailableError, match="Connection refused"):
        Collection.open(tmp_path / "new", catalog="postgresql://iss@127.0.0.1:1/x", create=True)
    assert not (tmp_path / "new").exists()


def test_a_newer_format_and_tables_of_others_are_left_alone(
    server: PostgresServer, filled: Collection, url: str, tmp_path: Path
) -> None:
    server.execute(f"UPDATE {_schema(url)}.format SET version = version + 1")
    with pytest.raises(CollectionNewerError) as caught:
        Collection.open(tmp_path / "here", create=True)
    assert (caught.value.found, caught.value.supported) == (FORMAT_VERSION + 1, FORMAT_VERSION)
    server.execute(f"UPDATE {_schema(url)}.format SET application = 'another'")
    with pytest.raises(CollectionCorruptError, match="another program"):
        Collection.open(tmp_path / "here", create=True)


def test_tags_of_what_is_gone_come_back_and_an_older_format_learns_to_keep_them(
    server: PostgresServer, filled: Collection, url: str, photos: Path, tmp_path: Path
) -> None:
    filled.add_tags([1, 2], "sea")
    server.execute(f"DROP TABLE {_schema(url)}.forgotten, {_schema(url)}.marks")
    server.execute(f"UPDATE {_schema(url)}.format SET version = 1")
    with Collection.open(tmp_path / "there", encoder=CountingEncoder(), catalog=url) as there:
        there.remove(1, 2)
        assert there.tags() == {}
    filled.sync(photos)
    assert filled.tags() == {"sea": 2}
    assert not filled.verify().damaged


def test_no_password_is_in_any_message(
    server: PostgresServer,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("PGPASSWORD", "Geh3imnis")
    with pytest.raises(CollectionUnavailableError, match="password authentication failed") as wrong:
        Collection.open(tmp_path / "new", catalog=url, create=True)
    said = [str(wrong.value), repr(wrong.value.__cause__), caplog.text]
    assert not any("Geh3imnis" in text for text in said)


def test_what_libpq_does_not_know_is_refused(tmp_path: Path) -> None:
    for url in ("postgresql://db/x?nonsense=1", "no url"):
        with pytest.raises(ConfigError):
            Collection.open(tmp_path / "new", catalog=url, create=True)


def test_whoever_may_only_read_searches(
    server: PostgresServer, filled: Collection, url: str, tmp_path: Path, photos: Path
) -> None:
    schema = _schema(url)
    with contextlib.suppress(Exception):
        server.execute(f"CREATE ROLE reader LOGIN PASSWORD '{server.password}'")
    server.execute(f"GRANT USAGE ON SCHEMA {schema} TO reader")
    server.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader")
    address = url.replace("iss@", "reader@")
    with Collection.open(tmp_path / "reads", encoder=CountingEncoder(), catalog=address) as reads:
        assert len(reads.search(photos / "picture 0.jpg", k=12)) == 12
        with pytest.raises(CollectionUnwritableError, match="permission denied"):
            reads.remove(1)
        with pytest.raises(CollectionUnwritableError, match="permission denied"):
            reads.add_tags([1], "sea")
    server.execute(f"DROP TABLE {schema}.forgotten, {schema}.marks")
    server.execute(f"UPDATE {schema}.format SET version = 1")
    with pytest.raises(
        CollectionUnavailableError, match=r"open it once .* as the user who created it"
    ):
        Collection.open(tmp_path / "old", encoder=CountingEncoder(), catalog=address, create=True)
    with Collection.open(tmp_path / "owns", encoder=CountingEncoder(), catalog=url, create=True):
        pass
    with Collection.open(tmp_path / "reads", encoder=CountingEncoder()) as reads:
        assert len(reads.search(1)) == 10
    assert len(filled) == 12
    with pytest.raises(CollectionUnwritableError, match="permission denied"):
        Collection.open(
            tmp_path / "makes", catalog=address.replace(schema, "not_theirs"), create=True
        )


def test_a_catalog_that_was_replaced_is_not_written_to(
    server: PostgresServer, filled: Collection, url: str, tmp_path: Path, photos: Path
) -> None:
    server.execute(f"DROP SCHEMA {_schema(url)} CASCADE")
    with pytest.raises(ImageSearchError):
        filled.sync(photos)
    Collection.open(tmp_path / "new", encoder=CountingEncoder(), catalog=url, create=True).close()
    with pytest.raises(CollectionNotFoundError):
        filled.sync(photos)
    with contextlib.closing(Catalog(str(tmp_path / "new"))) as catalog:
        assert catalog.is_empty()


def test_a_watch_goes_on_when_the_server_is_back(
    filled: Collection,
    server: PostgresServer,
    photos: Path,
    make_picture: MakePicture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for pause in ("SHORTEST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(outage, pause, 60.0)
    with following(filled, photos, poll=True, every=0.2) as follower:
        server.stop()
        try:
            until(lambda: follower.events[-1].event == "unavailable")
            make_picture(photos / "new.png", 60)
            time.sleep(1)  # so that it sees that no server listens
        finally:
            server.start()
        started = time.monotonic()
        until(lambda: follower.events[-1].event == "synced")
        assert time.monotonic() - started < 30  # it did not wait for its pause to end
    said = [event.event for event in follower.events]
    assert said == ["synced", "unavailable", "synced"]
    assert len(filled) == 13


def test_a_disk_that_another_computer_sees_without_a_mount_stays_one(
    filled: Collection, url: str, tmp_path: Path, photos: Path
) -> None:
    """As over SMB; what it holds is kept where it is unplugged then."""
    disk = photos / "holiday"
    pictures = sum(path.is_file() for path in disk.rglob("*"))
    with filled._catalog.transaction():
        filled._catalog.disks.change(remember=[str(disk)])
    with Collection.open(tmp_path / "there", encoder=CountingEncoder(), catalog=url) as there:
        assert there.sync(photos).unchanged == 12
    shutil.rmtree(disk)
    disk.mkdir()
    report = filled.sync(photos)
    assert (report.unchanged, report.removed) == (12 - pictures, 0)
    assert report.unreadable_folders
    assert filled.remove(disk) == pictures
    assert filled._catalog.disks.known() == set()
