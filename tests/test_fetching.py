"""Pictures from the web: fetched from real servers on loopback, or refused."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from image_similarity_search.errors import ConfigError, ImageNotFoundError, ImageUnreadableError
from image_similarity_search.fetching import fetched, is_public


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
        elif self.path == "/slow":
            self.send_response(200)
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.05)
        elif self.path == "/picture?size=1":
            self.send_response(200)
            self.send_header("Content-Length", "8")
            self.end_headers()
            self.wfile.write(b"12345678")
        else:
            self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as running:
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_what_is_there_is_fetched(server: str) -> None:
    assert fetched(f"{server}/picture?size=1#part", private=True) == b"12345678"
    assert fetched(f"{server}/to//picture?size=1", private=True) == b"12345678"


def test_private_addresses_are_refused_before_anything_is_asked(server: str) -> None:
    for url in (server, server.replace("127.0.0.1", "localhost"), "http://[::1]:1/"):
        with pytest.raises(ConfigError, match="public"):
            fetched(f"{url}/picture?size=1")
    with pytest.raises(ConfigError, match="public"):
        fetched("http://169.254.169.254/latest/meta-data")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("192.168.1.1", False),
        ("172.16.0.1", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("ff02::1", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) == public


def test_a_redirect_does_not_lead_where_an_address_does_not(server: str) -> None:
    for target in ("file:///etc/passwd", "ftp://example.org/x", "http://user@127.0.0.1/"):
        with pytest.raises(ConfigError):
            fetched(f"{server}/to/{target}", private=True)
    with pytest.raises(ImageUnreadableError, match="redirected"):
        fetched(f"{server}/to//to//to//to//to//to//picture?size=1", private=True)


def test_what_can_not_be_had_says_why(server: str) -> None:
    with pytest.raises(ImageNotFoundError, match="404"):
        fetched(f"{server}/nothing", private=True)
    with pytest.raises(ImageUnreadableError, match="more than 7 bytes"):
        fetched(f"{server}/picture?size=1", private=True, most_bytes=7)
    with pytest.raises(ImageUnreadableError, match=r"more than 0\.3 s"):
        fetched(f"{server}/slow", private=True, seconds=0.3)
    for wrong in ("https://", "http://a b/", "http://x:y/", "http:///x", "http://a/\n"):
        with pytest.raises(ConfigError, match="url"):
            fetched(wrong)
    with _nothing_listening() as port, pytest.raises(ImageUnreadableError, match="be downloaded"):
        fetched(f"http://127.0.0.1:{port}/", private=True)


@contextmanager
def _nothing_listening() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize("address", ["fec0::1", "::127.0.0.1", "192.0.0.8", "::1"])
def test_addresses_of_old_kinds_are_no_public_ones(address: str) -> None:
    assert not is_public(address)
