"""Weights are fetched from the hub once, whole and checked; where that fails, soon and in words.

The client is the real one, in processes of their own: it reads its settings when it is imported.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import COMMIT, Hub, closed_port, serving
from privileges import as_anybody

_SECONDS = 30  # for what fails: without our care the client would try for minutes

_FETCH = """
import json, sys
if limit := int(sys.argv[2]):
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from image_similarity_search.encoders.hub import HubFile, fetched
from image_similarity_search.errors import EncoderUnavailableError
try:
    print(*fetched(HubFile(*json.loads(sys.argv[1])), "mine", "Give a file."), sep="\\n")
except EncoderUnavailableError as error:
    sys.exit(str(error))
"""
_DATA = bytes(range(251)) * 50_000  # 12 MB: more than one piece of the client's
_SHA256 = hashlib.sha256(_DATA).hexdigest()


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as running:
        running.files["me/mine/model.bin"] = _DATA
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where the cache is."""
    return tmp_path / "hf"


def start(
    hub: Hub,
    home: Path,
    path: str = "model.bin",
    repo: str = "me/mine",
    revision: str = "main",
    sha256: str | None = None,
    limit: int = 0,
    **environment: str,
) -> subprocess.Popen[str]:
    """A process that fetches a file: it prints its path and SHA-256, or the error.

    It can write files of ``limit`` bytes at most, where that is not 0.
    """
    file = json.dumps([repo, path, 12_550_000, revision, sha256])
    return subprocess.Popen(
        [*as_anybody(), sys.executable, "-c", _FETCH, file, str(limit)],
        env=hub.environment(home, **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Its path, or the empty text, and what it said."""
    out, said = process.communicate(timeout=_SECONDS)
    path, _, digest = out.strip().partition("\n")
    assert digest == (_SHA256 if path else ""), said
    assert "Traceback" not in said
    return path, said


def contents(home: Path) -> list[Path]:
    """What is kept in the cache of the files' contents, whole or in part."""
    return [path for path in home.rglob("*") if path.is_file() and path.stat().st_size > 1_000]


def test_it_is_fetched_by_way_of_the_redirect_and_kept(hub: Hub, home: Path) -> None:
    path, _ = end(start(hub, home))
    assert Path(path).read_bytes() == _DATA
    assert Path(path).is_relative_to(home)
    assert ("content", "GET", "/me/mine/model.bin?Expires=1", None) in hub.asked
    hub.asked.clear()
    hub.hub_port = closed_port()
    assert end(start(hub, home)) == (path, "")
    assert end(start(hub, home, HF_HUB_OFFLINE="1")) == (path, "")
    assert hub.asked == []


def test_a_pinned_file_is_asked_for_by_its_commit(hub: Hub, home: Path) -> None:
    path, _ = end(start(hub, home, revision=COMMIT, sha256=_SHA256))
    assert COMMIT in path
    assert {f"/me/mine/resolve/{COMMIT}/model.bin"} == {
        path for _, _, path, _ in hub.asked if "resolve" in path
    }


def test_a_dropped_connection_is_taken_up_where_it_ended(hub: Hub, home: Path) -> None:
    hub.drop_at = 11_000_000
    path, _ = end(start(hub, home))
    assert Path(path).read_bytes() == _DATA
    ranges = [wanted for server, _, _, wanted in hub.asked if server == "content"]
    assert ranges[0] is None
    assert ranges[1] is not None
    assert ranges[1].startswith("bytes=1048576")


@pytest.mark.parametrize("pinned", [True, False])
def test_another_content_than_promised_is_not_kept(hub: Hub, home: Path, pinned: bool) -> None:
    hub.other_content = bytes(len(_DATA))
    revision, sha256 = (COMMIT, _SHA256) if pinned else ("main", None)
    path, said = end(start(hub, home, revision=revision, sha256=sha256))
    assert not path
    found = hashlib.sha256(hub.other_content).hexdigest()
    assert f"are damaged: their SHA-256 is {found}, expected {_SHA256}. They were removed" in said
    assert "Try again" in said
    assert contents(home) == []
    hub.other_content = None
    path, _ = end(start(hub, home, revision=revision, sha256=sha256))
    assert Path(path).read_bytes() == _DATA


def test_another_pin_than_the_hub_has_is_an_error_too(hub: Hub, home: Path) -> None:
    path, said = end(start(hub, home, sha256="0" * 64))
    assert not path
    assert f"SHA-256 is {_SHA256}, expected {'0' * 64}" in said
    assert contents(home) == []


def test_a_file_that_was_damaged_in_the_cache_is_fetched_anew(hub: Hub, home: Path) -> None:
    path, _ = end(start(hub, home, sha256=_SHA256))
    Path(path).write_bytes(_DATA[:-1] + b"\0")
    path, said = end(start(hub, home, sha256=_SHA256))
    assert not path
    assert "damaged" in said
    path, _ = end(start(hub, home, sha256=_SHA256))
    assert Path(path).read_bytes() == _DATA


def test_two_at_once_get_the_same_file(hub: Hub, home: Path) -> None:
    first, second = (start(hub, home) for _ in range(2))
    paths = {end(first)[0], end(second)[0]}
    (path,) = paths
    assert Path(path).read_bytes() == _DATA
    assert len(contents(home)) == 2  # the content, and the link to it


def assert_refused(process: subprocess.Popen[str], message: str) -> None:
    path, said = end(process)
    assert not path
    assert "model 'mine' can't be used: its weights (" in said
    assert re.search(message, said), said
    assert said.rstrip().endswith("Give a file.")


@pytest.mark.parametrize(
    ("asked", "status", "message"),
    [
        ({"path": "other.bin"}, None, r"\(other.bin of me/mine, 13 MB\) .*EntryNotFoundError: 404"),
        ({"revision": "ab" * 20}, None, "RevisionNotFoundError: 404"),
        ({"repo": "me/yours"}, None, r"\(model.bin of me/yours, .*RepositoryNotFoundError: 401"),
        ({}, 503, "503 Service Unavailable"),
        ({}, 429, "429 Too Many Requests"),
        ({"HF_HUB_OFFLINE": "1"}, None, "offline mode is enabled"),
    ],
)
def test_what_the_hub_refuses_is_said(
    hub: Hub, home: Path, asked: dict[str, Any], status: int | None, message: str
) -> None:
    hub.status = status
    assert_refused(start(hub, home, **asked), message)
    assert contents(home) == []


@pytest.mark.slow
def test_a_network_that_fails_is_said_within_seconds(hub: Hub, tmp_path: Path) -> None:
    """In all its ways at once, since in some the client tries five times."""
    with serving() as silent, serving() as refusing, serving() as stuck:
        silent.hangs, stuck.hangs = "hub", "content"
        refusing.files = stuck.files = hub.files
        refusing.content_port = closed_port()
        closed, unknown = f"http://127.0.0.1:{closed_port()}", "http://hub.invalid"
        processes = [
            (start(hub, tmp_path / "1", HF_ENDPOINT=closed), "Connection refused"),
            (start(hub, tmp_path / "2", HF_ENDPOINT=unknown), "ConnectError"),
            (start(silent, tmp_path / "3"), "ReadTimeout"),
            (start(refusing, tmp_path / "4"), "Connection refused"),
            (start(stuck, tmp_path / "5", HF_HUB_DOWNLOAD_TIMEOUT="1"), "ReadTimeout"),
        ]
        for process, message in processes:
            assert_refused(process, message)
    assert contents(tmp_path) == []


def test_a_cache_that_can_not_be_written_is_said(hub: Hub, home: Path) -> None:
    home.mkdir(mode=0o555)
    assert_refused(start(hub, home), "PermissionError: .*Permission denied")
    home.chmod(0o755)
    assert_refused(start(hub, home, limit=2_000_000), "OSError: .*File too large")
    assert contents(home) == []
    path, _ = end(start(hub, home))
    home.chmod(0o555)
    assert end(start(hub, home)) == (path, "")
