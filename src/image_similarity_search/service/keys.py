"""API keys, and the cookie that stands for one in a browser."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence

from starlette.requests import cookie_parser

COOKIE = "iss_session"
SESSION_SECONDS = 30 * 86_400


class Keys:
    """The keys of a service; without any, everybody may come in.

    Comparisons take as long whatever is compared, so that none tells how much of a guess is right.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [key.encode() for key in keys]

    @property
    def needed(self) -> bool:
        """Whether a key must be shown."""
        return bool(self._keys)

    def accept(self, headers: Mapping[str, str]) -> str | None:
        """Who asks: a name of the key that the headers show; None when they show none."""
        shown = _shown(headers)
        return self.holder(shown) if shown else self._holder_of_session(_session(headers))

    def holder(self, shown: str) -> str | None:
        """A name of the key that is shown, if it is one."""
        given = _digest(shown.encode("utf-8", "surrogatepass"))
        found = None
        for key in self._keys:  # all of them, whichever fits
            if hmac.compare_digest(given, _digest(key)):
                found = key
        return _name(found) if found is not None else None

    def session_for(self, shown: str, now: float | None = None) -> str | None:
        """The value of a cookie that stands for the key that is shown, if it is one."""
        if self.holder(shown) is None:
            return None
        until = str(int((time.time() if now is None else now) + SESSION_SECONDS))
        return f"{until}.{_signature(shown.encode(), until)}"

    def _holder_of_session(self, session: str) -> str | None:
        until, _, signature = session.partition(".")
        if not until.isascii() or not until.isdigit() or len(until) > 12:
            return None
        found = None
        for key in self._keys:
            expected = _signature(key, until).encode()
            if hmac.compare_digest(signature.encode("utf-8", "surrogatepass"), expected):
                found = key
        return _name(found) if found is not None and int(until) > time.time() else None


def guess(headers: Mapping[str, str]) -> str:
    """The key, or the value of the cookie, that the headers show; empty when they show none."""
    return _shown(headers) or _session(headers)


def _shown(headers: Mapping[str, str]) -> str:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    # ours first: what is in Authorization may be for a proxy before us
    return headers.get("x-api-key", "") or (value.strip() if scheme.lower() == "bearer" else "")


def _session(headers: Mapping[str, str]) -> str:
    # SimpleCookie would stop at what it can't parse, and other programs here set cookies, too
    return cookie_parser(headers.get("cookie", "")).get(COOKIE, "")


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def _signature(key: bytes, until: str) -> str:
    return hmac.new(key, f"session {until}".encode(), hashlib.sha256).hexdigest()


def _name(key: bytes) -> str:
    return "key " + _digest(key).hex()[:8]
