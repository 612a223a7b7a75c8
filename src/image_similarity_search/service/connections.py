"""Connections of clients, counted where the server keeps them."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

COUNT = "iss.connections"
"""The name in a request's scope of the number of connections that are open."""


class Counted(H11Protocol):
    """A connection, of which each request says how many there are.

    By h11 even where uvicorn would find httptools, which it lets take in a head without an end.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        app: ASGIApp = self.app
        connections: Sized = self.connections

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            scope[COUNT] = len(connections)
            await app(scope, receive, send)

        self.app = counted
