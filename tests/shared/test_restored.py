"""A shared catalog that is restored with PostgreSQL's own tools, beside stores that saw more."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from conftest import CountingEncoder, MakePicture
from histories import IDENTITY, Histories
from postgres_server import PostgresServer

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.whereabouts import remember
from image_similarity_search.collection import Collection
from image_similarity_search.collection.backups import backed_up
from image_similarity_search.errors import CollectionUnavailableError


class _Dumps:
    """Takes dumps of one schema, and puts them back as docs/shared.md says."""

    def __init__(self, server: PostgresServer, url: str) -> None:
        # beside the program itself: what is found first may be a link to it
        self._programs = (server.programs / "initdb").resolve().parent
        self._schema = url.partition("schema=")[2]
        self._database = url.partition("?")[0]

    def take(self, to: Path) -> None:
        self._run("pg_dump", "-n", self._schema, "-f", str(to), self._database)

    def put(self, backup: Path) -> None:
        drop = f"DROP SCHEMA {self._schema} CASCADE"
        self._run("psql", "-q1", "-v", "ON_ERROR_STOP=1", "-c", drop, "-f", str(backup),
                  self._database)  # fmt: skip

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, env=os.environ)


def test_whatever_is_restored_every_folder_finds_what_is_there(
    server: PostgresServer, url: str, tmp_path: Path
) -> None:
    dumps, folders = _Dumps(server, url), [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
        remember(str(folder), url)
    Catalog.create(str(folders[0]), IDENTITY).close()
    histories = Histories(folders, lambda folder: Catalog(str(folder)), dumps.take, dumps.put)
    try:
        histories.run(1, 120)
    finally:
        histories.close()


def test_other_computers_find_what_was_added_after_a_restore(
    server: PostgresServer, url: str, tmp_path: Path, photos: Path, make_picture: MakePicture
) -> None:
    dumps = _Dumps(server, url)
    lost = [make_picture(tmp_path / "x" / f"{seed}.png", seed) for seed in range(200, 203)]
    added = [make_picture(tmp_path / "y" / f"{seed}.png", seed) for seed in range(300, 303)]

    def opened(name: str) -> Collection:
        return Collection.open(tmp_path / name, encoder=CountingEncoder(), catalog=url, create=True)

    with opened("a") as writer:
        writer.sync(photos)
        with pytest.raises(CollectionUnavailableError, match="pg_dump"):
            backed_up(str(tmp_path / "a"), str(tmp_path / "backup"))
        dumps.take(tmp_path / "dump.sql")
        writer.add(*lost)
    with opened("b") as running, opened("c") as other:
        for collection in (running, other):
            assert collection.search(lost[0], k=1)[0].score == 1.0
        other.close()  # its store is in its file only
        dumps.put(tmp_path / "dump.sql")
        with opened("d") as joined:
            joined.add(*added)
        with opened("c") as again:
            for collection in (running, again):
                assert [collection.search(one, k=1)[0].path for one in added] == list(
                    map(str, added)
                )
                assert collection.search(lost[0], k=1)[0].score < 1.0
                assert not collection.verify().problems


def test_a_service_that_stayed_open_adds_after_a_restore(
    server: PostgresServer, url: str, tmp_path: Path, make_picture: MakePicture
) -> None:
    """Nobody gets the ids that it had put by before, and nothing is taken for damaged."""
    dumps = _Dumps(server, url)
    first, *others = [make_picture(tmp_path / f"{seed}.png", seed) for seed in range(400, 440)]

    def opened(name: str) -> Collection:
        return Collection.open(tmp_path / name, encoder=CountingEncoder(), catalog=url, create=True)

    with opened("a") as stayed, opened("b") as other:
        dumps.take(tmp_path / "dump.sql")
        stayed.add(first)  # and puts ids by for those to come
        dumps.put(tmp_path / "dump.sql")
        other.add(*others[:35])
        for one in others[35:]:
            stayed.add(one)
        assert [stayed.search(one, k=1)[0].path for one in others] == list(map(str, others))
        assert not stayed.verify().problems


def test_an_id_that_is_taken_is_no_damage(
    server: PostgresServer, url: str, tmp_path: Path, make_picture: MakePicture
) -> None:
    """As where rows alone were restored: it is said once, and the next addition is made."""
    pictures = [make_picture(tmp_path / f"{seed}.png", seed) for seed in range(4)]
    schema = url.partition("schema=")[2]

    def opened(name: str) -> Collection:
        return Collection.open(tmp_path / name, encoder=CountingEncoder(), catalog=url, create=True)

    with opened("a") as stayed, opened("b") as other:
        stayed.add(pictures[0])
        server.execute(f"SELECT setval('{schema}.images_id_seq', 1)")
        other.add(pictures[1])
        with pytest.raises(CollectionUnavailableError, match="try again"):
            stayed.add(pictures[2])
        assert stayed.add(pictures[3])[0].id > 2
        assert not stayed.verify().problems
