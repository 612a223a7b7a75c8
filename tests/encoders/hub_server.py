"""A server on loopback that answers as the Hugging Face hub does, for its real client.

A file's address (``/OWNER/NAME/resolve/REVISION/PATH``) is answered with what the hub says of it
and a redirect to another server, which has the content and serves parts of it too. Both can be
made to fail in the ways that networks fail.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

COMMIT = "5a" * 20
_ADDRESS = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")


@dataclass
class Hub:
    """The two servers, what they hold, and how they fail.

    Attributes:
        files: the content of each ``OWNER/NAME/PATH``.
        revisions: by which they can be had; all are the same, ``COMMIT``, but for its name.
        asked: every request so far: which server, method, path, and the range that was wanted.
        status: what the hub answers with instead, where it is not None.
        other_content: what the content server has in place of what the hub promises.
        drop_at: the content server ends its first answer after so many bytes.
        hangs: which of the two takes requests and never answers.
        content_port: where the hub sends clients for content.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    revisions: set[str] = field(default_factory=lambda: {"main", COMMIT})
    asked: list[tuple[str, str, str, str | None]] = field(default_factory=list)
    status: int | None = None
    other_content: bytes | None = None
    drop_at: int | None = None
    hangs: Literal["hub", "content"] | None = None
    hub_port: int = 0
    content_port: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def environment(self, home: Path, **more: str) -> dict[str, str]:
        """The environment of a process whose hub this is, and whose cache is in ``home``."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        kept |= {"HF_ENDPOINT": f"http://127.0.0.1:{self.hub_port}", "HF_HOME": str(home)}
        return kept | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"} | more


@contextlib.contextmanager
def serving() -> Iterator[Hub]:
    """A hub that is there until the end of the block."""
    hub = Hub()
    servers = [_server(hub, kind) for kind in (_HubHandler, _ContentHandler)]
    hub.hub_port, hub.content_port = (server.server_port for server in servers)
    try:
        yield hub
    finally:
        hub.over.set()
        for server in servers:
            server.shutdown()
            server.server_close()


def closed_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _server(hub: Hub, kind: type[_Handler]) -> ThreadingHTTPServer:
    handler = type(kind.__name__, (kind,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    name: Literal["hub", "content"]
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._handle()

    def do_GET(self) -> None:
        self._handle()

    def _handle(self) -> None:
        self.hub.asked.append((self.name, self.command, self.path, self.headers.get("Range")))
        if self.hub.hangs == self.name:
            self.hub.over.wait()
            self.close_connection = True
            return
        with contextlib.suppress(ConnectionError):  # the client has gone
            self.answer()

    def answer(self) -> None:
        """Send an answer."""
        raise NotImplementedError

    def send(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""


class _HubHandler(_Handler):
    name = "hub"

    def answer(self) -> None:
        found = _ADDRESS.fullmatch(self.path)
        if self.hub.status or found is None:
            self.send(self.hub.status or 404, {})
            return
        repo, revision, path = found["repo"], found["revision"], found["path"]
        data = self.hub.files.get(f"{repo}/{path}")
        if not any(name.startswith(f"{repo}/") for name in self.hub.files):
            self.send(401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "no such repo"})
        elif revision not in self.hub.revisions:
            self.send(404, {"X-Error-Code": "RevisionNotFound"})
        elif data is None:
            self.send(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        else:
            headers = {
                "X-Repo-Commit": COMMIT if revision == "main" else revision,
                "X-Linked-Etag": f'"{hashlib.sha256(data).hexdigest()}"',
                "X-Linked-Size": str(len(data)),
                "Location": f"http://127.0.0.1:{self.hub.content_port}/{repo}/{path}?Expires=1",
            }
            self.send(302, headers)


class _ContentHandler(_Handler):
    name = "content"

    def answer(self) -> None:
        whole = self.hub.other_content or self.hub.files[self.path[1:].partition("?")[0]]
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted else 0
        headers = {"Accept-Ranges": "bytes"}
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        body = whole[start:]
        drop_at, self.hub.drop_at = self.hub.drop_at, None
        if drop_at is None:
            self.send(206 if wanted else 200, headers, body)
        else:
            self.send(200, {**headers, "Content-Length": str(len(body))}, body[:drop_at])
            self.close_connection = True
