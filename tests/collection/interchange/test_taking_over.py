"""Taking over while other processes are at it, and when it ends too early: with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import draw, hear_interrupts
from recipe import write_files
from test_legacy_files import rows_of

from image_similarity_search import Collection, export_collection, import_legacy
from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.errors import CollectionLockedError

COUNT = 3000

_IMPORT_LEGACY = """
import sys, time
from image_similarity_search import import_legacy

def show(step):
    print(step.done, flush=True)
    time.sleep(0.001)

import_legacy(sys.argv[1], sys.argv[2], model="any", progress=show)
"""
_IMPORT = """
import sys, time
from image_similarity_search import import_collection
from image_similarity_search.collection.interchange import npy_files
npy_files.ROWS_AT_ONCE = 100

def show(step):
    print(step.done, flush=True)
    time.sleep(0.05)

import_collection(sys.argv[1], sys.argv[2], progress=show)
"""
_EXPORT = """
import sys, time
from image_similarity_search import export_collection
from image_similarity_search.collection.interchange import exporting
exporting.ROWS_AT_ONCE = 100

def show(step):
    print(step.done, flush=True)
    time.sleep(0.05)

export_collection(sys.argv[1], sys.argv[2], progress=show)
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an old index of 3,000 pictures, of which a few are there."""
    monkeypatch.chdir(tmp_path)
    names = [f"images/{n:04}.bmp" for n in range(COUNT)]
    (tmp_path / "images").mkdir()
    for name in names[::100]:
        draw(len(name), (8, 8)).save(name)
    write_files(tmp_path / "old", names, rows_of(COUNT))
    return tmp_path


def start(script: str, *arguments: str, until: str) -> subprocess.Popen[str]:
    """A process that is at work, and has come as far as ``until``."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,
    )
    assert process.stdout
    for line in process.stdout:
        if line.strip() == until:
            break
    return process


def files(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


@pytest.mark.unix
@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("index_dir", ["old", "new"])
def test_what_ended_too_early_is_no_collection_and_can_be_done_again(
    how: signal.Signals, index_dir: str
) -> None:
    before = files("old")
    for _ in range(2):
        with start(_IMPORT_LEGACY, "old", index_dir, until="2100") as process:
            process.send_signal(how)
            process.communicate(timeout=30)
        assert process.returncode != 0
        assert not os.path.exists(f"{index_dir}/catalog.sqlite")
        left = files("old")
        assert {name: left[name] for name in before} == before
        assert Path(index_dir, "catalog.new").exists() == (how == signal.SIGKILL)
    report = import_legacy("old", index_dir, model="any")
    assert (report.taken_over, report.missing) == (COUNT, COUNT - 30)
    assert not Path(index_dir, "catalog.new").exists()
    with Collection.open(index_dir) as collection:
        assert len(collection.search(1, k=COUNT)) == COUNT - 1


def test_one_that_is_killed_while_it_renames_goes_on(place: Path) -> None:
    (place / "old" / "faiss.index").rename(place / "old" / "faiss.index.legacy")
    assert import_legacy("old", "old", model="any").taken_over == COUNT
    (place / "old" / "catalog.sqlite").unlink()  # or just before the catalog came
    assert import_legacy("old", "old", model="any").taken_over == COUNT


def test_only_one_process_takes_over_at_a_time() -> None:
    with start(_IMPORT_LEGACY, "old", "new", until="100") as process:
        with pytest.raises(CollectionLockedError):
            import_legacy("old", "new", model="any")
        process.kill()
        process.communicate()
    assert import_legacy("old", "new", model="any").taken_over == COUNT


def test_a_collection_that_is_written_to_is_locked() -> None:
    os.mkdir("new")
    with writer_lock("new"), pytest.raises(CollectionLockedError):
        import_legacy("old", "new", model="any")


@pytest.mark.unix
@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_import_that_ended_too_early_can_be_done_again(how: signal.Signals) -> None:
    import_legacy("old", "new", model="any")
    export_collection("new", "x.npy")
    with start(_IMPORT, "x.npy", "again", until="500") as process:
        process.send_signal(how)
        process.communicate(timeout=30)
    assert process.returncode != 0
    assert not os.path.exists("again/catalog.sqlite")
    subprocess.run(
        [sys.executable, "-c", _IMPORT, "x.npy", "again"], check=True, capture_output=True
    )
    with Collection.open("again") as collection:
        assert len(collection) == COUNT


@pytest.mark.unix
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_export_that_ended_too_early_leaves_what_was_there(how: signal.Signals) -> None:
    import_legacy("old", "new", model="any")
    with start(_EXPORT, "new", "x.npy", until="500") as process:
        process.send_signal(how)
        process.communicate(timeout=30)
    assert process.returncode != 0
    assert not os.path.exists("x.npy")
    assert not os.path.exists("x.json")
    assert export_collection("new", "x.npy") == COUNT


_WITHOUT_ROOM = """
import resource, signal, sys
from image_similarity_search import ImageSearchError, export_collection, import_legacy
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
for act in (
    lambda: import_legacy("old", "full", model="any"),
    lambda: export_collection("new", "x.npy"),
    lambda: export_collection("new", "x.parquet"),
):
    try:
        act()
    except ImageSearchError as error:
        print(type(error).__name__, error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
def test_where_there_is_no_room_that_is_said_and_nothing_is_left() -> None:
    import_legacy("old", "new", model="any")
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_ROOM], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    taken, array, table = done.stdout.splitlines()
    assert taken.startswith("CollectionUnwritableError ")
    assert array == "ExportError x.npy can't be written: file too large"
    assert table.startswith("ExportError x.parquet can't be written: ")
    assert not os.path.exists("full")
    assert not [name for name in os.listdir() if name.startswith("x.")]


def test_rows_are_as_they_were(place: Path) -> None:
    import_legacy("old", "new", model="any", metric="ip")
    export_collection("new", "x.npy")
    assert np.allclose(np.load("x.npy"), rows_of(COUNT), atol=5e-3)
