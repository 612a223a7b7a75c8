"""Taking over, leaving and coming back, as a user types it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from command_line import ISS, Iss, lines
from conftest import CountingEncoder, MakePicture, draw, hear_interrupts
from recipe import embeddings_of, write_files, write_index

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
    assert line.startswith("imported 12, missing 0, to encode 0, repeated 0, not finite 0 in ")
    assert line.endswith(" (metric l2)")
    assert b"faiss.index.legacy and image_paths.pkl.legacy" in done.stderr
    assert b"colour-texture is checked against the embeddings" in done.stderr
    assert "checked when it is first used" in iss("info").stdout.decode()
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
    assert b"'iss index FOLDER' drops them" in done.stderr
    assert b"'iss index FOLDER' encodes them" in done.stderr
    assert b"faiss.index.legacy" not in done.stderr


def test_the_model_need_not_be_there(iss: Iss) -> None:
    iss("import-legacy", "index_data", "--model", "not-here", "--metric", "cosine")
    assert len(lines(iss("search", "--id", "3", "-k", "5"))) == 5
    done = iss("search", "photos/picture 0.jpg", status=5)
    assert b"not-here" in done.stderr
    done = iss("index", "photos")  # in which nothing is new
    assert lines(done)[0].startswith("indexed 0, updated 0, unchanged 12, ")
    done = iss("index", "photos", "--model", "colour-texture")
    assert lines(done)[0].startswith("indexed 0, updated 0, unchanged 12, ")


def test_another_model_is_refused(iss: Iss, tmp_path: Path) -> None:
    done = iss("import-legacy", "index_data", status=4)
    assert "have 1,152 values, those of resnet50 2,048: name the model" in done.err
    assert "(with 1,152 there is: colour-texture); resnet50 is assumed if none is" in done.err
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
    assert b"there is already a collection" in done.stderr
    done = iss("import", "y.npy", "--index-dir", "c", status=4)
    assert b"y.npy: no such file" in done.stderr
    os.remove("x.json")
    done = iss("import", "x.npy", "--index-dir", "c", status=4)
    assert "x.json is missing, which 'iss export' writes next to it" in done.err
    assert "--paths FILE" in done.err
    done = iss("export", "x.csv", status=2)
    assert b".parquet" in done.stderr
    done = iss("export", "x.csv", "--index-dir", "nowhere", status=2)


def test_embeddings_of_ones_own_are_imported(iss: Iss, photos: Path) -> None:
    names = sorted(str(path) for path in Path("photos").rglob("*.*"))
    np.save("e.npy", embeddings_of(names, CountingEncoder()))
    Path("paths.txt").write_text("\n".join(names))
    done = iss("import", "e.npy", "--paths", "paths.txt", "--index-dir", "a")
    assert done.out.startswith("imported 12, missing 0, to encode 0, not finite 0 in ")
    assert "the model is unknown" in done.err
    assert "unknown, 1152 dimensions (give --model NAME, or" in iss("info", "--index-dir", "a").out
    assert len(lines(iss("search", "--id", "1", "-k", "3", "--index-dir", "a"))) == 3
    assert iss("index", "photos", "--index-dir", "a").out.startswith("indexed 0, ")
    Path("new photos").mkdir()
    draw(99).save("new photos/new.bmp")
    for command in (("index", "new photos"), ("search", names[0]), ("add", names[0])):
        done = iss(*command, "--index-dir", "a", status=5)
        assert "without naming the model that made them. Name the model (--model NAME)" in done.err
    done = iss("index", "photos", "--index-dir", "a", "--model", "efficientnet-lite0", status=4)
    assert "dimension is 1152, but 1280 was requested. That is what efficientnet" in done.err
    done = iss("index", "photos", "--index-dir", "a", "--model", "colour-texture")
    assert lines(done)[0].startswith("indexed 0, updated 0, unchanged 12, ")
    report = iss.json(
        *("import", "e.npy", "--paths", "paths.txt", "--index-dir", "b", "--relative-to", "/"),
        *("--model", "colour-texture", "--metric", "l2"),
    )
    assert report.pop("seconds") >= 0
    counts = {"imported": 12, "missing": 12, "to_encode": 0, "not_finite": 0}
    assert report == {**counts, "metric": "l2"}


def test_a_table_of_ones_own_needs_no_list(iss: Iss) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    names = sorted(str(path) for path in Path("photos").rglob("*.*"))
    rows = embeddings_of(names, CountingEncoder())
    parquet.write_table(pa.table({"path": names, "embedding": list(rows)}), "e.parquet")
    done = iss("import", "e.parquet", "--index-dir", "a", "--model", "colour-texture")
    assert done.out.startswith("imported 12, missing 0, ")
    found = lines(iss("search", names[3], "-k", "1", "--index-dir", "a"))
    assert found[0].endswith(names[3])


@pytest.mark.parametrize(
    "option", ["--model colour-texture", "--metric l2", "--relative-to .", "--crop 100"]
)
def test_an_export_says_itself_what_made_it(iss: Iss, option: str) -> None:
    done = iss("import", "x.npy", *option.split(), status=2)
    assert "an export names its own model" in done.err


@pytest.mark.unix
@pytest.mark.parametrize(
    "arguments", ["import-legacy old --model any", "import old.npy --paths old.txt"]
)
def test_what_is_interrupted_says_so(iss: Iss, tmp_path: Path, arguments: str) -> None:
    names = [f"x/{n}" for n in range(100_000)]
    rows = np.ones((len(names), 32), dtype=np.float32)
    write_files(tmp_path / "old", names, rows)
    np.save("old.npy", rows)
    Path("old.txt").write_text("\n".join(names))
    with subprocess.Popen(
        [*ISS, *arguments.split(), "--index-dir", "new"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=hear_interrupts,
    ) as process:
        while not os.path.exists("new/catalog.new/catalog.sqlite"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == exits.INTERRUPTED
    assert (out, err) == (b"", b"interrupted; nothing was imported, run the command again\n")
    assert not os.path.exists("new")
