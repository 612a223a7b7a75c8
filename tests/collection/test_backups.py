"""A backup has all that can't be made anew, and brings it back beside whoever searches."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import CountingEncoder, MakePicture

from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.collection import Collection
from image_similarity_search.collection.backups import backed_up, restored
from image_similarity_search.collection.verify import verified
from image_similarity_search.errors import (
    CollectionCorruptError,
    CollectionExistsError,
    CollectionLockedError,
    CollectionNotFoundError,
)

_GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.fixture
def index(tmp_path: Path, photos: Path) -> Path:
    """A collection of twelve pictures, with a tag and a dismissal, and ``backup`` of it."""
    with Collection.open(tmp_path / "i", encoder=CountingEncoder(), create=True) as collection:
        collection.sync(photos)
        collection.add_tags(1, "beach")
        collection.dismiss_duplicates(1, 2)
        assert collection.backup(tmp_path / "backup") == collection.info().generation
    return tmp_path / "i"


def _open(index: Path) -> Collection:
    return Collection.open(index, encoder=CountingEncoder())


def test_who_searches_finds_what_was_backed_up_and_the_former_catalog_is_kept(
    index: Path, tmp_path: Path, photos: Path, make_picture: MakePicture
) -> None:
    new = make_picture(photos / "new.png", 70)
    with _open(index) as running:
        with _open(index) as writer:
            writer.remove(1, 2, 3)
            (lost,) = writer.add(new)
        assert running.search(new, k=1)[0].score == 1.0
        kept = Collection.restore(tmp_path / "backup", index)
        assert Collection.restore(tmp_path / "backup", index) != kept
        assert {hit.id for hit in running.search(new, k=50)} == set(range(1, 13))
        assert running.tags() == {"beach": 1}
        # at a generation that there was before, of another history
        (added,) = running.add(new)
        assert added.id > lost.id
        assert running.search(new, k=1)[0].score == 1.0
    assert not verified(str(index)).damaged
    kept_in = tmp_path / "kept"
    kept_in.mkdir()
    shutil.copy(kept, kept_in / "catalog.sqlite")
    with _open(kept_in) as former:
        assert len(former) == 10
        assert former.search(new, k=1)[0].score == 1.0


@pytest.mark.parametrize("lost", ["all", "file", "header", "middle"])
def test_what_was_lost_or_damaged_comes_back(
    index: Path, tmp_path: Path, photos: Path, lost: str
) -> None:
    backup, catalog = tmp_path / "backup", index / "catalog.sqlite"
    dismissed = (index / "dismissed.jsonl").read_bytes()
    if lost == "all":
        shutil.rmtree(index)
    elif lost == "file":
        catalog.unlink()
    else:
        with open(catalog, "rb+") as file:
            file.seek(0 if lost == "header" else catalog.stat().st_size // 2)
            file.write(b"x" * 30_000)
    kept = restored(str(backup), str(index))
    assert bool(kept) == (lost in ("header", "middle"))
    with _open(index) as collection:
        assert len(collection.search(photos / "picture 0.jpg", k=20)) == 12
        assert not collection.verify().damaged
    assert (index / "dismissed.jsonl").read_bytes() == dismissed
    assert not [path.name for path in index.iterdir() if "restored" in path.name]


def test_the_log_of_a_catalog_goes_with_it(index: Path, tmp_path: Path) -> None:
    catalog, log = index / "catalog.sqlite", index / "catalog.sqlite-wal"
    copied = tmp_path / "copied"
    copied.mkdir()
    with _open(index) as writer:
        shutil.copy(catalog, copied)
        writer.add_tags(2, "sea")
        shutil.copy(log, copied)
    restored(str(copied), str(index))
    with _open(index) as collection:
        assert collection.tags() == {"beach": 1, "sea": 1}
    catalog.write_bytes(b"x" * 50_000)
    shutil.copy(copied / log.name, log)
    kept = restored(str(tmp_path / "backup"), str(index))
    assert Path(f"{kept}-wal").read_bytes() == (copied / log.name).read_bytes()
    with _open(index) as collection:
        assert collection.tags() == {"beach": 1}


_USES = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT count(*) FROM images").fetchone()
print("open", flush=True)
input()
"""


