"""A picture fetched from the web: of bounded size and time, and from public addresses only.

A name is resolved once, every address that it has is checked, and the connection is made to one of
these: a name can't lead to another address between the check and the use. Redirects are checked
alike. Proxies are not used.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import SplitResult, urljoin, urlsplit

from image_similarity_search.errors import (
    ConfigError,
    ImageNotFoundError,
    ImageUnreadableError,
)

MOST_BYTES = 64 * 1024**2
SECONDS = 30.0

_PORTS = {"http": 80, "https": 443}
_REDIRECTS = 5
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # IPv4 behind a translator
_NOT_PUBLIC = tuple(map(ipaddress.ip_network, ("fec0::/10", "::/96", "192.0.0.0/24")))  # old ones
_GONE = (404, 410)
_PART = 64 * 1024


def fetched(
    url: str, *, private: bool = False, seconds: float = SECONDS, most_bytes: int = MOST_BYTES
) -> bytes:
    """What is at ``url``; with ``private``, also at addresses of this machine and its networks.

    Raises:
        ConfigError: it is no address on the web, or leads to one that is not public.
        ImageNotFoundError: the server says that there is none.
        ImageUnreadableError: it can't be had, is too large, or takes too long.
    """
    until = time.monotonic() + seconds
    here = url
    for _ in range(_REDIRECTS + 1):
        try:
            with _connected(here, until, private=private) as (parts, connection):
                answer = _answered(parts, connection)
                where = answer.getheader("location")
                if not (300 <= answer.status < 400 and where):
                    _check_status(url, answer)
                    return _read(url, answer, until, most_bytes)
                here = urljoin(here, where)
        except (OSError, HTTPException, UnicodeError) as error:
            if isinstance(error, TimeoutError) or time.monotonic() >= until:
                raise ImageUnreadableError(url, f"it took more than {seconds:g} s") from error
            raise ImageUnreadableError(url, f"it can't be downloaded: {error}") from error
    raise ImageUnreadableError(url, f"it was redirected more than {_REDIRECTS} times")


@contextmanager
def _connected(
    url: str, until: float, *, private: bool
) -> Iterator[tuple[SplitResult, HTTPConnection]]:
    """A connection to where the address leads, which is cut off when the time is over."""
    parts, port = _checked(url)
    host = str(parts.hostname)
    address = _address(url, host, port, private=private)
    sock = socket.create_connection((address, port), timeout=_left(until))
    try:
        if parts.scheme == "https":
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
        connection = HTTPConnection(host, port)
        connection.sock = sock
        watch = threading.Timer(_left(until), _cut_off, [sock])  # one that sends bit by bit, too
        watch.daemon = True
        watch.start()
        try:
            yield parts, connection
        finally:
            watch.cancel()
    finally:
        sock.close()


def _cut_off(sock: socket.socket) -> None:
    with suppress(OSError):  # it was closed just now
        sock.shutdown(socket.SHUT_RDWR)


def _answered(parts: SplitResult, connection: HTTPConnection) -> HTTPResponse:
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "iss"}
    connection.request("GET", path, headers=headers)
    return connection.getresponse()


def _checked(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError("url", url, "a URL such as https://example.org/a.jpg") from error
    control = any(ord(letter) <= 32 or ord(letter) == 127 for letter in url)
    if parts.scheme not in _PORTS or not parts.hostname or control:
        raise ConfigError("url", url, "a URL such as https://example.org/a.jpg")
    if parts.username is not None:
        raise ConfigError("url", url, "a URL without user name and password")
    return parts, port or _PORTS[parts.scheme]


def _address(url: str, host: str, port: int, *, private: bool) -> str:
    """An address of the host, all of whose addresses are public."""
    found = [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in found:
        if not private and not is_public(address):
            allowed = (
                "--allow-private-url (private=True) allows addresses of this computer and network"
            )
            expected = f"a URL of a public address, not {address}; {allowed}"
            raise ConfigError("url", url, expected)
    return found[0]


def is_public(address: str) -> bool:
    """Whether an IP address is of the internet, and not of a machine or network of one's own."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None) or ip
    if ip in _TRANSLATED:
        inner = ipaddress.IPv4Address(ip.packed[-4:])
    own = any(ip in network for network in _NOT_PUBLIC if network.version == ip.version)
    return bool(ip.is_global and inner.is_global and not inner.is_multicast and not own)


def _check_status(url: str, answer: HTTPResponse) -> None:
    if answer.status in _GONE:
        raise ImageNotFoundError(url, f"the server answered {answer.status} {answer.reason}")
    if answer.status != 200:
        raise ImageUnreadableError(url, f"the server answered {answer.status} {answer.reason}")


def _read(url: str, answer: HTTPResponse, until: float, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := answer.read1(_PART):
        size += len(part)
        if size > most:
            raise ImageUnreadableError(url, f"it has more than {most:,} bytes")
        parts.append(part)
    _left(until)  # or it was cut off
    return b"".join(parts)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
