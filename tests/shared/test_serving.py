"""Services of collections in files and of one in a database, which is away for a while."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from postgres_server import PostgresServer
from running import NAME, Starter
from test_searching import hits_of, picture

from image_similarity_search.catalog.whereabouts import POINTER
from image_similarity_search.cli.commands.serve import command
from image_similarity_search.collection import Collection
from image_similarity_search.errors import CollectionUnavailableError
from image_similarity_search.service import open_collections, serving


@pytest.fixture
def places(place: Path, url: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """A collection in a file, and a shared one of the same pictures."""
    folder = place / "shared"
    with Collection.open(folder, encoder="colour-texture", catalog=url, create=True) as made:
        made.sync(place / "photos")
    return (NAME, str(place / "index")), ("shared", str(folder))


@pytest.fixture
def stopped(server: PostgresServer) -> Iterator[PostgresServer]:
    """The server, which does not run."""
    server.stop()
    yield server
    server.stop()
    server.start()


def _told(client: httpx.Client) -> tuple[int, dict[str, str]]:
    """What is said of it: whether it is ready, and what is wrong."""
    listed = client.get("/v1/collections")
    assert listed.status_code == client.get("/metrics").status_code == 200
    ready = client.get("/readyz")
    assert list(ready.json()["problems"]) == listed.json()["unavailable"]
    return ready.status_code, ready.json()["problems"]


def _score(client: httpx.Client, name: str) -> float:
    answer = client.post(f"/v1/collections/{name}/search", content=picture(1))
    return float(hits_of(answer)[0]["score"])


def test_one_that_is_away_at_the_start_is_served_when_it_is_back(
    places: tuple[tuple[str, str], ...], stopped: PostgresServer, serve: Starter
) -> None:
    serving._try_opening([folder for _, folder in places])
    client = serve(collections=places)
    assert _told(client) == (200, {"shared": "no-catalog"})
    answer = client.get("/v1/collections/shared/images")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:iss:problem:no-catalog")
    assert _score(client, NAME) == 1.0
    stopped.start()
    assert _score(client, "shared") == 1.0
    assert _told(client) == (200, {})


def test_one_that_is_away_for_a_while_stops_no_other(
    places: tuple[tuple[str, str], ...], server: PostgresServer, serve: Starter
) -> None:
    client = serve(collections=places)
    assert _told(client) == (200, {})
    server.stop()
    try:
        assert _told(client) == (200, {"shared": "no-catalog"})
        assert _score(client, NAME) == 1.0
    finally:
        server.start()
    assert _score(client, "shared") == 1.0
    assert _told(client) == (200, {})


def test_a_server_that_does_not_answer_is_not_waited_for(
    places: tuple[tuple[str, str], ...], serve: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_collections, "_LOOK_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        silent_url = f"postgresql://iss@127.0.0.1:{port}/postgres?connect_timeout=3\n"
        Path(places[1][1], POINTER).write_text(silent_url)
        client = serve(collections=places)
        started = time.monotonic()
        assert _told(client) == (200, {"shared": "no-catalog"})
        assert _score(client, NAME) == 1.0
        assert time.monotonic() - started < 2


def test_where_no_other_is_there_it_does_not_start(
    places: tuple[tuple[str, str], ...], stopped: PostgresServer, tmp_path: Path
) -> None:
    arguments = ["--port", "0"]
    for folder in (places[1][1], str(tmp_path / "nowhere")):
        arguments += ["--index-dir", folder]
    result = CliRunner().invoke(command, arguments)
    assert isinstance(result.exception, CollectionUnavailableError)
