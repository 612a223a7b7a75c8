"""Connections of clients, counted where the server keeps them."""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

COUNT = "iss.connections"
"""The name in a request's scope of the number of connections that are open."""


class Counted(AutoHTTPProtocol):  # type: ignore[misc,valid-type]  # whichever parser is installed
    """A connection, of which each request says how many there are."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        app: ASGIApp = self.app  # type: ignore[has-type]  # both parsers have it
        connections: set[object] = self.connections

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            scope[COUNT] = len(connections)
            await app(scope, receive, send)

        self.app = counted
