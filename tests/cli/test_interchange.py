"""Taking over, leaving and coming back, as a user types it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from command_line import ISS, Iss, lines
from conftest import CountingEncoder, MakePicture, hear_interrupts
from recipe import write_files, write_index

from image_similarity_search.cli import exits


@pytest.fixture
def iss(tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> Iss:
    """``iss`` in a folder with ``photos/`` and ``index_data/`` as the recipe makes it."""
    monkeypatch.chdir(tmp_path)
    names = sorted(str(path) for path in Path("photos").rglob("*.*"))
    write_index(tmp_path / "index_data", names, CountingEncoder())
    return Iss(tmp_path)


TAKEN = ("import-legacy", "index_data", "--model", "colour-texture")


def test_an_old_index_is_taken_over_where_it_is(iss: Iss, photos: Path) -> None:
    done = iss(*TAKEN)
    (line,) = lines(done)
    assert line.startswith("taken over 12, missing 0, to encode 0, repeated 0, not finite 0 in ")
    assert line.endswith(" (metric l2)")
    assert b"faiss.index.legacy and image_paths.pkl.legacy" in done.stderr
    assert b"whether colour-texture made it is found out" in done.stderr
    assert "compared when it is first used" in iss("info").stdout.decode()
    found = lines(iss("search", "photos/holiday/picture 1.png", "-k", "1"))
    assert found == [f"1.0000  {photos}/holiday/picture 1.png"]
    assert "compared" not in iss("info").stdout.decode()
    (line,) = lines(iss("index", "photos"))
    assert line.startswith("indexed 0, updated 0, unchanged 12, ")


def test_it_says_what_became_of_each(iss: Iss, photos: Path, make_picture: MakePicture) -> None:
    (photos / "picture 0.jpg").unlink()
    make_picture(photos / "picture 4.png", 77)
    report = iss.json(*TAKEN)
    assert isinstance(report, dict)
    assert report.pop("seconds") >= 0
    assert report == {
        "taken_over": 12,
        "missing": 1,
        "to_encode": 1,
        "repeated": 0,
        "not_finite": 0,
        "metric": "l2",
    }
    done = iss("import-legacy", "index_data", "--index-dir", "b", "--model", "colour-texture")
    assert b"'iss index FOLDER' forgets them" in done.stderr
    assert b"'iss index FOLDER' encodes them" in done.stderr
    assert b"faiss.index.legacy" not in done.stderr


def test_the_model_need_not_be_there(iss: Iss) -> None:
    iss("import-legacy", "index_data", "--model", "not-here", "--metric", "cosine")
    assert len(lines(iss("search", "--id", "3", "-k", "5"))) == 5
    done = iss("search", "photos/picture 0.jpg", status=5)
    assert b"not-here" in done.stderr
    done = iss("index", "photos", status=5)
    done = iss("index", "photos", "--model", "colour-texture")
    assert lines(done)[0].startswith("indexed 0, updated 0, unchanged 12, ")


def test_another_model_is_refused(iss: Iss, tmp_path: Path) -> None:
    done = iss("import-legacy", "index_data", status=4)
    assert "have 1,152 values, those of resnet50 2,048: name the model" in done.err
    assert "(with 1,152 there is: colour-texture); resnet50 is taken where none is" in done.err
    names = sorted(str(path) for path in Path("photos").rglob("*.*"))
    write_files(tmp_path / "index_data", names, np.ones((12, 1152), dtype=np.float32))
    iss(*TAKEN)
    done = iss("search", "photos/picture 0.jpg", status=4)
    assert b"expected 0.99 or more" in done.stderr


@pytest.mark.parametrize("command", ["index photos", "add photos/1.png", "search --id 1", "info"])
def test_an_old_index_is_never_overwritten(iss: Iss, command: str, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in (tmp_path / "index_data").iterdir()}
    (tmp_path / "photos" / "1.png").write_bytes(b"")
    done = iss(*command.split(), status=4)
    assert b"iss import-legacy " in done.stderr
    after = {path.name: path.read_bytes() for path in (tmp_path / "index_data").iterdir()}
    assert after == before


def test_an_export_comes_back(iss: Iss) -> None:
    iss(*TAKEN)
    assert lines(iss("export", "x.parquet")) == ["exported 12"]
    assert iss.json("export", "x.npy") == {"exported": 12}
    done = iss("export", "x.json", status=1)
    assert b"--force" in done.stderr
    iss("export", "x.json", "--force")
    assert lines(iss("import", "x.parquet", "--index-dir", "a")) == ["imported 12"]
    assert iss.json("import", "x.json", "--index-dir", "b") == {"imported": 12}
    hits = [lines(iss("search", "--id", "2", "--index-dir", d)) for d in ("index_data", "a", "b")]
    assert hits[0] == hits[1] == hits[2]
    assert len(hits[0]) == 10
    done = iss("import", "x.npy", status=4)
    assert b"there is a collection" in done.stderr
    done = iss("import", "y.npy", "--index-dir", "c", status=4)
    assert b"y.npy: no such file" in done.stderr
    done = iss("export", "x.csv", status=2)
    assert b".parquet" in done.stderr
    done = iss("export", "x.csv", "--index-dir", "nowhere", status=2)


@pytest.mark.unix
def test_what_is_interrupted_says_so(iss: Iss, tmp_path: Path) -> None:
    names = [f"x/{n}" for n in range(100_000)]
    write_files(tmp_path / "old", names, np.ones((len(names), 32), dtype=np.float32))
    with subprocess.Popen(
        [*ISS, "import-legacy", "old", "--index-dir", "new", "--model", "any"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=hear_interrupts,
    ) as process:
        while not os.path.exists("new/catalog.new/catalog.sqlite"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == exits.INTERRUPTED
    assert (out, err) == (b"", b"interrupted; nothing was made, run it again\n")
    assert not os.path.exists("new")
