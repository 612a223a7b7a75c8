"""An older format is brought to the present one, whole or not at all, and kept as it was."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import draw
from privileges import as_anybody

from image_similarity_search.catalog import schema
from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.catalog.migrations import _STEPS
from image_similarity_search.collection import Collection
from image_similarity_search.errors import (
    CollectionCorruptError,
    CollectionLockedError,
)

_GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.fixture(params=[1])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A collection of an older format."""
    shutil.copytree(_GOLDEN / f"format-{request.param}", tmp_path / "old")
    return tmp_path / "old"


def rows(file: Path, table: str) -> list[Any]:
    with closing(sqlite3.connect(file)) as database:
        return database.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()


def version(file: Path) -> int:
    with closing(sqlite3.connect(file)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def structure(database: sqlite3.Connection) -> dict[str, Any]:
    """Tables and indexes: their columns, types, keys and references."""
    names = [row[0] for row in database.execute("SELECT name FROM sqlite_schema ORDER BY name")]
    asked = ("table_xinfo", "index_xinfo", "index_list", "foreign_key_list")
    return {
        name: [database.execute(f"PRAGMA {what}({name})").fetchall() for what in asked]
        for name in names
        if name != "sqlite_sequence"
    }


def test_there_is_a_step_from_every_older_format() -> None:
    assert sorted(_STEPS) == list(range(1, schema.FORMAT_VERSION))


def test_nothing_is_lost_and_the_old_file_is_kept(old: Path) -> None:
    catalog = old / "catalog.sqlite"
    before = {table: rows(catalog, table) for table in ("roots", "folders", "images")}
    units = [row[3] for row in rows(catalog, "embeddings")]
    found = version(catalog)
    Collection.open(old).close()
    assert version(catalog) == schema.FORMAT_VERSION
    for table, values in before.items():
        assert [row[: len(values[0])] for row in rows(catalog, table)] == values
    assert [row[3] for row in rows(catalog, "embeddings")] == units
    backup = old / f"catalog.sqlite.backup-format-{found}"
    assert version(backup) == found
    assert rows(backup, "images") == before["images"]
    assert sorted(path.name for path in old.iterdir()) == [
        "catalog.sqlite",
        backup.name,
        "faiss.index",
        "writer.lock",
    ]


def test_it_has_the_structure_of_a_new_one(old: Path) -> None:
    Collection.open(old).close()
    with (
        closing(sqlite3.connect(old / "catalog.sqlite")) as migrated,
        closing(sqlite3.connect(":memory:")) as new,
    ):
        new.executescript(schema.SCHEMA)
        assert structure(migrated) == structure(new)


def test_ids_go_on_where_they_were(old: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(old / "catalog.sqlite")) as database, database:
        database.execute("UPDATE sqlite_sequence SET seq = 41")
    draw(7).save(tmp_path / "new.png")
    with Collection.open(old) as collection:
        assert collection.add(tmp_path / "new.png")[0].id == 42


def test_a_damaged_embedding_is_not_whole_afterwards(old: Path) -> None:
    with closing(sqlite3.connect(old / "catalog.sqlite")) as database, database:
        database.execute("UPDATE embeddings SET norm = norm + 1 WHERE image_id = 2")
    with (
        Collection.open(old) as collection,
        pytest.raises(CollectionCorruptError, match="embedding of image 2"),
    ):
        collection.search(2)


_KILLED = """
import os, signal, sqlite3, sys

class Mortal(sqlite3.Connection):
    left = int(sys.argv[2])

    def _live(self):
        Mortal.left -= 1
        if Mortal.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def execute(self, *arguments):
        self._live()
        return super().execute(*arguments)

    def executemany(self, *arguments):
        self._live()
        return super().executemany(*arguments)

    def backup(self, *arguments):
        self._live()
        super().backup(*arguments)
        self._live()

connect = sqlite3.connect
sqlite3.connect = lambda *arguments, **options: connect(*arguments, factory=Mortal, **options)
from image_similarity_search import Collection
with Collection.open(sys.argv[1]) as collection:
    print(len(collection))
"""


@pytest.mark.unix
@pytest.mark.slow
def test_a_killed_one_leaves_the_old_format_or_the_new(tmp_path: Path) -> None:
    """At whichever statement the process is killed."""
    seen = []
    for statements in range(0, 200, 3):
        index = tmp_path / str(statements)
        shutil.copytree(_GOLDEN / "format-1", index)
        done = subprocess.run(
            [sys.executable, "-c", _KILLED, str(index), str(statements)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != -signal.SIGKILL:
            assert done.stdout == "3\n", done.stderr
            break
        seen.append(version(index / "catalog.sqlite"))
        with Collection.open(index) as collection:
            assert len(collection) == 3
            assert collection.search(draw(1), k=1)[0].score == 1.0
    else:
        pytest.fail("it never ended")
    assert seen[:5] == [1] * 5
    assert seen == sorted(seen)
    assert seen[-1] == schema.FORMAT_VERSION


_OPEN = """
import sys
from image_similarity_search import Collection
with Collection.open(sys.argv[1]) as collection:
    print(len(collection))
"""


def test_two_processes_at_once_both_get_it(old: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", _OPEN, str(old)], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    assert [process.communicate(timeout=60)[0] for process in processes] == [b"3\n"] * 3


def test_it_waits_for_a_writer(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("image_similarity_search.catalog.migrations._WAIT_SECONDS", 0.1)
    with writer_lock(str(old)), pytest.raises(CollectionLockedError):
        Collection.open(old)
    Collection.open(old).close()


def test_where_nothing_can_be_written_it_says_what_to_do(old: Path) -> None:
    before = (old / "catalog.sqlite").read_bytes()
    old.chmod(0o555)
    done = subprocess.run(
        [*as_anybody(), sys.executable, "-c", _OPEN, str(old)],
        capture_output=True,
        text=True,
        check=False,
    )
    old.chmod(0o755)
    last = done.stderr.strip().splitlines()[-1]
    assert "older storage format must be upgraded to" in last
    assert "copy the folder to a writable place" in last
    assert (old / "catalog.sqlite").read_bytes() == before
