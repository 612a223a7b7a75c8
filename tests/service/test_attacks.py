"""Attacks on the service, by name. docs/security.md lists them."""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
import time
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from conftest import children_of, draw, until
from running import Starter
from test_searching import hits_of, picture

from image_similarity_search.collection import Collection
from image_similarity_search.errors import ConfigError
from image_similarity_search.service.keys import COOKIE, Keys
from image_similarity_search.service.rates import Rates
from image_similarity_search.service.settings import Limits, Settings
from image_similarity_search.workers.pool import Pool

KEY = "a-key-of-sixteen-characters"


def slug_of(response: httpx.Response) -> str:
    assert response.headers["content-type"] == "application/problem+json", response.text
    return str(response.json()["type"]).rpartition(":")[2]


# Files of the machine


def test_a_link_out_of_the_folder_is_not_handed_out(serve: Starter, place: Path, here: str) -> None:
    secret = place / "secret"
    secret.mkdir()
    draw(70).save(secret / "private.png")
    (place / "photos/link.png").symlink_to(secret / "private.png")
    (place / "photos/inner link.png").symlink_to(place / "photos/picture 0.jpg")
    with Collection.open(place / "index") as collection:
        collection.sync(place / "photos")
        ids = {Path(record.path).name: record.id for record in collection}
    client = serve()
    for what in ("file", "thumbnail", "preview", "preview?original=true"):
        answer = client.get(f"{here}/images/{ids['link.png']}/{what}")
        assert (answer.status_code, slug_of(answer)) == (404, "image-not-found")
    region = client.get(f"{here}/images/{ids['link.png']}/similar?region=0,0,1,1")
    assert region.status_code == 404
    added = client.post(f"{here}/images", json={"root": "photos", "path": "link.png"})
    assert added.status_code == 404


def test_a_folder_that_became_a_link_is_not_followed(
    serve: Starter, place: Path, here: str
) -> None:
    client = serve()
    images = client.get(f"{here}/images").json()["images"]
    image = next(image for image in images if image["path"].startswith("holiday/"))
    (place / "photos/holiday").rename(place / "outside")
    (place / "photos/holiday").symlink_to(place / "outside")
    assert client.get(image["links"]["file"]).status_code == 404
    assert client.get(image["links"]["thumbnail"]).status_code == 404
    assert client.get(image["links"]["preview"]).status_code == 404
    target = {"root": "photos", "path": "holiday/new.png"}
    assert client.post(f"{here}/images", params=target, content=picture(1)).status_code == 422
    assert not (place / "outside/new.png").exists()


def test_an_image_from_elsewhere_is_found_and_not_handed_out(
    serve: Starter, place: Path, here: str
) -> None:
    draw(71).save(place / "loose.png")
    with Collection.open(place / "index") as collection:
        (record,) = collection.add(place / "loose.png")
    client = serve()
    (hit,) = hits_of(client.post(f"{here}/search?k=1", content=picture(71)))
    assert (hit["image"]["root"], hit["image"]["path"]) == (None, "loose.png")
    assert client.get(f"{here}/images/{record.id}/file").status_code == 404
    assert client.get(f"{here}/images/{record.id}/thumbnail").status_code == 404
    assert client.get(f"{here}/images/{record.id}/preview").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "../escaped.png",
        "holiday/../../escaped.png",
        "/tmp/escaped.png",
        "//escaped.png",
        "holiday//escaped.png",
        "./escaped.png",
        "C:\\escaped.png",
        "holiday\\..\\escaped.png",
        "a\0.png",
        "a\n.png",
        ".hidden.png",
        ".git/escaped.png",
        "ends with a dot./escaped.png",
        "escaped.png.",
        "escaped.svg",
        "escaped.html",
        "escaped.php",
        "escaped",
        "",
        "x" * 300 + ".png",
    ],
)
def test_an_upload_goes_nowhere_else(shared: httpx.Client, here: str, path: str) -> None:
    query = {"root": "photos", "path": path}
    before = shared.get(here).json()["indexed"]
    assert shared.post(f"{here}/images", params=query, content=picture(80)).status_code == 422
    assert shared.post(f"{here}/images", json=query).status_code in (404, 422)
    assert shared.get(here).json()["indexed"] == before


