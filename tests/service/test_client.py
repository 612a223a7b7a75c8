"""The client against a real service: what comes back is what ``Collection`` would say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import numpy as np
import pytest
from camera_files import exif
from conftest import draw
from running import Starter
from test_attacks import KEY
from test_searching import picture

from image_similarity_search.client import Client, Example
from image_similarity_search.collection import Collection
from image_similarity_search.errors import (
    ConfigError,
    ImageNotFoundError,
    ImageSearchError,
    ServiceError,
)
from image_similarity_search.types import NO_TRAITS, Region


@pytest.fixture
def client(serve: Starter) -> Iterator[Client]:
    with Client(str(serve(keys=(KEY,)).base_url), key=KEY) as made:
        yield made


def test_everything_that_can_be_asked(client: Client, place: Path) -> None:
    info = client.info()
    assert [found.name for found in client.collections()] == [info.name] == ["pictures"]
    assert (info.indexed, info.roots[0].name, info.roots[0].writable) == (12, "photos", True)
    page = client.images(after=2, limit=3)
    assert [image.id for image in page.images] == [3, 4, 5]
    assert (page.next, page.total) == (5, 12)
    image = client.image(3)
    assert image == page.images[0]
    assert image.root is not None
    original = place / image.root / image.path
    assert client.file(3) == original.read_bytes()
    assert client.thumbnail(3).startswith(b"\xff\xd8")
    assert client.images(skipped=True).images == []
    below = client.images({"folder": "photos/holiday", "formats": ["png"]})
    assert below.total == 6

    with Collection.open(place / "index") as collection:
        expected = [(hit.id, hit.score) for hit in collection.search(original, k=4)]
        by_id = [hit.id for hit in collection.search(3, k=4)]
    for query in (original, str(original), original.read_bytes()):
        assert [(hit.image.id, hit.score) for hit in client.search(query, k=4)] == expected
    assert [hit.image.id for hit in client.search(3, k=4)] == by_id
    assert client.search(3, threshold=0.9999) == []
    assert client.search(3, k=1, region=Region(0, 0, 0.5, 0.5))[0].image.id != 3
    half: Any = np.float32(0.5)
    upper = Region(*np.array([0, 0, 1, 0.5], np.float32))
    assert client.search(picture(50), region=upper)
    conditions = {"formats": ["png"]}
    found = client.search_by_examples(
        [Example(3), Example(picture(50), half, upper), Example(4, -0.2)],
        k=20,
        where=conditions,
    )
    assert {hit.image.path.rpartition(".")[2] for hit in found} == {"png"}
    assert len(client.search_by_examples([Example(3), Example(4, -0.2)], k=20)) == 10


def test_what_a_file_says_of_itself(client: Client, place: Path) -> None:
    draw(30).save(place / "photos" / "berne.jpg", exif=exif())
    added = client.add_existing("photos", "berne.jpg")
    with Collection.open(place / "index") as collection:
        assert client.image(added.id).traits == collection.traits(added.id) != NO_TRAITS
    assert client.images().images[-1].traits is None, "of one alone"


def test_everything_that_can_be_changed(client: Client, place: Path) -> None:
    added = client.add(picture(70), "photos", "new/seventy.png")
    assert client.search(picture(70), k=1)[0].image == added
    (place / "photos/late.png").write_bytes(picture(71))
    late = client.add_existing("photos", "late.png")
    client.remove(late.id)
    with pytest.raises(ServiceError) as missing:
        client.image(late.id)
    assert (missing.value.status, missing.value.kind) == (404, "image-not-found")
    jobs = list(client.follow(client.sync("photos").id))
    assert jobs[-1].state == "done"
    assert jobs[-1].report is not None
    assert jobs[-1].report["indexed"] == 1
    assert client.job(jobs[-1].id) == client.cancel(jobs[-1].id) == jobs[-1]


def test_duplicates(client: Client, place: Path) -> None:
    shutil.copy(place / "photos/picture 0.jpg", place / "photos/copy.jpg")
    shutil.copy(place / "photos/picture 0.jpg", place / "photos/third.jpg")
    copy, third = (client.add_existing("photos", name) for name in ("copy.jpg", "third.jpg"))
    started = client.duplicates("exact", where={"formats": ["jpeg"]})
    assert (started.kind, started.collection) == ("duplicates", "pictures")
    *_, ended = client.follow(started.id)
    assert (ended.state, client.jobs()[0]) == ("done", ended)
    assert ended.finished is not None
    assert ended.finished >= ended.started == started.started
    assert started.finished is None
    page = client.groups(started.id)
    (group,) = page.groups
    other, last = group.others
    assert (page.next, page.total, group.more) == (None, 1, 0)
    assert {group.keep.id, other.image.id, last.image.id} == {1, copy.id, third.id}
    assert (group.level, other.level, bool(group.why)) == ("exact", "exact", True)
    (short,) = client.groups(started.id, others=1).groups
    assert (short.others, short.more) == ([other], 1)
    client.dismiss([1, copy.id, third.id])
    *_, again = client.follow(client.duplicates("exact").id)
    assert client.groups(again.id).groups == []


def test_all_that_the_service_offers_to_programs(client: Client, place: Path) -> None:
    """Every path of the document is asked for by a method; browsers and watchers have their own."""
    http = client._connection.http  # to see what is asked for
    asked: list[tuple[str, str]] = []
    http.event_hooks["request"] = [lambda it: asked.append((it.method, unquote(it.url.path)))]
    client.collections()
    client.info()
    client.images()
    client.image(1)
    client.thumbnail(1)
    assert client.preview(3) == client.preview(client.file(3))
    assert client.file(1, download=True) == client.file(1)
    client.search(1)
    client.search(picture(3))
    by_id, by_upload = client.explain(3, 1, method="occlusion"), client.explain(picture(3), 1)
    assert by_id.score == pytest.approx(by_upload.score, abs=0.01)
    assert by_upload.hit.seen.w <= 1.0
    client.add(picture(70), "photos", "seventy.png")
    client.remove(2)
    job = client.sync()
    list(client.follow(job.id))
    client.cancel(job.id)
    client.job(job.id)
    client.jobs()
    with pytest.raises(ServiceError, match="404"):  # of a sync
        client.groups(job.id)
    client.duplicates()
    client.dismiss([1, 3])
    assert client.change_tags([1, 3], add=["Beach"], remove=["x"]) == 2
    assert client.tags() == {"beach": 2}
    assert [image.id for image in client.images({"tags": ["BEACH"]}).images] == [1, 3]
    assert [hit.image.id for hit in client.search(1, where={"tags": ["beach"]})] == [3]
    http.event_hooks["request"] = []
    document = http.get("/openapi.json").json()
    offered = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        if path not in ("/healthz", "/readyz", "/metrics", "/v1/session")
        and not path.endswith("/{id}/path")  # for the page: an image has its path in a client
        for method in operations
    }
    missing = {
        (method, path)
        for method, path in offered
        if not any(
            method == used and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), at)
            for used, at in asked
        )
    }
    assert len(offered) > 12
    assert missing == set()


@contextmanager
def answering(kind: str, body: str) -> Iterator[Client]:
    """A client of something that answers everything alike; PATH is what it was asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body.replace("PATH", self.path).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            with Client(f"http://127.0.0.1:{server.server_port}", collection="x/ü?") as made:
                yield made
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("body", ["<html>Log in first</html>", "[]", "{}", "null", '{"images": 1}'])
def test_what_is_no_answer_of_the_service(body: str) -> None:
    with answering("text/html", body) as client:
        for ask in (client.info, client.collections, client.images, client.jobs):
            with pytest.raises(ServiceError, match="unexpected answer") as refused:
                ask()
            assert refused.value.status == 200


