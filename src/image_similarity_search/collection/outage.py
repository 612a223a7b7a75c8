"""When to try again what failed because a server is away, or a disk full."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds; each pause is twice as long as the one before."""

_LISTENS_SECONDS = 0.5
_POSTGRESQL = 5432


class Outage:
    """One time in which nothing could be done: it is tried ever more seldom.

    And at once when all servers take connections that did not before.
    """

    def __init__(self, servers: Iterable[str]) -> None:
        """``servers`` are the URLs of what may be away; what is no server's is passed over."""
        self._servers = [place for url in servers if (place := _place(url))]
        self._pause = SHORTEST_PAUSE / 2
        self.prolong()

    def prolong(self) -> None:
        """It goes on: what was tried failed again."""
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self._next = time.monotonic() + self._pause
        self._listened = self._all_listen()

    def is_time(self) -> bool:
        """Whether to try again."""
        if time.monotonic() >= self._next:
            return True
        before, self._listened = self._listened, self._all_listen()
        return self._listened and not before

    def _all_listen(self) -> bool:
        return all(_listens(place) for place in self._servers)


def _place(url: str) -> tuple[str, int] | None:
    """Host and port; None where that is no one server."""
    try:
        parts = urlsplit(url)
        return (parts.hostname, parts.port or _POSTGRESQL) if parts.hostname else None
    except ValueError:  # several hosts
        return None


def _listens(place: tuple[str, int]) -> bool:
    try:
        socket.create_connection(place, _LISTENS_SECONDS).close()
    except OSError:
        return False
    return True