def test_files_are_reached_by_id_only(shared: httpx.Client, here: str) -> None:
    for id_ in ("..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "1%00", "0", "-1", "1e3", "photos"):
        assert shared.get(f"{here}/images/{id_}/file").status_code in (404, 422), id_
    for path in ("/../etc/passwd", "/static/../../../etc/passwd", "/v1/collections/..%2f.."):
        assert shared.get(path).status_code == 404, path


# Pages of others, in the user's browser


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:{port}", 200),
        ("127.0.0.1:{port}", 200),
        ("[::1]:{port}", 200),
        ("192.168.1.5", 200),
        ("LOCALHOST.", 200),
        ("pictures.example", 200),
        ("attacker.example:{port}", 421),
        ("localhost.attacker.example", 421),
        ("127.0.0.1.attacker.example", 421),
        ("127.0.0.1@attacker.example", 421),
        ("", 421),
        ("a b", 421),
    ],
)
def test_dns_rebinding(serve: Starter, here: str, host: str, status: int) -> None:
    client = serve(allowed_hosts=("Pictures.example",))
    port = urlsplit(str(client.base_url)).port
    answer = client.get(here, headers={"host": host.format(port=port)})
    assert answer.status_code == status
    assert status == 200 or slug_of(answer) == "host"


def test_cross_site_requests(shared: httpx.Client, here: str) -> None:
    own = str(shared.base_url).rstrip("/")
    foreign: list[dict[str, str]] = [
        {"origin": "http://attacker.example"},
        {"origin": "null"},
        {"origin": "http://localhost:1"},
        {"origin": ""},
        {"origin": own + ".attacker.example"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
    ]
    for headers in foreign:
        for method, path in (("GET", f"{here}/images/1/file"), ("POST", f"{here}/search")):
            answer = shared.request(method, path, headers=headers)
            assert (answer.status_code, slug_of(answer)) == (403, "origin"), headers
    navigation = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert shared.get(here, headers=navigation).status_code == 200
    assert shared.post(f"{here}/sync", headers=navigation, json={}).status_code == 403
    from_here = {"origin": own, "sec-fetch-site": "same-origin"}
    assert shared.get(here, headers=from_here).status_code == 200
    # what a form of another site can send without asking is not understood, either
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        sent = shared.post(f"{here}/search", content=b"a=b", headers={"content-type": kind})
        assert sent.status_code == 415
        assert "-H 'Content-Type: image/jpeg', or -F image=@q.jpg" in sent.json()["detail"]
    assert "access-control-allow-origin" not in shared.get(here, headers=from_here).headers


def test_every_answer_has_the_headers_of_safety(shared: httpx.Client, here: str) -> None:
    answers = [
        shared.get(here),
        shared.get("/nowhere"),
        shared.get(here, headers={"host": "attacker.example"}),
        shared.get(f"{here}/images/1/file"),
        shared.get(f"{here}/images/1/thumbnail"),
        shared.post(f"{here}/search", content=b"x"),
        shared.put(here),
    ]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "server" not in answer.headers
    assert "sandbox" in answers[3].headers["content-security-policy"]


@pytest.mark.unix
def test_a_file_that_turned_into_something_else_is_not_shown(
    serve: Starter, place: Path, here: str
) -> None:
    client = serve()
    image = client.get(f"{here}/images/1").json()
    file = place / "photos" / image["path"]
    for content in (
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<script>alert(1)</script>",
        b"",
    ):
        file.write_bytes(content)
        assert client.get(image["links"]["file"]).status_code == 422
    draw(1).save(file, "TIFF")
    saved = client.get(image["links"]["file"])
    assert saved.headers["content-type"] == "application/octet-stream"
    assert saved.headers["content-disposition"].startswith("attachment")
    file.unlink()
    file.mkdir()
    assert client.get(image["links"]["file"]).status_code in (404, 422)
    file.rmdir()
    os.mkfifo(file)
    assert client.get(image["links"]["file"]).status_code == 422


def test_a_file_name_can_not_break_a_header(serve: Starter, place: Path, here: str) -> None:
    name = 'a"; x=\r\nSet-Cookie: a=b; ü\udcff.png'
    (place / "photos" / name).write_bytes(picture(72))
    with Collection.open(place / "index") as collection:
        (record,) = collection.add(place / "photos" / name)
    client = serve()
    answer = client.get(f"{here}/images/{record.id}/file")
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    image = client.get(f"{here}/images/{record.id}").json()
    assert image["name"].endswith("ü\ufffd.png")


# Keys


def test_without_a_key_nothing_is_told(serve: Starter, here: str) -> None:
    client = serve(keys=(KEY, "another-key-of-some-length"))
    for path in (here, "/v1/collections", f"{here}/images/1/file", "/metrics", "/v1/jobs", "/x"):
        answer = client.get(path)
        assert (answer.status_code, slug_of(answer)) == (401, "key"), path
        assert answer.headers["www-authenticate"] == "Bearer"
    wrong = ["-", KEY[:-1], KEY + "x", KEY.upper(), "ä", "Bearer"]
    for shown in wrong:
        sent = httpx.Headers({b"authorization": f"Bearer {shown}".encode()})
        assert client.get(here, headers=sent).status_code == 401, shown
    for headers in (
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY}"},
        {"x-api-key": KEY},
        {"x-api-key": "another-key-of-some-length"},
        {"x-api-key": KEY, "authorization": "Bearer for-a-proxy-before-it"},
    ):
        assert client.get(here, headers=headers).status_code == 200
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200


