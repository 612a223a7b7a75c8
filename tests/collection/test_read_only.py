"""An index where nothing can be written: on a medium that is mounted so, even for root."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CountingEncoder, MakePicture
from privileges import as_anybody

from image_similarity_search.catalog.database import Database
from image_similarity_search.collection import Collection
from image_similarity_search.errors import CollectionUnwritableError

_SEARCH = """
import sys
from image_similarity_search import Collection, ImageSearchError
try:
    with Collection.open(sys.argv[1]) as collection:
        print(len(collection.search(1, k=50)), collection.verify().damaged)
        collection.remove(1)
except ImageSearchError as error:
    print(type(error).__name__, error)
"""


def run_mounted(folder: Path, script: str) -> str:
    """Run a Python script where ``folder`` is mounted read-only; returns what it prints."""
    if not sys.platform.startswith("linux") or not shutil.which("unshare"):
        pytest.skip("needs Linux and unshare")
    path = shlex.quote(str(folder))
    mount = f"mount --bind {path} {path} && mount -o remount,bind,ro {path}"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("may not mount anything")
    python = f"exec {shlex.quote(sys.executable)} -c {shlex.quote(script)} {path}"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"{mount} && {python}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def index(tmp_path: Path, photos: Path) -> Path:
    with Collection.open(tmp_path / "i", encoder=CountingEncoder(), create=True) as collection:
        collection.sync(photos)
    return tmp_path / "i"


def test_one_that_may_not_be_read_says_so(index: Path) -> None:
    (index / "catalog.sqlite").chmod(0)
    command = [*as_anybody(), sys.executable, "-c", _SEARCH, str(index)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told.startswith("CollectionUnavailableError")
    assert "can't be used: there is no permission to read it; change its permissions" in told


def test_one_of_an_older_format_can_be_read_as_it_is(tmp_path: Path) -> None:
    index = tmp_path / "index"
    shutil.copytree(Path(__file__).parent.parent / "golden" / "format-3", index)
    before = (index / "catalog.sqlite").read_bytes()
    lines = run_mounted(index, _SEARCH).splitlines()
    assert lines[0] == "2 False"
    assert lines[1].startswith("CollectionUnwritableError")
    assert (index / "catalog.sqlite").read_bytes() == before


def test_it_can_be_searched_and_verified_but_not_changed(index: Path) -> None:
    lines = run_mounted(index, _SEARCH).splitlines()
    assert lines[0] == "11 False"
    assert lines[1].startswith("CollectionUnwritableError")
    assert "read-only file system" in lines[1]


def test_without_a_store_it_can_be_searched_too(index: Path) -> None:
    (index / "faiss.index").unlink()
    assert run_mounted(index, _SEARCH).startswith("11 False")


def test_one_that_is_unplugged_is_gone_until_it_is_back(index: Path) -> None:
    script = """
import os, subprocess, sys
from image_similarity_search import Collection, ImageSearchError
path = sys.argv[1]
with Collection.open(path) as collection:
    print(len(collection.search(1, k=50)))
    subprocess.run(["umount", "-l", path], check=True)
    os.rename(path, path + ".away")
    try:
        collection.search(1)
    except ImageSearchError as error:
        print(type(error).__name__)
    os.rename(path + ".away", path)
    print(len(collection.search(1, k=50)))
"""
    assert run_mounted(index, script).split() == ["11", "CollectionNotFoundError", "11"]


def _killed(index: Path, photos: Path, make_picture: MakePicture, *left_out: str) -> Path:
    """A copy as a killed process leaves it: the last changes are in the log only."""
    make_picture(photos / "new.png", 77)
    killed = index.parent / "killed"
    with Collection.open(index, encoder=CountingEncoder()) as collection:
        collection.sync(photos)
        shutil.copytree(index, killed, ignore=shutil.ignore_patterns(*left_out))
    return killed


def test_what_is_in_the_log_is_read(index: Path, photos: Path, make_picture: MakePicture) -> None:
    killed = _killed(index, photos, make_picture)
    assert run_mounted(killed, _SEARCH).startswith("12 False")


def test_a_log_that_can_not_be_read_is_no_reason_for_an_old_answer(
    index: Path, photos: Path, make_picture: MakePicture
) -> None:
    killed = _killed(index, photos, make_picture, "*-shm")
    out = run_mounted(killed, _SEARCH)
    assert out.startswith("CollectionUnwritableError")
    assert "catalog.sqlite-wal" in out
    assert "copy the folder to a writable place" in out
    with Collection.open(killed) as collection:  # where it can be written
        assert len(collection) == 13


def test_a_drive_on_which_sqlite_can_keep_no_log_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own way of locking with files has no shared memory: so it answers another mode."""
    from image_similarity_search.catalog import database

    connect = database._connect
    monkeypatch.setattr(
        database, "_connect", lambda path, mode: connect(path, f"{mode}&vfs=unix-dotfile")
    )
    with pytest.raises(CollectionUnwritableError, match="like some network drives") as caught:
        Database.create(str(tmp_path / "catalog.sqlite"), {"id": "x"})
    assert "keep the index on a local disk" in str(caught.value)
