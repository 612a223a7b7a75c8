"""Who may call the service by which name: against pages of others in the user's browser."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

_SAFE = {"GET", "HEAD", "OPTIONS"}
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")


class Origins:
    """Checks ``Host`` and ``Origin``.

    A name that an attacker owns may lead to this machine (DNS rebinding): only known names and
    plain addresses, which no attacker can own, are answered. A page of another site may send
    requests, too: these are refused by their ``Origin``, or by ``Sec-Fetch-Site``.
    """

    def __init__(self, allowed_hosts: Sequence[str]) -> None:
        self._names = {"localhost", *(name.lower().rstrip(".") for name in allowed_hosts)}

    def refused_host(self, host: str) -> bool:
        """Whether the service may not be called by this name."""
        match = _HOST.fullmatch(host)
        if not match:
            return True
        name = match[1].lower().rstrip(".")
        return name not in self._names and not _is_ip(name.strip("[]"))

    def refused_origin(self, method: str, headers: Mapping[str, str]) -> bool:
        """Whether a request comes from a page of somebody else."""
        origin = headers.get("origin")
        if origin is not None:
            return _place_of(origin) != headers.get("host", "").lower()
        site = headers.get("sec-fetch-site", "none")
        if site in ("none", "same-origin"):
            return False
        # to follow a link to here is fine, to embed what is here is not
        return method not in _SAFE or headers.get("sec-fetch-mode") != "navigate"


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _place_of(origin: str) -> str | None:
    """The host and port of an origin; None if it is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None