def test_a_session_stands_for_a_key(serve: Starter, here: str) -> None:
    client = serve(keys=(KEY,))
    assert client.post("/v1/session", json={"key": KEY + "x"}).status_code == 401
    entered = client.post("/v1/session", json={"key": KEY})
    assert entered.status_code == 204
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert KEY not in cookie
    assert client.get(here).status_code == 200
    value = client.cookies[COOKIE]
    until_, _, signature = value.partition(".")
    forged = [
        f"{int(until_) + 1}.{signature}",
        f"{until_}.{'0' * len(signature)}",
        until_,
        f"²{until_}.{signature}",
        "-",
    ]
    client.cookies.clear()
    for foreign in ('x={"a":1}', "x=a b", "ü=1", "bare"):  # of other programs, on other ports
        sent = httpx.Headers({b"cookie": f"{foreign}; {COOKIE}={value}".encode()})
        assert client.get(here, headers=sent).status_code == 200, foreign
    for other in forged:
        sent = httpx.Headers({b"cookie": f"{COOKIE}={other}".encode()})
        assert client.get(here, headers=sent).status_code == 401, other
    old = Keys([KEY]).session_for(KEY, now=time.time() - 31 * 86_400)
    assert client.get(here, headers={"cookie": f"{COOKIE}={old}"}).status_code == 401


def test_other_machines_need_a_key(tmp_path: Path) -> None:
    here = (("a", str(tmp_path)),)
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org"):
        with pytest.raises(ConfigError, match="API keys"):
            Settings(here, str(tmp_path), host=host)
        assert Settings(here, str(tmp_path), host=host, keys=(KEY,)).host == host
    with pytest.raises(ConfigError, match="16 printable"):
        Settings(here, str(tmp_path), keys=("short",))


# Too much of anything


def test_too_many_requests(serve: Starter, here: str, caplog: pytest.LogCaptureFixture) -> None:
    client = serve(limits=Limits(rate=1.0, burst=5.0))
    answers = [client.get(here) for _ in range(8)]
    assert [answer.status_code for answer in answers[:5]] == [200] * 5
    assert (answers[-1].status_code, slug_of(answers[-1])) == (429, "rate")
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert "too many requests from '127.0.0.1': refusing some" in caplog.messages


def test_a_client_saves_up_requests_and_no_other_pays_for_it() -> None:
    rates = Rates(2.0, 2.0)
    assert [rates.take("a", 0.0) for _ in range(5)] == [0, 0, 0, 0, 1]
    assert rates.take("b", 0.0) == 0
    assert rates.take("a", 0.6) == 0
    assert rates.take("a", 0.6) == 1
    assert [rates.take("a", 100.0) for _ in range(5)] == [0, 0, 0, 0, 1]
    assert Rates(0.0, 1.0).take("a") == 0


