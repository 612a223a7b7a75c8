"""Where an engine is: ``milvus://HOST:PORT/NAME``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, urlsplit

from image_similarity_search.errors import ConfigError

EMBEDDED = "embedded"
"""The word for the store that comes with the package, where a URL could stand."""

EXPECTED = f"milvus://HOST[:PORT]/NAME, milvus+tls:// for an encrypted connection, or {EMBEDDED}"

_SCHEMES = {"milvus": False, "milvus+tls": True}
_PORT = 19530
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")  # Milvus has 255; its parts need some


@dataclass(frozen=True, slots=True)
class Address:
    """A collection in an engine.

    Attributes:
        host: name or number of the computer; an IPv6 number without brackets.
        port: its port.
        name: what the collection is called there.
        tls: whether the connection is encrypted.
    """

    host: str
    port: int
    name: str
    tls: bool = False

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read a URL.

        Raises:
            ConfigError: it is none of an engine's, or holds a password: these are kept in the
                environment, and nowhere else. The error does not repeat what it refuses.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ConfigError("store", "not a valid URL", EXPECTED) from None
        if "@" in parts.netloc:
            raise ConfigError(
                "store",
                f"{parts.scheme}://***@{_without_user(parts)}",
                "a URL without name and password: put them into the environment, as"
                " ISS_MILVUS_TOKEN=NAME:PASSWORD",
            )
        name = parts.path.removeprefix("/")
        wrong = parts.scheme not in _SCHEMES or not parts.hostname or parts.query or parts.fragment
        if wrong or not _NAME.fullmatch(name):
            shown = url.partition("?")[0].partition("#")[0]  # a secret might stand behind these
            raise ConfigError("store", shown, EXPECTED)
        return cls(str(parts.hostname), port or _PORT, name, _SCHEMES[parts.scheme])

    def __str__(self) -> str:
        """The URL, always in the same form."""
        return f"{'milvus+tls' if self.tls else 'milvus'}://{self._place}/{self.name}"

    @property
    def uri(self) -> str:
        """The server as Milvus's client wants it."""
        return f"{'https' if self.tls else 'http'}://{self._place}"

    @property
    def _place(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def _without_user(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2] + parts.path
