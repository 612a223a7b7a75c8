"""The gate that every request passes: who may come in, and what goes out with each answer."""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from image_similarity_search.service import problems
from image_similarity_search.service.bodies import Bodies
from image_similarity_search.service.connections import COUNT
from image_similarity_search.service.headers import SECURITY
from image_similarity_search.service.keys import Keys, guess
from image_similarity_search.service.kinds import Kind
from image_similarity_search.service.log_lines import LimitedLog
from image_similarity_search.service.metrics import Metrics
from image_similarity_search.service.origins import Origins
from image_similarity_search.service.problems import Refusal
from image_similarity_search.service.rates import Rates
from image_similarity_search.service.settings import Settings
from image_similarity_search.service.wrong_keys import RATE, WrongKeyLimit

_log = logging.getLogger(__name__)

_HOST = Kind(421, "host", "Host name not accepted")
_ORIGIN = Kind(403, "origin", "Cross-site request refused")
_KEY = Kind(401, "key", "API key required")
_BUSY = Kind(503, "busy", "Service busy", 2)
_GONE = 499  # nobody waits for an answer: what proxies count such requests as

MOST_CONNECTIONS = 1_000
"""Connections of one process; those beyond are told so, and closed."""

OPEN_PATHS = ("/", "/healthz", "/readyz", "/openapi.json", "/v1/session")
"""What needs no key."""


class Gate:
    """Wraps an application: checks before it, headers and measurements after it."""

    def __init__(
        self, app: ASGIApp, settings: Settings, metrics: Metrics, wrong_keys: WrongKeyLimit
    ) -> None:
        self._app = app
        self._wrong_keys = wrong_keys
        self._keys = Keys(settings.keys)
        self._origins = Origins(settings.allowed_hosts)
        self._rates = Rates(settings.limits.rate, settings.limits.burst)
        self._bodies = Bodies(settings.limits)
        self._metrics = metrics
        self._told = LimitedLog(_log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, answering = time.perf_counter(), 500, False

        async def send_safely(message: Message) -> None:
            nonlocal status, answering
            if message["type"] == "http.response.start":
                status, answering = message["status"], True
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._answer(scope, receive, send_safely)
        except asyncio.CancelledError:
            status = status if answering else _GONE
            raise
        except Exception:  # the server logs it
            if not answering:
                await problems.internal()(scope, receive, send_safely)
            raise
        finally:
            self._metrics.answered(scope, status, time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        try:
            self._check(scope, headers)
            body = self._bodies.open(scope["path"], receive, headers)
        except Refusal as refusal:
            answer = problems.response(refusal.kind, str(refusal.detail), refusal.headers)
            await answer(scope, receive, send)
            return
        try:
            await self._app(scope, body.receive, send)
        finally:
            body.close()

    def _check(self, scope: Scope, headers: Headers) -> None:
        if scope.get(COUNT, 0) > MOST_CONNECTIONS:
            raise Refusal(_BUSY, "too many connections", {"Connection": "close"})
        if self._origins.refused_host(headers.get("host", "")):
            raise Refusal(_HOST, "allow the host name with --allow-host")
        if self._origins.refused_origin(scope["method"], headers):
            raise Refusal(_ORIGIN, "the request comes from a page of another site")
        client = scope["client"][0] if scope.get("client") else "unknown"
        path = scope["path"]
        if self._keys.needed and path not in OPEN_PATHS and not path.startswith("/static/"):
            holder = self._holder(client, headers)
            if holder is None:
                self._slow_down(f"stranger at {client}")
                detail = "send it as 'Authorization: Bearer KEY'"
                raise Refusal(_KEY, detail, {"WWW-Authenticate": "Bearer"})
            client = holder
        self._slow_down(client)

    def _holder(self, address: str, headers: Headers) -> str | None:
        """Who shows a key, if it is one."""
        shown = guess(headers)
        if not shown:
            return None
        self._wrong_keys.check(address, shown)
        holder = self._keys.accept(headers)
        if holder is None:
            self._wrong_keys.was_wrong(address, shown)
        return holder

    def _slow_down(self, client: str) -> None:
        seconds = self._rates.take(client)
        if seconds:
            self._told.warning("too many requests from %r: refusing some", client)
            raise Refusal(RATE, f"try again in {seconds} s", {"Retry-After": str(seconds)})