def test_a_body_that_is_too_large(serve: Starter, here: str) -> None:
    client = serve(limits=Limits(upload_bytes=100_000))
    said = client.post(f"{here}/search", content=b"x" * 300_000)
    assert (said.status_code, slug_of(said)) == (413, "body-too-large")

    def unsaid() -> Any:
        for _ in range(30):
            yield b"x" * 10_000

    chunked = client.post(f"{here}/search", content=unsaid())
    assert (chunked.status_code, slug_of(chunked)) == (413, "body-too-large")
    form = client.post(f"{here}/search", files={"image": b"x" * 300_000})
    assert form.status_code == 413
    json_ = client.post("/v1/session", json={"key": "x" * 200_000})
    assert json_.status_code == 413
    many = client.post(f"{here}/search", files=[("image", b"x")] * 40)
    assert many.status_code == 400
    assert client.get(here).status_code == 200


def test_a_body_that_never_ends(serve: Starter, here: str) -> None:
    client = serve(limits=Limits(body_seconds=0.3))
    host = urlsplit(str(client.base_url))
    with socket.create_connection((host.hostname, host.port or 0)) as slow:
        head = f"POST {here}/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
        slow.sendall(head.encode() + b"abc")
        slow.settimeout(10)
        answer = b"".join(iter(lambda: slow.recv(4096), b"")).decode()
    assert answer.startswith("HTTP/1.1 408")
    assert "body-too-slow" in answer


def test_many_bodies_at_once(serve: Starter, here: str) -> None:
    client = serve(limits=Limits(body_memory=150_000, body_seconds=5))
    host = urlsplit(str(client.base_url))
    head = f"POST {here}/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n"

    def hold() -> bool:
        with socket.create_connection((host.hostname, host.port or 0)) as slow:
            slow.sendall(head.encode() + b"x" * 100_000)
            time.sleep(0.1)  # until it has arrived, on most machines
            return _is_busy(client, here)

    until(hold)
    until(lambda: not _is_busy(client, here))


def _is_busy(client: httpx.Client, here: str) -> bool:
    answer = client.post(f"{here}/search", content=b"x" * 100_000)
    if answer.status_code == 503:
        assert slug_of(answer) == "busy"
        assert answer.headers["retry-after"]
    return answer.status_code == 503


def test_too_many_at_work(serve: Starter, here: str) -> None:
    client = serve(limits=Limits(waiting=2))
    data = BytesIO()
    draw(1, (1500, 1500)).save(data, "PNG", compress_level=0)
    statuses: list[int] = []

    def send() -> None:
        with httpx.Client(base_url=client.base_url, timeout=30) as own:
            answer = own.post(f"{here}/search", content=data.getvalue())
            assert answer.status_code == 200 or answer.headers["retry-after"]
            statuses.append(answer.status_code)

    threads = [threading.Thread(target=send) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200, 503}
    assert client.get(here).status_code == 200


# Hostile pictures


