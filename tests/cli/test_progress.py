"""Progress: a bar with rate and time left on a terminal, lines elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from image_similarity_search.cli import progress
from image_similarity_search.types import Progress


@pytest.mark.unix
def test_on_a_terminal_it_is_a_bar_with_rate_and_time_left(photos: Path, tmp_path: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    command = ["index", str(photos), "--model", "colour-texture", "--index-dir", f"{tmp_path}/i"]
    done = subprocess.run(
        [sys.executable, "-m", "image_similarity_search", *command],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        check=True,
    )
    os.set_blocking(ours, False)
    shown = os.read(ours, 1 << 16)  # before the other end is closed, which may drop it
    os.close(theirs)
    os.close(ours)
    assert "/12 [" in shown.decode()
    assert " images/s" in shown.decode()
    assert "<" in shown.decode()  # elapsed<left
    assert done.stdout.startswith("indexed 12")


def test_a_phase_that_begins_again_counts_to_another_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress.ProgressBar() as bar:
        for total in (500, 20):
            for done in range(0, total + 1, 10):
                bar(Progress("looking", done, total))
                time.sleep(0.11 if done == 10 else 0)  # it is drawn ten times a second
    shown = capsys.readouterr().err
    assert "/500 [" in shown
    assert "/20 [" in shown


def test_elsewhere_it_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with progress.ProgressBar() as bar:
        bar(Progress("scanning", 500, None))
        now = 111.0
        bar(Progress("scanning", 70_000, None))
        bar(Progress("indexing", 0, 70_000))
        now = 131.0
        bar(Progress("indexing", 2_000, 70_000))
        now = 141.0
        bar(Progress("thumbnails", 900, 70_000))
    assert capsys.readouterr().err.splitlines() == [
        "scanning: 70,000 images",
        "indexing: 2,000 of 70,000 images, 100 images/s, 680 s left",
        "thumbnails: 900 of 70,000 images",
    ]


def test_a_bar_tells_a_total_that_was_unknown_at_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress.ProgressBar() as bar:
        bar(Progress("evaluating", 0, None))
        time.sleep(0.15)  # it is drawn ten times a second
        bar(Progress("evaluating", 250, 500))
    assert "250/500" in capsys.readouterr().err
