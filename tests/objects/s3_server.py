"""A real S3 server on loopback, and before it a relay that counts requests and can misbehave."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from conftest import draw, until
from ports import free_port, listens

PAGE = 3
"""Objects in a page of a listing: so few, that there are pages."""

KEY_ID, SECRET = "AKIAOFTHETESTS", "the-secret-of-the-tests"


@dataclass
class Asked:
    """A request that came: ``path`` is ``/bucket/key`` or ``/bucket?…``."""

    method: str
    path: str
    range: str


@dataclass
class Relay:
    """What stands before the server.

    Attributes:
        port: where it listens.
        asked: the requests that came.
        failing: parts of paths for which it answers with status 500.
        slow: parts of paths for which it waits before it answers, in seconds.
        down: whether it closes every connection without a word.
    """

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    slow: dict[str, float] = field(default_factory=dict)
    down: bool = False

    def reset(self) -> None:
        """Behave again, and forget what was asked."""
        self.asked.clear()
        self.failing.clear()
        self.slow.clear()
        self.down = False

    def gets(self) -> list[str]:
        """The keys that were read."""
        parts = [urlsplit(one.path) for one in self.asked if one.method == "GET"]
        return [unquote(p.path.split("/", 2)[2]) for p in parts if p.path.count("/") > 1]

    def listings(self) -> int:
        """How many pages were listed."""
        return sum("list-type=2" in one.path for one in self.asked)


@contextmanager
def s3_server(folder: Path) -> Iterator[Relay]:
    """Moto's server behind a relay, to the end of the block."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    environment = os.environ | {"MOTO_S3_DEFAULT_MAX_KEYS": str(PAGE)}
    with open(folder / "moto.log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    relay = Relay()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(relay, port))
    server.daemon_threads = True
    relay.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        until(lambda: listens(port), 120)
        yield relay
    finally:
        server.shutdown()
        server.server_close()
        process.kill()
        process.wait()


class Bucket:
    """A new bucket, filled by the library's own calls."""

    def __init__(self) -> None:
        from image_similarity_search.objects.opening import file_system

        self._fs: Any = file_system("s3")
        self.name = f"bucket-{uuid.uuid4().hex[:12]}"
        self._fs.call_s3("create_bucket", Bucket=self.name)

    def address(self, key: str = "") -> str:
        """The address of an object, or of the bucket."""
        return f"s3://{self.name}/{key}".rstrip("/")

    def put(self, key: str, data: bytes) -> str:
        """Write an object; returns its address."""
        self._fs.call_s3("put_object", Bucket=self.name, Key=key, Body=data)
        return self.address(key)

    def delete(self, key: str) -> None:
        """Delete an object."""
        self._fs.call_s3("delete_object", Bucket=self.name, Key=key)


def picture(seed: int, **options: Any) -> bytes:
    """A picture file, another for each seed."""
    out = BytesIO()
    draw(seed).save(out, **{"format": "PNG"} | options)
    return out.getvalue()


def _handler(relay: Relay, port: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            if relay.down:
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            relay.asked.append(Asked(self.command, self.path, self.headers.get("Range", "")))
            path = unquote(self.path)
            for part, seconds in list(relay.slow.items()):
                if part in path:
                    time.sleep(seconds)
            if any(part in path for part in list(relay.failing)):
                self._send(500, [], b"<Error><Code>InternalError</Code></Error>")
                return
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request(self.command, self.path, body, dict(self.headers.items()))
            answer = connection.getresponse()
            self._send(answer.status, answer.getheaders(), answer.read())
            connection.close()

        def _send(self, status: int, headers: list[tuple[str, str]], data: bytes) -> None:
            dropped = {"connection", "transfer-encoding", "content-length"}
            length = {k.lower(): v for k, v in headers}.get("content-length")
            try:
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in dropped:
                        self.send_header(name, value)
                head = self.command == "HEAD"
                self.send_header("Content-Length", length if head and length else str(len(data)))
                self.end_headers()
                self.wfile.write(b"" if head else data)
            except OSError:  # who asked waits no more
                self.close_connection = True

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on  # noqa: N815 - of the library

        def log_message(self, *_: object) -> None:
            pass

    return Handler
