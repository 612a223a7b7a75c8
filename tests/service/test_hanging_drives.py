"""Drives of pictures that hang, while the index folders are on others that do not."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import IO

import httpx
import pytest
from conftest import until
from running import NAME, Starter, copied, running
from test_attacks import slug_of

from image_similarity_search.service import files, folder_status
from image_similarity_search.service.settings import Limits, Settings

_HUNG = "/v1/collections/hung"


class Drive:
    """The drive of a collection: whoever opens a file of it waits until it ``answers``."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers = Event()
        self.asked = 0
        opened, look = files._opened, folder_status._look

        def hang(path: str) -> None:
            if path.startswith(str(folder)):
                self.asked += 1
                self.answers.wait(30)

        def slow_opened(root: str, real: str) -> IO[bytes]:
            hang(real)
            return opened(root, real)

        def slow_look(path: str) -> folder_status.FolderStatus:
            hang(path)
            return look(path)

        monkeypatch.setattr(files, "_opened", slow_opened)
        monkeypatch.setattr(folder_status, "_look", slow_look)
        monkeypatch.setattr(folder_status, "_SECONDS", 0.1)


@pytest.fixture
def drive(place: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drive]:
    copied(template, place / "hung")
    drive = Drive(place / "hung/photos", monkeypatch)
    yield drive
    drive.answers.set()


@pytest.fixture
def two(serve: Starter, place: Path, drive: Drive) -> httpx.Client:
    """A service of two collections, the pictures of one of which lie on that drive."""
    places = ((NAME, str(place / "index")), ("hung", str(place / "hung/index")))
    return serve(collections=places, limits=Limits(read_seconds=0.5))


def test_nothing_waits_for_pictures_that_hang(two: httpx.Client, here: str, drive: Drive) -> None:
    with ThreadPoolExecutor(8) as pool:
        hanging = [pool.submit(two.get, f"{_HUNG}/images/{id_}/file") for id_ in range(1, 7)]
        hanging += [pool.submit(two.get, f"{_HUNG}/images/1/similar?region=0,0,0.5,0.5")]
        added = {"root": "photos", "path": "picture 0.jpg"}
        hanging_change = pool.submit(two.post, f"{_HUNG}/images", json=added)
        until(lambda: drive.asked >= 5)
        for path in (
            "/metrics",
            "/v1/jobs",
            f"{_HUNG}/images",
            f"{_HUNG}/images/1/similar",
            f"{here}/images/1/file",
            f"{here}/images/1/thumbnail",
        ):
            assert two.get(path).status_code == 200, path
        assert two.request("DELETE", f"{here}/images/12").status_code == 204
        roots = [one["roots"][0] for one in two.get("/v1/collections").json()["collections"]]
        assert [root["available"] for root in roots] == [True, False]
        answers = [(one.result().status_code, slug_of(one.result())) for one in hanging]
        assert answers == [(503, "no-source")] * 7
        before = time.monotonic()
        assert slug_of(two.get(f"{_HUNG}/images/7/thumbnail")) == "no-source"
        assert time.monotonic() - before < 0.4  # all threads are known to hang: none is waited for
        drive.answers.set()
        assert hanging_change.result().status_code == 201
    until(lambda: two.get(f"{_HUNG}/images/1/file").status_code == 200)


def test_a_client_that_goes_leaves_its_place_and_what_it_waits_for(
    serve: Starter, place: Path, drive: Drive
) -> None:
    client = serve(collections=(("hung", str(place / "hung/index")),))
    url = client.base_url
    leaving = [socket.create_connection((url.host, url.port or 0)) for _ in range(6)]
    for one in leaving:
        one.sendall(f"GET {_HUNG}/images/1/file HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    at_work = re.compile(r"^iss_requests_at_work (\S+)$", re.M)

    def count() -> float:
        return float(at_work.findall(client.get("/metrics").text)[0])

    until(lambda: count() == 6)
    for one in leaving:
        one.close()
    until(lambda: count() == 0)
    assert 'status="499"} 6.0' in client.get("/metrics").text
    drive.answers.set()
    assert client.get(f"{_HUNG}/images/1/file").status_code == 200
    assert drive.asked == 5  # four, and this: what was not begun never is


def test_a_service_ends_though_a_picture_hangs(place: Path, drive: Drive) -> None:
    collections = (("hung", str(place / "hung/index")),)
    with running(Settings(collections, str(place), limits=Limits(read_seconds=0.1))) as url:
        assert slug_of(httpx.get(f"{url}{_HUNG}/images/1/file")) == "no-source"
        ending = time.monotonic()
    assert time.monotonic() - ending < 10  # and not the 30 seconds that the drive takes