def test_a_catalog_that_is_no_database_is_left_to_who_has_it_open(
    index: Path, tmp_path: Path
) -> None:
    catalog = index / "catalog.sqlite"
    command = [sys.executable, "-c", _USES, str(catalog)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        assert user.stdout
        assert user.stdout.readline() == b"open\n"
        catalog.write_bytes(b"x" * 50_000)
        with pytest.raises(CollectionLockedError, match="end that first"):
            restored(str(tmp_path / "backup"), str(index))
        assert catalog.read_bytes() == b"x" * 50_000
        user.communicate(b"\n")
    assert restored(str(tmp_path / "backup"), str(index))


def test_what_was_dismissed_since_stays(index: Path, tmp_path: Path) -> None:
    with _open(index) as collection:
        collection.dismiss_duplicates(3, 4)
    now = (index / "dismissed.jsonl").read_bytes()
    restored(str(tmp_path / "backup"), str(index))
    assert (index / "dismissed.jsonl").read_bytes() == now


def test_what_moves_files_is_not_taken_from_a_backup(
    index: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "backup" / "undo.jsonl").write_text('{"run": "r", "action": "delete"}\n')
    for _ in range(2):  # the second time, a collection is there
        caplog.clear()
        restored(str(tmp_path / "backup"), str(tmp_path / "new"))
        assert "undo.jsonl was not taken: it says which files" in caplog.text
    assert not (tmp_path / "new" / "undo.jsonl").exists()
    assert (tmp_path / "new" / "dismissed.jsonl").exists()
    (index / "undo.jsonl").write_text("mine")
    caplog.clear()
    restored(str(tmp_path / "backup"), str(index))
    assert (index / "undo.jsonl").read_text() == "mine"
    assert not caplog.records


def test_a_store_that_saw_what_the_backup_did_not_is_gone_before_that_is_in_place(
    index: Path, tmp_path: Path, photos: Path, make_picture: MakePicture
) -> None:
    """Whenever the process is killed, 'iss verify' finds nothing."""
    restored(str(tmp_path / "backup"), str(index))
    assert (index / "faiss.index").exists()  # it has seen nothing else
    with _open(index) as collection:
        collection.add(make_picture(photos / "new.png", 70))
    restored(str(tmp_path / "backup"), str(index))
    assert verified(str(index)).problems == []


_KILLED = """
import os, signal, sys
from image_similarity_search.collection import backups
os.rename = backups._put = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
getattr(backups, sys.argv[1])(*sys.argv[2:])
"""


@pytest.mark.parametrize("what", [backed_up, restored])
def test_what_a_killed_process_left_is_removed_by_the_next(
    index: Path, tmp_path: Path, what: Callable[[str, str], object]
) -> None:
    arguments = [str(index), str(tmp_path / "second")]
    if what is restored:
        arguments = [str(tmp_path / "backup"), str(index)]
    before = _names(tmp_path)
    done = subprocess.run([sys.executable, "-c", _KILLED, what.__name__, *arguments], check=False)
    assert done.returncode == -signal.SIGKILL
    assert any(name.endswith("catalog.sqlite") for name in _names(tmp_path) - before)
    what(*arguments)
    assert not [name for name in _names(tmp_path) if ".tmp" in name or ".restored" in name]


def _names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_two_make_no_backup_of_one_name(index: Path, tmp_path: Path) -> None:
    (tmp_path / "second.tmp").mkdir()
    with writer_lock(str(tmp_path / "second.tmp")), pytest.raises(CollectionLockedError):
        backed_up(str(index), str(tmp_path / "second"))
    assert _names(tmp_path / "second.tmp") == {"writer.lock"}


def test_a_backup_is_a_collection_in_one_file_that_others_write_to_meanwhile(
    index: Path, tmp_path: Path, photos: Path
) -> None:
    assert sorted(path.name for path in (tmp_path / "backup").iterdir()) == [
        "catalog.sqlite",
        "dismissed.jsonl",
    ]
    assert (tmp_path / "backup").stat().st_mode == index.stat().st_mode  # by the umask
    with _open(index) as writer, writer._catalog.transaction():
        backed_up(str(index), str(tmp_path / "amid"))
    with _open(tmp_path / "amid") as copy:
        assert len(copy.search(photos / "picture 0.jpg", k=20)) == 12
        assert copy.tags() == {"beach": 1}


def test_what_is_in_the_way_is_left_alone(index: Path, tmp_path: Path, photos: Path) -> None:
    backup = tmp_path / "backup"
    before = (index / "catalog.sqlite").read_bytes()
    with pytest.raises(
        CollectionExistsError, match=r"already a folder with files at .*new or empty"
    ):
        backed_up(str(index), str(backup))
    with pytest.raises(CollectionNotFoundError):
        restored(str(photos), str(index))
    with writer_lock(str(index)), pytest.raises(CollectionLockedError):
        restored(str(backup), str(index))
    with Collection.open(tmp_path / "o", encoder=CountingEncoder(), create=True) as other:
        other.sync(photos)
    with pytest.raises(CollectionExistsError, match="use another index folder"):
        restored(str(backup), str(tmp_path / "o"))
    with open(backup / "catalog.sqlite", "rb+") as file:
        file.seek(50_000)
        file.write(b"x" * 30_000)
    with pytest.raises(CollectionCorruptError, match="nothing was changed"):
        restored(str(backup), str(index))
    assert (index / "catalog.sqlite").read_bytes() == before
    shutil.copy(backup / "catalog.sqlite", index / "catalog.sqlite")
    with pytest.raises(CollectionCorruptError):
        backed_up(str(index), str(tmp_path / "another"))
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith("another")]


@pytest.mark.parametrize("damaged", [False, True])
def test_a_backup_takes_the_place_of_a_catalog_of_an_older_format(
    tmp_path: Path, damaged: bool
) -> None:
    index, catalog = tmp_path / "i", tmp_path / "i" / "catalog.sqlite"
    shutil.copytree(_GOLDEN / "format-4", index)
    shutil.copytree(index, tmp_path / "same")
    backed_up(str(tmp_path / "same"), str(tmp_path / "backup"))
    if damaged:
        catalog.write_bytes(catalog.read_bytes()[: 4 * 16_384])
    kept = restored(str(tmp_path / "backup"), str(index))
    assert int.from_bytes(Path(kept).read_bytes()[60:64], "big") == 4  # its user_version
    with Collection.open(index) as collection:
        assert len(collection) == 3
        assert not collection.verify().damaged
