"""The command line as a process: its streams, pipes and signals, and what it can import."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import ISS, Iss, lines
from conftest import MakePicture, hear_interrupts, slow_picture

from image_similarity_search.cli import exits


@pytest.fixture
def indexed(tmp_path: Path, index_data: Path) -> Path:
    """A folder in which the photos are indexed without a neural network."""
    return tmp_path


def test_a_trash_that_is_lacking_is_said_before_anything_is_compared(indexed: Path) -> None:
    hidden = "import sys; sys.modules['send2trash'] = None; import image_similarity_search.__main__"
    done = subprocess.run(
        [sys.executable, "-c", hidden, "duplicates", "--action", "trash"],
        cwd=indexed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == exits.USAGE
    assert "--action is 'trash'; expected another action" in done.stderr
    assert "groups" not in done.stderr


@pytest.mark.parametrize("redirection", [">&-", "<&- 2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_failure(indexed: Path, photos: Path, redirection: str) -> None:
    command = f"{' '.join(ISS)} index '{photos}' {redirection}"
    done = subprocess.run(["bash", "-c", command], cwd=indexed, check=False)
    assert done.returncode == exits.OK


@pytest.mark.linux
def test_a_full_disk_behind_standard_output_is_said(indexed: Path) -> None:
    command = f"{' '.join(ISS)} info > /dev/full"
    done = subprocess.run(["bash", "-c", command], cwd=indexed, capture_output=True, check=False)
    assert done.returncode == exits.FAILED
    assert done.stderr == b"iss: standard output: no space left on device\n"


def test_completion_completes() -> None:
    environment = os.environ | {
        "_ISS_COMPLETE": "bash_complete",
        "COMP_WORDS": "iss sea",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(ISS, capture_output=True, check=False, text=True, env=environment)
    assert done.stdout == "plain,search\n"


def test_a_reader_that_has_seen_enough_is_no_failure(indexed: Path, photos: Path) -> None:
    iss = " ".join(ISS)
    for command in ("search --id 1 --json", "info", "--help"):
        quiet = f"{iss} {command} | true"
        ended = subprocess.run(
            ["bash", "-o", "pipefail", "-c", quiet], cwd=indexed, capture_output=True
        )
        assert (ended.returncode, ended.stderr) == (exits.OK, b"")
    command = f"{iss} search '{photos / 'picture 0.jpg'}' --paths | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=indexed,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.stdout == f"{photos / 'picture 0.jpg'}\n"
    assert "rror" not in done.stderr


@pytest.mark.parametrize("streams", ["", "2>&1"])
def test_an_action_is_done_though_nobody_reads_the_groups(
    indexed: Path, photos: Path, tmp_path: Path, streams: str
) -> None:
    copy = photos / "copy.jpg"
    copy.write_bytes((photos / "picture 0.jpg").read_bytes())
    iss = " ".join(ISS)
    subprocess.run([*ISS, "index", photos], cwd=indexed, capture_output=True, check=True)
    move = f"duplicates --level exact --action move --to '{tmp_path / 'away'}'"
    piped = f"{iss} {move} --yes {streams} | true"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", piped], cwd=indexed, capture_output=True, check=False
    )
    assert done.returncode == exits.OK
    assert (b"done: 1 file " in done.stderr) is not bool(streams)
    assert not copy.exists()


def _images_kept(catalog: Path) -> int:
    if not catalog.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"{catalog.as_uri()}?mode=ro", uri=True)) as file:
        if not file.execute("SELECT 1 FROM sqlite_schema WHERE name = 'images'").fetchone():
            return 0
        return int(file.execute("SELECT count(*) FROM images").fetchone()[0])


@pytest.mark.unix
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_so_and_keeps_what_was_done(
    tmp_path: Path, make_picture: MakePicture, how: signal.Signals
) -> None:
    folder = tmp_path / "folder"
    for seed in range(30):
        make_picture(folder / f"{seed:02}.png", seed)
    slow = slow_picture(folder / "zz slow.qoi")
    with subprocess.Popen(
        [*ISS, "index", folder, "--model", "colour-texture"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,
    ) as process:
        while not _images_kept(tmp_path / "index_data" / "catalog.sqlite"):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(how)
        out, err = process.communicate(timeout=60)
    assert process.returncode == exits.INTERRUPTED, err
    assert "finished work is kept" in err
    assert "Traceback" not in err
    kept = int(out.split(",")[0].removeprefix("indexed "))
    assert 8 <= kept < 30
    slow.unlink()
    (line,) = lines(Iss(tmp_path)("index", folder))
    assert line.startswith(f"indexed {30 - kept}, updated 0, unchanged {kept},")
