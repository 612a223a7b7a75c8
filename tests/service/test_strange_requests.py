"""Requests that no program sends by chance: bodies, names, methods, and clients that go away."""

from __future__ import annotations

import json
import os
import re
import socket
import time
from http.client import HTTPResponse
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

import httpx
import pytest
from conftest import until
from running import Starter
from test_attacks import KEY, _bomb, slug_of
from test_searching import hits_of, picture

from image_similarity_search.errors import CollectionUnwritableError, ConfigError
from image_similarity_search.service import files, gate
from image_similarity_search.service.settings import Limits
from image_similarity_search.workers.worker import Answer, Worker


def connected(client: httpx.Client) -> socket.socket:
    host = urlsplit(str(client.base_url))
    return socket.create_connection((host.hostname, host.port or 0), timeout=10)


def test_a_head_without_an_end(shared: httpx.Client) -> None:
    with connected(shared) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        client.sendall(b"X-Long: %s\r\n" % (b"x" * 1000) * 200)
        assert b" 400 " in client.recv(100)


@pytest.mark.parametrize("line", ["GET /v1/würfel HTTP/1.1", "\x16\x03\x01", "hello"])
def test_what_is_no_request_is_a_problem(shared: httpx.Client, line: str) -> None:
    with connected(shared) as client:
        client.sendall(line.encode() + b"\r\nHost: localhost\r\n\r\n")
        answer = HTTPResponse(client)
        answer.begin()
        problem = json.load(answer)
        assert (answer.status, problem["status"]) == (400, 400)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert problem["type"] == "urn:iss:problem:bad-request"
        assert "%C3%BC" in problem["detail"]
        assert client.recv(1) == b""


@pytest.mark.parametrize(
    "kind", ["application/json", "application/x+json", "application/x-www-form-urlencoded", "a/b"]
)
def test_only_pictures_may_be_large(shared: httpx.Client, here: str, kind: str) -> None:
    body, sent = b'{"key":[' + b"[]," * 200_000 + b"[]]}", {"content-type": kind}
    for path in ("/v1/session", f"{here}/search", f"{here}/images", f"{here}/sync"):
        answer = shared.post(path, content=body, headers=sent)
        assert (answer.status_code, slug_of(answer)) == (413, "body-too-large"), path
        is_upload = path.endswith(("/search", "/images"))
        assert ("-H 'Content-Type: image/jpeg'" in answer.json()["detail"]) == is_upload, path


def test_a_body_without_a_key_is_small(serve: Starter) -> None:
    client = serve(keys=(KEY,))
    for kind in ("image/png", "multipart/form-data; boundary=x", "", "text/json"):
        sent = {"content-type": kind} if kind else {}
        answer = client.post("/v1/session", content=b"x" * 5_000, headers=sent)
        assert (answer.status_code, slug_of(answer)) == (413, "body-too-large"), kind
    assert client.post("/v1/session", json={"key": KEY}).status_code == 204


def test_few_faults_are_told_of_a_body(shared: httpx.Client, here: str) -> None:
    unknown = {f"{number}": 1 for number in range(20_000)}
    long = {"k" * 100_000: 1, "examples": [{"id": 1}]}
    wrong = {"examples": [{"id": "x"}] * 8_000}
    ids = {"ids": ["x"] * 40_000}
    started = time.process_time()  # of the service, too
    for path, body in (
        ("search", unknown),
        ("search", long),
        ("search", wrong),
        ("sync", unknown),
        ("duplicates/dismiss", ids),
    ):
        answer = shared.post(f"{here}/{path}", json=body)
        assert (answer.status_code, slug_of(answer)) == (422, "invalid")
        assert len(answer.json()["errors"]) <= 10
        assert len(answer.content) < 8_000
    assert time.process_time() - started < 2