def _bomb(side: int) -> bytes:
    """A small PNG that says to be large, and is: all its rows are there."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    squeeze, row = zlib.compressobj(9), b"\0" * (1 + 3 * side)
    rows = b"".join([*(squeeze.compress(row) for _ in range(side)), squeeze.flush()])
    chunks = chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_a_decompression_bomb(serve: Starter, here: str) -> None:
    client = serve(limits=Limits(upload_pixels=1_000_000))
    answer = client.post(f"{here}/search", content=_bomb(1001))
    assert (answer.status_code, slug_of(answer)) == (413, "image-too-large")
    assert client.post(f"{here}/search", content=_bomb(1000)).status_code == 200


def test_a_file_that_became_a_bomb(serve: Starter, place: Path, here: str) -> None:
    client = serve(limits=Limits(upload_pixels=1_000_000))
    image = client.get(f"{here}/images/1").json()
    (place / "photos" / image["path"]).write_bytes(_bomb(1001))
    for kept in (place / "index").glob("thumbnails*"):
        kept.unlink()
    assert client.get(image["links"]["thumbnail"]).status_code == 413
    assert client.get(image["links"]["preview"]).status_code == 413
    region = client.get(f"{here}/images/1/similar?region=0,0,1,1")
    assert region.status_code == 413


def test_a_picture_that_takes_too_long(serve: Starter, here: str) -> None:
    client = serve(limits=Limits(decode_seconds=0.15))
    answer = client.post(f"{here}/search", content=_bomb(9000))
    assert (answer.status_code, slug_of(answer)) == (422, "image-too-slow")
    until(lambda: client.post(f"{here}/search", content=picture(1)).status_code == 200)


@pytest.mark.unix
def test_a_killed_decoder_costs_one_request_at_most(
    serve: Starter, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # whose processes nobody else had
    monkeypatch.setattr("image_similarity_search.collection.uploads.Pool", Pool)
    before = children_of(os.getpid())
    client = serve()
    assert client.post(f"{here}/search", content=picture(1)).status_code == 200
    workers = children_of(os.getpid()) - before
    assert workers
    for pid in workers:
        os.kill(pid, 9)
    assert client.post(f"{here}/search", content=picture(2)).status_code == 200


def test_odd_pictures_cost_their_sender_alone(serve: Starter, here: str, test_data: Path) -> None:
    client = serve()
    files = sorted(file for file in (test_data / "odd").rglob("*") if file.is_file())[::50]
    for file in files:
        if file.stat().st_size < 20_000_000:
            answer = client.post(f"{here}/search?k=1", content=file.read_bytes())
            assert answer.status_code in (200, 413, 422), file
    assert client.get(here).status_code == 200


# What answers tell


def test_where_a_file_lies_is_told_to_this_machine_alone(
    serve: Starter, place: Path, here: str
) -> None:
    client = serve()
    image = client.get(f"{here}/images/1").json()

    def told(**headers: str) -> object:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.get(f"{here}/images/1/path", headers=sent).json()["path"]

    port = client.base_url.port
    assert told() == told(host=f"localhost:{port}") == str(place / "photos" / image["path"])
    assert told(host=f"192.0.2.1:{port}") is None, "it is called from elsewhere"
    for header in ("forwarded", "via", "x_forwarded_for", "x_real_ip", "x_forwarded_host"):
        assert told(**{header: "192.0.2.1"}) is None, f"a proxy passed it on: {header}"
    key = "open sesame, please"
    with_key = serve(keys=(key,))
    answer = with_key.get(f"{here}/images/1/path", headers={"authorization": f"Bearer {key}"})
    assert answer.json() == {"path": None}, "who has keys serves others"
    assert client.get(f"{here}/images/99/path").status_code == 404


def test_no_answer_tells_where_things_are(serve: Starter, place: Path, here: str) -> None:
    client = serve()
    (place / "photos/broken.png").write_bytes(b"broken")
    answers = [
        client.get("/v1/collections"),
        client.get(f"{here}/images"),
        client.get(f"{here}/images/1"),
        client.get(f"{here}/images/1/similar"),
        client.get(f"{here}/images/999/file"),
        client.get("/openapi.json"),
        client.post(f"{here}/images", json={"root": "photos", "path": "none.png"}),
        client.post(f"{here}/images", json={"root": "photos", "path": "broken.png"}),
        client.post(f"{here}/images", json={"root": "nope", "path": "broken.png"}),
        client.get(f"{here}/images", params={"state": "skipped"}),
        client.post(f"{here}/images", params={"root": "photos", "path": "x.jpg"}, content=b"x"),
        client.post(f"{here}/sync", json={"root": "nope"}),
    ]
    image = client.get(f"{here}/images/1").json()
    (place / "photos" / image["path"]).unlink()
    answers.append(client.get(image["links"]["file"]))
    (place / "photos").rename(place / "away")
    answers.append(client.post(f"{here}/sync", json={}))
    job = answers[-1].json()["id"]
    until(lambda: bool(client.get(f"/v1/jobs/{job}").json()["state"] == "failed"))
    answers.append(client.get("/v1/jobs"))
    (place / "index/catalog.sqlite").rename(place / "index/gone")
    answers += [client.delete(f"{here}/images/1"), client.post(f"{here}/sync", json={})]
    for answer in answers:
        told = json.dumps(dict(answer.headers)) + answer.text
        for hidden in (str(place), str(place.parent), os.path.expanduser("~") + "/", "Traceback"):
            assert hidden not in told, answer.request.url
