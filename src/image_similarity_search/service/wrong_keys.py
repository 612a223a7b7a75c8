"""Guesses at a key: so many a minute from one address, and then none for a while."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
from collections import OrderedDict

from image_similarity_search.service.kinds import Kind
from image_similarity_search.service.log_lines import LimitedLog
from image_similarity_search.service.problems import Refusal
from image_similarity_search.service.rates import Rates

_log = logging.getLogger(__name__)

GUESSES_A_MINUTE = 10
"""Wrong keys that one address may show, in one process."""

RATE = Kind(429, "rate", "Too many requests")

_REMEMBERED = 10_000  # wrong keys


class WrongKeyLimit:
    """Counts wrong keys, and cookies that were never given out, by the address they come from.

    Where it had its guesses, a right key is refused, too: else each answer would tell. What is
    known to be wrong is no guess any more: a page or program that goes on with an old key is not
    shut out for that.
    """

    def __init__(self) -> None:
        self._rates = Rates(GUESSES_A_MINUTE / 60, 60.0)
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._told = LimitedLog(_log)

    def check(self, address: str, shown: str) -> None:
        """Before a key is compared.

        Raises:
            Refusal: this address has shown too many that were wrong.
        """
        seconds = 0 if _digest(shown) in self._wrong else self._rates.wait(_network(address))
        if seconds:
            self._told.warning("too many wrong keys from %r: refusing it for a while", address)
            detail = f"too many wrong keys: try again in {seconds} s"
            raise Refusal(RATE, detail, {"Retry-After": str(seconds)})

    def was_wrong(self, address: str, shown: str) -> None:
        """Count a key that was compared, and is none."""
        digest = _digest(shown)
        if digest in self._wrong:
            return
        self._told.warning("wrong key from %r", address)
        self._rates.take(_network(address))
        self._wrong[digest] = None
        if len(self._wrong) > _REMEMBERED:
            self._wrong.popitem(last=False)


def _digest(shown: str) -> bytes:
    return hashlib.sha256(shown.encode("utf-8", "surrogatepass")).digest()


def _network(address: str) -> str:
    """What one client has: of IPv6 a whole network."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address) or found.ipv4_mapped:
        return address
    return str(ipaddress.ip_network((found.packed, 64), strict=False))
