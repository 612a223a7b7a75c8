"""``iss serve`` as a process: how it starts, shares its work, and ends."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPResponse
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from click.testing import CliRunner
from conftest import draw, until
from test_attacks import KEY, slug_of
from test_searching import hits_of, picture

from image_similarity_search import import_embeddings
from image_similarity_search.cli.commands.serve import command
from image_similarity_search.collection import Collection
from image_similarity_search.errors import ImageSearchError
from image_similarity_search.service.serving import listening_socket
from image_similarity_search.service.settings import Settings
from image_similarity_search.service.supervising import Workers

_ISS = [sys.executable, "-m", "image_similarity_search", "serve", "--port", "0"]


@contextmanager
def process(place: Path, *options: str) -> Iterator[tuple[httpx.Client, subprocess.Popen[str]]]:
    """A service of its own, and a client of it."""
    arguments = [*_ISS, "--index-dir", f"pictures={place / 'index'}", *options]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as started:
        assert started.stderr
        try:
            found = re.search(r"http://[\d.:]+", started.stderr.readline())
            assert found
            with httpx.Client(base_url=found[0], timeout=30) as client:
                until(lambda: _answers(client))
                yield client, started
        finally:
            if started.poll() is None:
                started.kill()


def _answers_anew(url: httpx.URL) -> bool:
    with httpx.Client(base_url=url) as client:
        return _answers(client)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.unix
def test_it_ends_when_what_is_under_way_is_done(place: Path, here: str) -> None:
    large = BytesIO()
    draw(60, (1200, 900)).save(large, "PNG", compress_level=1)
    for number in range(100):
        (place / f"photos/{number}.png").write_bytes(large.getvalue() + b"%d" % number)
    uploads: list[dict[str, Any]] = []
    events: list[str] = []
    begun, told = threading.Semaphore(0), threading.Event()
    with process(place) as (client, service):
        job = client.post(f"{here}/sync", json={}).json()["id"]
        until(lambda: bool(client.get(here).json()["indexed"] > 12))

        def follow() -> None:
            with httpx.stream("GET", f"{client.base_url}/v1/jobs/{job}/events") as stream:
                events.extend(line for line in stream.iter_lines() if line)

        def upload() -> None:
            host, port = client.base_url.host, client.base_url.port
            head = (
                f"POST {here}/search HTTP/1.1\r\nHost: {host}:{port}\r\n"
                f"Content-Length: {len(large.getvalue())}\r\nExpect: 100-continue\r\n\r\n"
            )
            with socket.create_connection((host, port or 0), timeout=30) as server:
                server.sendall(head.encode())
                assert server.recv(100).startswith(b"HTTP/1.1 100 ")  # it reads the picture now
                begun.release()
                told.wait(20)
                server.sendall(large.getvalue())
                answer = HTTPResponse(server)
                answer.begin()
                uploads.append(json.load(answer))

        threads = [threading.Thread(target=follow)]
        threads += [threading.Thread(target=upload) for _ in range(3)]
        for thread in threads:
            thread.start()
        until(lambda: bool(events))
        for _ in range(3):
            assert begun.acquire(timeout=20)
        service.send_signal(signal.SIGTERM)
        told.set()
        for thread in threads:
            thread.join(20)
        assert service.wait(20) == 0
    assert [len(answer["hits"]) for answer in uploads] == [10, 10, 10]
    with Collection.open(place / "index") as collection:
        assert not collection.verify().damaged
        assert 12 < len(collection) <= 112


def test_one_of_several_may_be_away(place: Path, here: str) -> None:
    with process(place, "--index-dir", f"others={place / 'others'}") as (client, _):
        assert client.get(here).status_code == 200
        assert client.get("/v1/collections").json()["unavailable"] == ["others"]


def test_what_nothing_here_encodes_is_searched_by_its_images(place: Path, here: str) -> None:
    paths = sorted(place.glob("photos/*.jpg"))
    rows = np.eye(len(paths), dtype=np.float32) + 1
    shutil.rmtree(place / "index")
    import_embeddings(rows, place / "index", paths=[str(path) for path in paths])
    with process(place, "--allow-folder", str(place / "photos")) as (client, _):
        assert len(hits_of(client.get(f"{here}/images/1/similar?k=2"))) == 2
        assert client.get(f"{here}/images/1/thumbnail").headers["content-type"] == "image/jpeg"
        refused = [
            client.post(f"{here}/search", content=picture(1)),
            client.post(f"{here}/images/1/explanation", content=picture(1)),
        ]
        assert [slug_of(answer) for answer in refused] == ["no-encoder"] * 2


@pytest.mark.unix
@pytest.mark.slow
def test_jobs_stop_at_once_when_it_is_told_to_end(
    place: Path, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "run").mkdir()
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(place / "run"))
    large = BytesIO()
    draw(60, (1200, 900)).save(large, "PNG", compress_level=1)
    for number in range(200):
        (place / f"photos/{number}.png").write_bytes(large.getvalue() + b"%d" % number)
    with process(place) as (client, service):
        (state,) = (place / "run").iterdir()
        job = client.post(f"{here}/sync", json={}).json()["id"]
        until(lambda: bool(client.get(here).json()["indexed"] > 12))
        with socket.create_connection((client.base_url.host, client.base_url.port or 0)) as slow:
            head = f"POST {here}/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
            slow.sendall(head.encode() + b"begun")
            time.sleep(0.1)  # until it is under way
            service.send_signal(signal.SIGTERM)
            file = state / "jobs" / f"{job}.json"
            until(lambda: json.loads(file.read_text())["job"]["state"] == "cancelled", 10)
            assert service.poll() is None
        assert service.wait(20) == 0
    assert not state.exists()


@pytest.mark.unix
@pytest.mark.slow
def test_workers_share_collection_jobs_and_measurements(place: Path, here: str) -> None:
    with process(place, "--workers", "2") as (client, service):
        (place / "photos/new.png").write_bytes(picture(60))
        started = httpx.post(f"{client.base_url}{here}/sync", json={})
        address = f"{client.base_url}{started.headers['location']}"
        until(lambda: bool(httpx.get(address).json()["state"] == "done"))
        for _ in range(6):  # each over a connection of its own, so to any of the workers
            answer = httpx.post(f"{client.base_url}{here}/search", content=picture(60))
            assert hits_of(answer)[0]["score"] == 1.0
        counted = re.findall(
            r'iss_http_requests_total\{.*search".*\} (\S+)', client.get("/metrics").text
        )
        assert [float(count) for count in counted] == [6.0]
        service.send_signal(signal.SIGTERM)
        assert service.wait(30) == 0


@pytest.mark.unix
@pytest.mark.slow
def test_workers_end_with_the_process_that_started_them(place: Path) -> None:
    with process(place, "--workers", "2") as (client, service):
        service.kill()
        until(lambda: not _answers_anew(client.base_url), 20)


@pytest.mark.unix
def test_that_its_processes_can_not_start_is_a_failure() -> None:
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    no_application = uvicorn.Config("builtins:print", lifespan="on", interface="asgi3")
    try:
        workers = Workers(no_application, [], None)
        workers.run()
    finally:
        for number, handler in handlers.items():
            with suppress(OSError, TypeError, ValueError):
                signal.signal(number, handler)
    assert workers.failed


def test_answers_are_sent_at_once(place: Path) -> None:
    """Else the second part of each would wait until the client has acknowledged the first."""

    async def is_prompt() -> bool:
        connected: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def connect(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            server: socket.socket = writer.get_extra_info("socket")
            connected.set_result(server.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0)
            writer.close()

        settings = Settings((("pictures", str(place / "index")),), str(place), port=0)
        with listening_socket(settings) as listening:
            async with await asyncio.start_server(connect, sock=listening):
                with socket.create_connection(listening.getsockname()[:2]):
                    return await connected

    assert asyncio.run(is_prompt())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--index-dir", "nowhere"], "no collection at"),
        (["--index-dir", "nowhere", "--index-dir", "away"], "nowhere or /"),
        (["--host", "0.0.0.0"], "API keys"),
        (["--host", "203.0.113.1", "--api-key-file", "keys"], "listen"),
        (["--index-dir", "index", "--index-dir", "index"], "another name"),
        (["--api-key-file", "short"], "line 2 is '***'; expected 16 printable"),
        (["--api-key-file", "wide"], "line 1 is '***'; expected 16 printable"),
        (["--allow-folder", "nowhere"], "no such folder"),
    ],
)
def test_what_can_not_be_served_is_said(
    place: Path, options: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.delenv("ISS_API_KEY", raising=False)
    (place / "keys").write_text(f"\ufeff# of mine\n\n\t# an old one\n{KEY}\n", "utf-8")
    (place / "short").write_text(f"{KEY}\nsecret\n")
    (place / "wide").write_text(f"{KEY}\n", "utf-16")
    if "--index-dir" not in options:
        options = [*options, "--index-dir", "index"]
    done = CliRunner().invoke(command, ["--port", "0", *options])
    assert isinstance(done.exception, ImageSearchError)
    assert told in str(done.exception)
    assert "secret" not in str(done.exception)
