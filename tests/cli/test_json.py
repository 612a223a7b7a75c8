"""What ``--json`` really prints, of every command, beside what the document says of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from conftest import draw
from test_docs import COMMAND_LINE, IMAGE_FIELDS, sections

from image_similarity_search.cli.app import app

# those that print no data, and those that test_watching, test_legacy_import and test_engine run
WITHOUT = {"serve", "mcp", "demo", "completion"}
ELSEWHERE = {"watch", "import-legacy", "move", "join", "map"}

# field: it is an object whose names are data, such as the paths of files
BY_DATA = {"figures", "tried", "unreadable", "tags", "thresholds", "checked", "problem_counts"}

# the section of one names that of another
SECTIONS = sections()
ALSO = {"info": "add", "rebuild": "info"}

RUNS = {
    "index": ["folder --model colour-texture", "folder --recall 0.9"],
    "search": ["folder/0.png", "--id 1 --like folder/below/1.png --fold"],
    "explain": ["folder/0.png folder/below/1.png"],
    "clusters": ["", "--count 2"],
    "outliers": ["--count 2 -k 2"],
    "duplicates": [
        "",
        "--action move --to away",
        "--action move --to away --yes",
        "--undo",
        "--dismiss folder/0.png --dismiss folder/below/1.png",
    ],
    "evaluate": ["--truth folders", "--truth folders --against index_data"],
    "add": ["extra.png", "bad.png"],
    "remove": ["extra.png"],
    "tag": ["add beach --id 1", "list"],
    "info": ["", "--skipped", "--measure-recall"],
    "rebuild": ["--index exact"],
    "models": [""],
    "export": ["made.npy"],
    "import": ["made.npy --index-dir imported"],
    "backup": ["kept"],
    "restore": ["kept"],
    "verify": ["--files", "--repair"],
    "relocate": ["folder elsewhere --force"],
    "thumbnails": [""],
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[Any]]]:
    """The documents that each command prints, run one after the other."""
    place = tmp_path_factory.mktemp("json")
    for seed in range(6):
        picture = place / "folder" / ("", "below")[seed % 2] / f"{seed}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        draw(seed).save(picture)
    draw(0).save(place / "folder" / "twin.jpg", quality=95)
    draw(9).save(place / "extra.png")
    (place / "bad.png").write_bytes(b"no picture")
    documents: dict[str, list[Any]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for name, runs in RUNS.items():
            for arguments in runs:
                if name == "verify" and "--repair" in arguments:
                    Path("index_data/faiss.index").write_bytes(b"x")
                done = CliRunner().invoke(app, [name, *arguments.split(), "--json"])
                assert done.stdout, (name, arguments, done)
                documents.setdefault(name, []).append(json.loads(done.stdout))
        yield documents


def test_every_command_that_has_data_prints_it_as_json() -> None:
    context = click.Context(app)
    for name in app.list_commands(context):
        command = app.get_command(context, name)
        assert command
        options = {text for parameter in command.params for text in parameter.opts}
        assert ("--json" in options) == (name not in WITHOUT), name
        assert ("--json" in options) == (name in RUNS.keys() | ELSEWHERE), name


@pytest.mark.parametrize("name", RUNS)
def test_every_field_that_is_printed_is_described(printed: dict[str, list[Any]], name: str) -> None:
    described = _described(name) | _described(ALSO.get(name, name))
    fields = {field for document in printed[name] for field in _fields(document)}
    assert fields <= described, fields - described


def test_what_is_done_is_printed(printed: dict[str, list[Any]]) -> None:
    assert [len(document.get("deeds", [])) for document in printed["duplicates"]] == [0, 1, 1, 1, 0]
    assert printed["duplicates"][4] == {"remembered": 1}
    rebuilt = printed["rebuild"][0]
    assert rebuilt.pop("tuning")["target"] == 0.9
    assert rebuilt == {"indexed": 6, "index": "exact", "store": "exact (FAISS Flat)"}
    assert printed["verify"][1]["repair"]["store_rebuilt"] is True


def _described(name: str) -> set[str]:
    """What the section of a command has as code, and the names in the JSON that it shows."""
    section = SECTIONS[name]
    if IMAGE_FIELDS in section:
        section += COMMAND_LINE.read_text("utf-8").split("\n## Image fields\n")[1].split("\n## ")[0]
    return set(re.findall(r"`(\w+)`", section)) | set(re.findall(r'"(\w+)":', section))


def _fields(value: Any) -> Iterator[str]:
    """The names of all fields, at every depth."""
    for item in value if isinstance(value, list) else []:
        yield from _fields(item)
    for name, inner in value.items() if isinstance(value, dict) else []:
        yield name
        by_data = name in BY_DATA and isinstance(inner, dict)
        yield from _fields([*inner.values()] if by_data else inner)