def test_names_are_quoted() -> None:
    with answering("text/plain", "PATH") as client:
        assert client.file(1) == b"/v1/collections/x%2F%C3%BC%3F/images/1/file"
        assert client.file(1, download=True).endswith(b"/images/1/file?download=true")


def test_a_job_that_is_not_told_to_its_end(shared: httpx.Client, here: str) -> None:
    job = shared.post(f"{here}/duplicates", json={}).json()
    assert job["state"] == "running"
    stream = f"event: progress\ndata: {json.dumps(job)}\n\n"
    with answering("text/event-stream", stream) as client:
        seen = client.follow(job["id"])
        assert next(seen).state == "running"
        with pytest.raises(ServiceError, match="no longer reports"):
            next(seen)
    with (
        answering("text/event-stream", "data: <html>\n\n") as client,
        pytest.raises(ServiceError, match="unexpected answer"),
    ):
        list(client.follow("1"))


def test_what_goes_wrong_is_one_error(client: Client, shared: httpx.Client) -> None:
    with pytest.raises(ServiceError) as refused:
        client.search(b"no picture")
    assert (refused.value.status, refused.value.kind) == (422, "image-unreadable")
    with pytest.raises(ServiceError, match="404"):
        list(client.follow("0123456789abcdef"))
    with Client("http://127.0.0.1:9", timeout=2) as nowhere:
        with pytest.raises(ImageSearchError, match="can't be reached") as unreached:
            nowhere.info()
        assert unreached.value.__cause__
    with Client(str(shared.base_url), collection="other") as other, pytest.raises(ServiceError):
        other.info()


