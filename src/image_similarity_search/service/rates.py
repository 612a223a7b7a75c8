"""How many requests a second each client may make."""

from __future__ import annotations

import math
import time
from collections import OrderedDict

_CLIENTS = 10_000  # remembered, those that came last


class Rates:
    """A bucket of tokens for each client, filled with ``rate`` a second up to ``burst`` seconds.

    Each process of a service counts by itself.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._most = max(1.0, rate * burst)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, now: float | None = None) -> int:
        """Take one token of a client; 0, or the seconds after which there will be one."""
        if not self._rate:
            return 0
        now = time.monotonic() if now is None else now
        tokens = self._tokens(client, now)
        short = tokens < 1
        self._buckets.pop(client, None)
        self._buckets[client] = (tokens if short else tokens - 1, now)
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        return self._wait(tokens)

    def wait(self, client: str, now: float | None = None) -> int:
        """The seconds after which a client has a token, 0 if it has one now; none is taken."""
        return self._wait(self._tokens(client, time.monotonic() if now is None else now))

    def _tokens(self, client: str, now: float) -> float:
        tokens, then = self._buckets.get(client, (self._most, now))
        return min(self._most, tokens + (now - then) * self._rate)

    def _wait(self, tokens: float) -> int:
        return max(1, math.ceil((1 - tokens) / self._rate)) if tokens < 1 else 0
