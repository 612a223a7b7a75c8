"""``iss index --on-change``: what the user's own command is told, and what its failure costs."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import MakePicture

from image_similarity_search.cli import exits
from image_similarity_search.cli.app import app
from image_similarity_search.cli.progress import ProgressBar
from image_similarity_search.collection import Collection
from image_similarity_search.types import Progress

_COPY = "import sys; open('told.json', 'wb').write(sys.stdin.buffer.read())"
WRITE = f'{shlex.quote(sys.executable)} -c "{_COPY}"'


@pytest.fixture
def folder(tmp_path: Path, make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_picture(tmp_path / "folder" / "first.png", 0).parent


def index(hook: str) -> Result:
    return CliRunner().invoke(
        app,
        ["index", "folder", "--model", "colour-texture", "--json", "--on-change", hook],
        standalone_mode=False,
    )


def test_it_is_told_what_changed_and_only_then(folder: Path, make_picture: MakePicture) -> None:
    done = index(WRITE)
    assert done.return_value == exits.OK
    told = json.loads(Path("told.json").read_bytes())
    assert (told.pop("folder"), told.pop("event"), told.pop("reason")) == ("folder", "synced", "")
    assert told | {"interrupted": False} == json.loads(done.stdout)
    assert told["indexed"] == 1

    Path("told.json").unlink()
    assert index(WRITE).return_value == exits.OK
    assert not Path("told.json").exists()  # nothing changed

    (folder / "first.png").rename(folder / "second.png")
    index(WRITE)
    assert json.loads(Path("told.json").read_bytes())["moved"] == 1


@pytest.mark.parametrize("hook", ["exit 3", "no-such-program-here", "kill -9 $$"])
def test_its_failure_is_told_and_costs_nothing(folder: Path, hook: str) -> None:
    done = index(hook)
    assert done.return_value == exits.FAILED
    assert "--on-change ended with status" in done.stderr
    assert json.loads(done.stdout)["indexed"] == 1
    with Collection.open("index_data") as collection:
        assert len(collection) == 1


def test_it_is_told_of_an_interrupted_run(
    folder: Path, make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(1, 24):
        make_picture(folder / f"{seed}.png", seed)

    def interrupt(_bar: ProgressBar, progress: Progress) -> None:
        if progress.phase == "indexing" and progress.done >= 8:
            raise KeyboardInterrupt

    monkeypatch.setattr(ProgressBar, "__call__", interrupt)
    assert index(WRITE).return_value == exits.INTERRUPTED
    told = json.loads(Path("told.json").read_bytes())
    assert told["event"] == "interrupted"
    with Collection.open("index_data") as collection:
        assert 8 <= told["indexed"] == len(collection) < 24
