"""``--preview`` in a terminal: a pseudo-terminal, with a test at its other end that answers."""

from __future__ import annotations

import os
import re
import select
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from running import make_collection

from image_similarity_search.cli.app import app

pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")
fcntl = pytest.importorskip("fcntl")
termios = pytest.importorskip("termios")
pytest.importorskip("textual_image", reason="the extra [preview] is not installed")

SIXELS = {rb"\x1b\[c": b"\x1b[?62;4c"}
KITTY = {rb"\x1b_G[^\x1b]*a=q[^\x1b]*\x1b\\": b"\x1b_Gi=1;OK\x1b\\", rb"\x1b\[c": b"\x1b[?62;c"}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection of four pictures, two of which are the same."""
    place = tmp_path_factory.mktemp("previews")
    made = make_collection(place, 3)
    (place / "photos" / "twin.jpg").write_bytes((place / "photos" / "picture 0.jpg").read_bytes())
    CliRunner().invoke(app, ["index", str(place / "photos"), "--index-dir", str(made)])
    return made


def in_terminal(arguments: list[str], answers: dict[bytes, bytes]) -> bytes:
    """What the command line prints in a terminal that answers so when it is asked."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 480, 800))
    command = [sys.executable, "-m", "image_similarity_search", *arguments]
    environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=environment
    ) as process:
        os.close(theirs)
        printed, told = b"", set()
        while True:
            if not select.select([ours], [], [], 60)[0]:
                process.kill()
                pytest.fail("it hangs")
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            printed += part
            for question, answer in answers.items():
                if question not in told and re.search(question, printed):
                    told.add(question)
                    os.write(ours, answer)
        assert process.stderr
        talk = process.stderr.read()
    os.close(ours)
    assert process.returncode == 0, talk
    return printed


@pytest.mark.parametrize(
    ("answers", "picture"),
    [
        pytest.param({}, rb"\x1b\[38;2;\d+;\d+;\d+;48;2;\d+;\d+;\d+m\xe2\x96[\x80\x84]", id="none"),
        pytest.param(KITTY, rb"\x1b_G[^\x1b]*a=[tTp]", id="kitty"),
    ],
)
def test_hits_are_shown(index: Path, answers: dict[bytes, bytes], picture: bytes) -> None:
    printed = in_terminal(
        ["search", "--id", "1", "-k", "2", "--preview", "--index-dir", str(index)], answers
    )
    first, second, _ = re.split(rb"\d\.\d{4}  /[^\r]*\r\n", printed)
    assert re.search(picture, first)
    assert re.search(picture, second)
    assert b"\xe2\x96\x80" not in printed or not answers


def test_duplicates_are_shown_by_sixels(index: Path) -> None:
    printed = in_terminal(["duplicates", "--preview", "--index-dir", str(index)], SIXELS)
    assert len(re.findall(rb"\x1bP[\d;]*q.*?\x1b\\", printed, re.DOTALL)) == 2


def test_no_pictures_without_a_terminal(index: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for more in ([], ["--json"], ["--paths"]):
        plain = ["search", "--id", "1", "--index-dir", str(index), *more]
        without = CliRunner().invoke(app, plain)
        asked = CliRunner().invoke(app, [*plain, "--preview"])
        assert asked.exit_code == 0
        assert asked.stdout == without.stdout
        assert ("no previews" in capfd.readouterr().err) == (not more)