def test_what_can_not_be_asked_is_said_as_by_a_collection(client: Client) -> None:
    client.info()  # what comes is said before anything is sent
    for asked in (Path("no.jpg"), "no.jpg"):
        with pytest.raises(ImageNotFoundError, match=r"^no\.jpg: no such file"):
            client.search(asked)
        with pytest.raises(ImageNotFoundError):
            client.search_by_examples([Example(asked)])
        with pytest.raises(ImageNotFoundError):
            client.explain(asked, 1)
    nothing: list[Any] = [None, True, 2.5, ["no.jpg"]]
    for query in nothing:
        with pytest.raises(ConfigError, match=r"^query is "):
            client.search(query)
    for k in (0, True, 2.5):
        with pytest.raises(ConfigError, match=r"^k is "):
            client.search(1, k=k)  # type: ignore[arg-type]  # a half is no count
    numpy_id: Any = np.int64(3)
    expected = client.search(3, k=2)
    assert client.search(numpy_id, k=np.int64(2)) == expected  # type: ignore[arg-type]  # one to a computer
    assert client.search_by_examples([Example(numpy_id)], k=2) == expected
    assert client.change_tags(3, add="sea shore") == 1
    assert client.tags() == {"sea shore": 1}
    with pytest.raises(ConfigError, match=r"^ids is '13'"):
        client.change_tags("13", remove="sea shore")  # type: ignore[arg-type]  # no ids


def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(ConfigError, match=r"pip install 'image-similarity-search\[client\]'"):
        Client()


def test_the_client_needs_no_server_here() -> None:
    check = (
        "import sys, image_similarity_search.client as c; "
        "print(*(m for m in ('fastapi', 'uvicorn', 'numpy', 'PIL', 'httpx') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("key", ["topsecretkey-0001\n", "topsecretkey-0001 ", "topsecretkey-ü"])
def test_a_key_that_is_none_is_refused_and_not_told(key: str) -> None:
    with pytest.raises(ConfigError, match=r"key is '\*\*\*'") as refused:
        Client(key=key)
    assert "topsecret" not in str(refused.value)


@pytest.mark.parametrize("url", ["127.0.0.1:8765", "http://", "ftp://host", "http://ho\nst", ""])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="url is"):
        Client(url)


def test_a_client_tells_no_password_and_says_that_it_is_closed() -> None:
    with Client("http://me:topsecret@127.0.0.1:1") as client:
        with pytest.raises(ServiceError, match=r"http://127.0.0.1:1 can't be reached") as refused:
            client.collections()
        assert "topsecret" not in str(refused.value)
    with pytest.raises(ServiceError, match="closed"):
        client.collections()
    with pytest.raises(ServiceError, match="closed"):
        next(client.follow("0" * 16))
