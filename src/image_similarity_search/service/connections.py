"""Connections of clients, counted where the server keeps them; with one its request ends."""

from __future__ import annotations

import asyncio
from collections.abc import Set
from typing import Any

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from image_similarity_search.service import problems
from image_similarity_search.service.headers import SECURITY
from image_similarity_search.service.kinds import Kind

COUNT = "iss.connections"
"""The name in a request's scope of the number of connections that are open."""

_NO_REQUEST = Kind(400, *problems.TITLES[400])
_EXPECTED = (
    "not a valid HTTP/1.1 request: percent-encode non-ASCII characters of the path, such as"
    " %C3%BC; headers have at most 64 KiB"
)


class Counted(H11Protocol):
    """A connection, of which each request says how many there are.

    By h11 even where uvicorn would find httptools, which it lets take in a head without an end.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        app: ASGIApp = self.app
        self._answering: asyncio.Task[Any] | None = None

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            connections: Set[Any] = self.connections
            if self not in connections:  # it was gone before this began
                return
            scope[COUNT] = len(connections)
            task = self._answering = asyncio.current_task()

            async def received() -> Message:
                message = await receive()
                self.flow.resume_reading()  # after the last part, too: to see when the client goes
                return message

            try:
                await app(scope, received, send)
            except asyncio.CancelledError:  # there is nobody, no time or no way to say more to
                self.transport.close()
            finally:
                if self._answering is task:  # the next may have begun on this connection
                    self._answering = None

        self.app = counted

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of what is under way for a client that went: nobody waits for the answer."""
        unanswered = self.cycle is not None and not self.cycle.response_complete
        super().connection_lost(exc)
        if unanswered and self._answering:
            self._answering.cancel()

    def send_400_response(self, msg: str) -> None:
        """Say of bytes that are no request what any other problem says; the application sees none.

        Where an answer is under way already, there is nothing left to say.
        """
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            answer = problems.response(_NO_REQUEST, _EXPECTED, SECURITY | {"Connection": "close"})
            for event in (
                h11.Response(status_code=answer.status_code, headers=answer.raw_headers),
                h11.Data(data=bytes(answer.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
