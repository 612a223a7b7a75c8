"""What a service is started with."""

from __future__ import annotations

import ipaddress
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from image_similarity_search.collection.bounded import Bounded
from image_similarity_search.collection.uploads import UPLOAD_PIXELS, UPLOAD_SECONDS
from image_similarity_search.errors import ConfigError, FolderNotFoundError
from image_similarity_search.types import number

KEY_LENGTH = 16
"""Characters that an API key must have."""

_REAL_SECONDS = 2.0  # in which a disk says where links lead

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of the machine others may have.

    Attributes:
        upload_bytes: of one request's body.
        upload_pixels: of one picture.
        body_seconds: in which a body must have arrived.
        body_memory: bytes of bodies that are arriving or being worked on, together.
        decode_seconds: for one picture.
        read_seconds: for the file of an image, until it is open or has been read.
        waiting: requests of one collection at work or waiting; more are sent away with 503.
        streams: open streams of events.
        rate: requests a second of one client, by key or address; 0 is as many as it likes. It may
            save up ``burst`` seconds of them.
        burst: see ``rate``.

    Raises:
        ConfigError: the rate is none.
    """

    upload_bytes: int = 32 * 1024**2
    upload_pixels: int = UPLOAD_PIXELS
    body_seconds: float = 30.0
    body_memory: int = 512 * 1024**2
    decode_seconds: float = UPLOAD_SECONDS
    read_seconds: float = 20.0
    waiting: int = 256
    streams: int = 64
    rate: float = 0.0
    burst: float = 4.0

    def __post_init__(self) -> None:
        """Check the rate."""
        if not 0 <= number(self.rate) < math.inf:
            raise ConfigError("rate", self.rate, "a finite number of requests a second, 0 or more")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a service serves, to whom, and within which limits.

    Attributes:
        collections: name and index folder of each; the first is the one that the page opens.
        state_dir: a folder for what the processes of one service share: its jobs.
        host: the address to listen at.
        port: the port; 0 picks one.
        workers: processes that answer requests.
        keys: API keys; one of them must come with each request. None are needed at a loopback
            address.
        folders: whose pictures are handed out too, beside those of the indexed folders.
        read_only: refuse all that changes a collection.
        allowed_hosts: names by which the service may be called, beside loopback and addresses.
        trusted_proxies: addresses or networks of proxies that say, in ``X-Forwarded-For`` and
            ``X-Forwarded-Proto``, who asks and how; of others these headers mean nothing.

    Raises:
        FolderNotFoundError: one of the folders is none.
        ConfigError: a collection's name is none, a key is short, a proxy's address is none, or the
            service would be open to other machines without a key.
    """

    collections: tuple[tuple[str, str], ...]
    state_dir: str
    host: str = "127.0.0.1"
    port: int = 8765
    workers: int = 1
    keys: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    read_only: bool = False
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        names = [name for name, _ in self.collections]
        for name in names:
            if not _NAME.fullmatch(name) or names.count(name) > 1:
                expected = "another name for each collection, of letters, digits, '.', '_' and '-'"
                raise ConfigError("collection", name, expected)
        if not names:
            raise ConfigError("collections", names, "at least one")
        for folder in self.folders:
            if not os.path.isdir(folder):
                raise FolderNotFoundError(folder, "no such folder")
        for key in self.keys:
            check_key(key)
        for proxy in self.trusted_proxies:
            if not _is_network(proxy):
                expected = "its address, such as 127.0.0.1, or its network, such as 10.0.0.0/8"
                raise ConfigError("trusted proxy", proxy, expected)
        if not self.keys and not is_loopback(self.host):
            expected = "a loopback address, such as 127.0.0.1, or API keys (--api-key-file) with it"
            raise ConfigError("host", self.host, expected)


def check_key(key: str, name: str = "API key") -> None:
    """Refuse what can be no API key; ``name`` is what it is called in the message.

    Raises:
        ConfigError: it is none.
    """
    if len(key) < KEY_LENGTH or not key.isascii() or not key.isprintable():
        expected = f"{KEY_LENGTH} printable ASCII characters or more (openssl rand -hex 24)"
        raise ConfigError(name, "***", expected)


def _is_network(text: str) -> bool:
    """Whether it is the address of one machine, or of a network."""
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def named(places: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Names and index folders, from ``DIR`` or ``NAME=DIR``; a name left out is the folder's."""
    pairs = []
    for place in places:
        name, equals, folder = place.partition("=")
        if not equals:
            folder = place
        # where a disk does not answer, nothing is known of links on it
        real = Bounded[str]().ask(partial(os.path.realpath, folder), _REAL_SECONDS)
        real = real or os.path.abspath(folder)
        if not equals:
            base = os.path.basename(real)
            name = re.sub(r"[^A-Za-z0-9._-]+", "-", base).strip("-._") or "collection"
        pairs.append((name, real))
    return tuple(pairs)
