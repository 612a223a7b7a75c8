"""``iss watch``: a process of its own, on real files."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import MakePicture, hear_interrupts

from image_similarity_search.cli import exits

HOOK = "cat >> told.jsonl; echo the hook talks; exit 3"
ISS = [sys.executable, "-m", "image_similarity_search"]


@pytest.mark.unix
@pytest.mark.parametrize(
    "how", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_it_tells_of_each_change_and_ends_when_it_is_told_to(
    tmp_path: Path, make_picture: MakePicture, how: signal.Signals
) -> None:
    folder = make_picture(tmp_path / "folder" / "first.png", 0).parent
    with subprocess.Popen(
        [*ISS, "watch", folder, "--model", "colour-texture", "--json", "--on-change", HOOK],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,
    ) as process:
        try:
            assert process.stdout
            event = json.loads(process.stdout.readline())
            assert (event["folder"], event["event"]) == (str(folder), "synced")
            assert (event["indexed"], event["skipped"]) == (1, 0)
            (folder / "bad.png").write_bytes(b"no picture")
            event = json.loads(process.stdout.readline())
            assert (event["indexed"], event["skipped"]) == (0, 1)
            process.send_signal(how)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == exits.INTERRUPTED
    assert out == ""
    lines = err.splitlines()
    assert lines[0].startswith(f"{folder}: indexed 1, updated 0, ")
    assert lines[1] == "the hook talks"  # of it, standard output has nothing
    assert lines[2].startswith("--on-change ended with status 3; ")
    assert lines[3].startswith(f"{folder}: indexed 0, updated 0, unchanged 1, ")
    (told,) = (tmp_path / "told.jsonl").read_text().splitlines()  # a bad file changes nothing
    assert json.loads(told)["indexed"] == 1
    assert lines[-1] == "interrupted; finished work is kept"


def test_a_misspelt_folder_leaves_no_collection_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        [*ISS, "watch", "misspelt"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == exits.BAD_IMAGE
    assert b"misspelt: no such folder" in done.stderr
    assert not list(tmp_path.iterdir())