@pytest.mark.linux
def test_a_folder_in_place_of_a_file_leaves_nothing_open(
    serve: Starter, place: Path, here: str
) -> None:
    client = serve()
    image = client.get(f"{here}/images/1").json()
    file = place / "photos" / image["path"]
    file.unlink()
    file.mkdir()
    for kept in (place / "index").glob("thumbnails*"):
        kept.unlink()

    def ask() -> None:
        added = client.post(f"{here}/images", json={"root": "photos", "path": image["path"]})
        assert (added.status_code, slug_of(added)) == (422, "image-unreadable")
        for path in ("file", "thumbnail", "similar?region=0,0,1,1"):
            assert client.get(f"{here}/images/1/{path}").status_code == 422, path

    ask()
    before = _open_files()
    for _ in range(3):
        ask()
    assert _open_files() <= before + 2  # connections of SQLite come and go


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "//[x]", "http://\uff03", "["])
def test_an_origin_that_is_none(shared: httpx.Client, here: str, origin: str) -> None:
    sent = httpx.Headers({b"origin": origin.encode()})
    answer = shared.get(here, headers=sent)
    assert (answer.status_code, slug_of(answer)) == (403, "origin")


def test_whatever_fails_in_the_gate_is_a_problem(
    serve: Starter, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve()

    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(gate.Gate, "_check", fail)
    answer = client.get(here)
    assert (answer.status_code, slug_of(answer)) == (500, "internal")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "secret" not in answer.text


def test_invented_methods_are_measured_as_one(serve: Starter, here: str) -> None:
    client = serve()
    for number in range(5):
        client.request("PROP" + "FIND"[:number], here)
    methods = set(
        re.findall(r'iss_http_requests_total\{method="(\w+)"', client.get("/metrics").text)
    )
    assert methods <= {"GET", "other"}


@pytest.mark.unix
def test_an_upload_that_no_drive_takes(tmp_path: Path) -> None:
    import resource

    with pytest.raises(ConfigError, match="name"):
        _put(tmp_path, "new/" + "x" * 300 + ".png")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))  # as a full disk, or a quota
    try:
        with pytest.raises(CollectionUnwritableError):
            _put(tmp_path, "new/deep/x.png", b"x" * 2_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


@pytest.mark.linux
def test_an_upload_into_a_folder_that_takes_none() -> None:
    """/proc takes no file from anybody, whoever runs the tests."""
    with pytest.raises(CollectionUnwritableError):
        _put(Path("/proc"), "x.png")


def _put(root: Path, path: str, data: bytes = b"x") -> None:
    with files.new_file(str(root), str(root / path), data):
        pass


def test_a_file_too_large_to_be_read_whole(
    serve: Starter, place: Path, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve()
    image = client.get(f"{here}/images/1").json()
    monkeypatch.setattr(files, "MOST_BYTES", 100_000)
    with (place / "photos" / image["path"]).open("ab") as file:
        file.truncate(100_001)
    for kept in (place / "index").glob("thumbnails*"):
        kept.unlink()
    for path in ("thumbnail", "similar?region=0,0,1,1"):
        answer = client.get(f"{here}/images/1/{path}")
        assert (answer.status_code, slug_of(answer)) == (422, "image-unreadable"), path
        assert "100,000 bytes" in answer.text
    assert client.get(f"{here}/images/1/file").status_code == 200


def test_all_pictures_of_a_request_have_the_time_of_one(serve: Starter, here: str) -> None:
    client = serve(limits=Limits(decode_seconds=0.7))
    slow = _bomb(3_000)  # each of them takes less
    answer = client.post(f"{here}/search", files=[("image", slow)] * 32)
    assert (answer.status_code, slug_of(answer)) == (422, "image-too-slow")


@pytest.mark.parametrize("path", ["/static/nope", "/nowhere", "/static/"])
def test_what_is_not_there_is_a_problem(shared: httpx.Client, path: str) -> None:
    answer = shared.get(path)
    assert (answer.status_code, slug_of(answer)) == (404, "not-found")


def test_head_tells_what_get_would(shared: httpx.Client, here: str) -> None:
    static = "/static/css/base.css"
    file = f"{here}/images/1/file"
    for path in ("/", static, file, f"{file}?download=true", f"{here}/images/1/thumbnail"):
        whole, head = shared.get(path), shared.head(path)
        assert (head.status_code, head.content) == (200, b""), path
        for name in ("content-length", "content-type", "etag", "cache-control"):
            assert head.headers[name] == whole.headers[name], (path, name)


def test_too_many_connections(serve: Starter, here: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "MOST_CONNECTIONS", 3)
    client = serve()
    assert client.get(here).status_code == 200  # over a connection that stays open
    others = [connected(client) for _ in range(3)]
    until(lambda: client.get(here).status_code == 503)
    answer = client.get(here)
    assert (answer.status_code, slug_of(answer)) == (503, "busy")
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["connection"] == "close"
    for other in others:
        other.close()
    until(lambda: client.get(here).status_code == 200)


def test_a_client_that_goes_away_is_no_failure_of_the_service(serve: Starter, here: str) -> None:
    client = serve()
    for path in (f"{here}/search", f"{here}/sync"):
        with connected(client) as leaving:
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
            leaving.sendall(f"{head}Content-Type: application/json\r\n\r\nabc".encode())
            time.sleep(0.1)  # until it is being read, on most machines

    def counted() -> list[tuple[str, str]]:
        line = r'iss_http_requests_total\{method="POST",route="\S+/(\w+)",status="(\d+)"\} 1'
        return sorted(re.findall(line, client.get("/metrics").text))

    until(lambda: len(counted()) == 2, 10)
    assert counted() == [("search", "499"), ("sync", "499")]


def test_uploads_of_clients_that_went_are_not_decoded(
    serve: Starter, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, asked, ask = Event(), [], Worker.ask

    def slow(worker: Worker, request: bytes, seconds: float) -> Answer:
        asked.append(request)
        assert go_on.wait(20)
        return ask(worker, request, seconds)

    monkeypatch.setattr(Worker, "ask", slow)
    client = serve()
    body = picture(1) + bytes(200_000)  # more than is read ahead
    head = f"POST {here}/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    leaving = [connected(client) for _ in range(5)]
    for one in leaving:
        one.sendall(head.encode() + body)
    at_work = re.compile(r"^iss_requests_at_work (\S+)$", re.M)
    until(lambda: at_work.findall(client.get("/metrics").text) == ["5.0"])
    for one in leaving:
        one.close()
    until(lambda: at_work.findall(client.get("/metrics").text) == ["0.0"])
    go_on.set()
    assert len(hits_of(client.post(f"{here}/search", content=picture(2)))) == 10
    assert len(asked) == 2  # the first, which had begun, and this


# The service fetches nothing


def test_no_route_takes_an_address(shared: httpx.Client, here: str) -> None:
    document = shared.get("/openapi.json").json()
    names = {
        parameter["name"]
        for path in document["paths"].values()
        for operation in path.values()
        for parameter in operation.get("parameters", [])
    }
    for schema in document["components"]["schemas"].values():
        names |= set(schema.get("properties", {}))
        assert not any(
            part.get("format") == "uri" for part in schema.get("properties", {}).values()
        )
    assert "threshold" in names
    assert not {name for name in names if re.search(r"ur[il]|href|src|address|fetch|host", name)}


def test_an_address_is_not_fetched(shared: httpx.Client, here: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap:
        url = f"http://127.0.0.1:{trap.getsockname()[1]}/a.png"
        answers = [
            shared.post(f"{here}/search", json={"url": url}),
            shared.post(f"{here}/search", json={"examples": [{"url": url}]}),
            shared.post(f"{here}/search", content=url.encode()),
            shared.post(f"{here}/search", params={"url": url}, content=url.encode()),
            shared.post(f"{here}/images", json={"root": "photos", "path": url}),
            shared.post(f"{here}/images", json={"root": url, "path": "a.png"}),
            shared.post(f"{here}/sync", json={"root": url}),
        ]
        assert {answer.status_code for answer in answers} <= {404, 422}
        trap.settimeout(0.1)
        with pytest.raises(TimeoutError):
            trap.accept()


def test_no_page_of_the_document_is_served(shared: httpx.Client) -> None:
    for path in ("/docs", "/redoc", "/docs/oauth2-redirect"):
        assert shared.get(path).status_code == 404, path


@pytest.mark.parametrize(
    "query",
    [
        f"camera={'x' * 201}",
        "gps_box=nan&gps_box=1&gps_box=1&gps_box=1",
        "camera=",
        "min_aspect=inf",
    ],
)
def test_conditions_that_make_no_sense_are_refused(
    shared: httpx.Client, here: str, query: str
) -> None:
    answer = shared.get(f"{here}/images?{query}")
    assert answer.status_code == 422, answer.text
