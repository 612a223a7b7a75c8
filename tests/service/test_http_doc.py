"""The examples of docs/http.md, run against a server; its table of errors, and that of attacks."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
from conftest import MakePicture
from pydantic import BaseModel
from running import running
from test_docs import DOCS, blocks_of, commands_of, furnish

from image_similarity_search.collection import Collection
from image_similarity_search.service import problems, schemas
from image_similarity_search.service.settings import Settings

HTTP = DOCS / "http.md"


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_every_example_works(
    tmp_path: Path, make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(tmp_path / "place", make_picture)
    monkeypatch.chdir(tmp_path / "place")
    with Collection.open(encoder="colour-texture", create=True) as collection:
        collection.sync("images")
    (tmp_path / "state").mkdir()
    settings = Settings((("index_data", "index_data"),), str(tmp_path / "state"))
    ran = 0
    with running(settings) as url:
        for block in blocks_of(HTTP):
            if block.language == "sh" and "curl" in block.text:
                for command, _ in commands_of(block):
                    _run(command.replace("http://127.0.0.1:8765", url), first=not ran)
                    ran += 1
    assert ran > 15


def _run(command: str, *, first: bool) -> None:
    with_status = f"{command} -w '\\n%{{http_code}}'"
    done = subprocess.run(["sh", "-c", with_status], capture_output=True, text=True, check=True)
    body, _, status = done.stdout.rpartition("\n")
    assert status in {"200", "201", "202", "204"}, f"{command}\n{done.stdout}"
    if first:
        (shown,) = [b.text for b in blocks_of(HTTP) if b.language == "json" and '"hits"' in b.text]
        assert _shape(json.loads(shown)) == _shape(json.loads(body))


def _shape(value: object) -> object:
    """Which fields there are, all the way down; of lists the first item."""
    if isinstance(value, dict):
        return {key: _shape(inner) for key, inner in value.items()}
    return [_shape(value[0])] if isinstance(value, list) and value else None


def test_every_operation_is_listed_and_no_other(shared: httpx.Client) -> None:
    listed = re.findall(r"^\| `([A-Z]+ /\S+)` \|", HTTP.read_text("utf-8"), re.M)
    paths = shared.get("/openapi.json").json()["paths"]
    assert sorted(listed) == sorted(
        f"{method.upper()} {path}" for path, operations in paths.items() for method in operations
    )


@pytest.mark.parametrize(
    ("heading", "shape"),
    [("Field of a collection", schemas.CollectionOut), ("Field of a job", schemas.Job)],
)
def test_every_field_is_listed_and_no_other(heading: str, shape: type[BaseModel]) -> None:
    table = HTTP.read_text("utf-8").split(f"| {heading} |")[1].split("\n\n")[0]
    listed = {
        name
        for cell in re.findall(r"^\| (`.*?) \|", table, re.M)
        for name in re.findall(r"`(\w+)`", cell)
    }
    assert listed == set(shape.model_fields)


def test_every_problem_is_described() -> None:
    described: dict[str, int] = {}
    for status, text in re.findall(r"^\| (\d+) \| (.*) \|$", HTTP.read_text("utf-8"), re.M):
        described |= {slug: int(status) for slug in re.findall(r"`([\w-]+)`", text)}
    sources = Path(problems.__file__).parent.rglob("*.py")
    used = {
        slug: int(status)
        for source in sources
        for status, slug in re.findall(r'Kind\(\s*(\d+), "([\w-]+)"', source.read_text("utf-8"))
    }
    used |= {slug: status for status, (slug, _) in problems.TITLES.items()}
    assert described == used


def test_every_attack_is_tried_by_a_test() -> None:
    text = (DOCS / "security.md").read_text("utf-8")
    rows = re.findall(r"^\| (.*) \| (.*) \| (.*) \|$", text, re.M)[1:]
    sources = "".join(p.read_text("utf-8") for p in Path(__file__).parent.glob("test_*.py"))
    tests = set(re.findall(r"^def (test_\w+)", sources, re.M))
    assert len(rows) > 10
    for attack, _, tried in rows:
        named = re.findall(r"`(\w+)`", tried)
        assert named, attack
        assert set(named) <= tests, attack
