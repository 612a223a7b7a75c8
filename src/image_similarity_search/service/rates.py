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
        tokens, then = self._buckets.pop(client, (self._most, now))
        tokens = min(self._most, tokens + (now - then) * self._rate)
        short = tokens < 1
        self._buckets[client] = (tokens if short else tokens - 1, now)
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        return max(1, math.ceil((1 - tokens) / self._rate)) if short else 0
