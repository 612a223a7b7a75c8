"""A server whose process for a connection falls silent, while the connection stands."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from conftest import CountingEncoder, MakePicture, until
from postgres_server import PostgresServer
from running import running

from image_similarity_search.catalog.postgresql import watched
from image_similarity_search.collection import Collection
from image_similarity_search.errors import CollectionUnavailableError
from image_similarity_search.service.settings import Settings
from image_similarity_search.types import FloatArray, PixelArray


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "SILENT_SECONDS", 0.3)


@contextmanager
def silenced(server: PostgresServer) -> Iterator[list[int]]:
    """Stops what serves each connection of ours, as far as there are any, to the end."""
    of_ours = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'iss %'"
    stopped = [pid for (pid,) in server.execute(of_ours)]
    try:
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        yield stopped
    finally:
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def test_what_is_asked_is_asked_by_another_connection(
    server: PostgresServer, url: str, tmp_path: Path, photos: Path, make_picture: MakePicture
) -> None:
    with Collection.open(
        tmp_path / "i", encoder=CountingEncoder(), catalog=url, create=True
    ) as collection:
        collection.sync(photos)
        with silenced(server) as stopped:
            assert stopped
            started = time.monotonic()
            assert len(collection.search(1)) == 10
            assert collection.add(make_picture(tmp_path / "new.png", 77))
            assert time.monotonic() - started < 10


def test_a_server_that_is_at_work_is_waited_for(url: str, tmp_path: Path) -> None:
    with Collection.open(
        tmp_path / "i", encoder=CountingEncoder(), catalog=url, create=True
    ) as collection:
        database = collection._catalog._database
        before = database.value("SELECT pg_backend_pid()")
        assert database.value("SELECT pg_backend_pid() FROM pg_sleep(2)") == before


def test_a_run_ends_with_an_error_and_goes_on_later(
    server: PostgresServer, url: str, tmp_path: Path, photos: Path
) -> None:
    """What it had locked is not let go before: it may not go on by another connection."""

    class Silencing(CountingEncoder):
        def encode(self, pixels: PixelArray) -> FloatArray:
            silence.__enter__()
            return super().encode(pixels)

    with Collection.open(
        tmp_path / "i", encoder=Silencing(), catalog=url, create=True
    ) as collection:
        silence = silenced(server)
        try:
            started = time.monotonic()
            with pytest.raises(CollectionUnavailableError, match="does not answer any more"):
                collection.sync(photos)
            assert time.monotonic() - started < 15
        finally:
            silence.__exit__(None, None, None)
    with Collection.open(tmp_path / "i", encoder=CountingEncoder(), wait=10) as again:
        assert again.sync(photos).indexed == 12


def test_a_service_goes_on_and_ends(
    server: PostgresServer, url: str, place: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "shared"
    with Collection.open(folder, encoder="colour-texture", catalog=url, create=True) as made:
        made.sync(place / "photos")
    settings = Settings((("shared", str(folder)),), str(tmp_path))
    with ExitStack() as stopped:
        with running(settings) as address, httpx.Client(base_url=address, timeout=30) as client:
            images = "/v1/collections/shared/images"
            assert client.get(images).status_code == 200
            stopped.enter_context(silenced(server))
            until(lambda: client.get(images).status_code == 200, 20)
            stopped.enter_context(silenced(server))
            started = time.monotonic()
        assert time.monotonic() - started < 10


def test_a_server_that_takes_no_more_connections_answers(server: PostgresServer) -> None:
    server.execute("CREATE ROLE narrow LOGIN CONNECTION LIMIT 0")
    server.execute("ALTER ROLE narrow PASSWORD 'narrow'")
    narrow = f"host=127.0.0.1 port={server.port} user=narrow password=narrow dbname=postgres"
    assert watched.is_at_work(narrow, os.getpid())
    nowhere = "host=127.0.0.1 port=1 user=nobody connect_timeout=2"
    assert not watched.is_at_work(nowhere, os.getpid())
