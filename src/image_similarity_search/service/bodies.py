"""Bodies of requests: bounded in bytes and in time while they arrive."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import NamedTuple

from starlette.types import Message, Receive

from image_similarity_search.service.kinds import Kind
from image_similarity_search.service.problems import Refusal
from image_similarity_search.service.settings import Limits

TOO_LARGE = Kind(413, "body-too-large", "Request too large")
_TOO_SLOW = Kind(408, "body-too-slow", "Request timeout")
_NO_ROOM = Kind(503, "busy", "Service busy", 2)

JSON_BYTES = 256 * 1024
"""What JSON may take, and all else that is no picture: it is read at once."""

KEY_BYTES = 4 * 1024
"""What a body may take that anybody may send without a key."""

OVERHEAD = 64 * 1024
"""Bytes that a form may take beside its pictures."""

AS_PICTURE = "with curl: --data-binary @q.jpg -H 'Content-Type: image/jpeg', or -F image=@q.jpg"
"""How a picture is sent that came as something else."""

_UPLOADS = re.compile(r"/v1/collections/[^/]+/(search|preview|images(/[^/]+/explanation)?)")
_FORM = "multipart/form-data"
_RAW = ("", "application/octet-stream")  # what has no type may be anything, says HTTP


class _Room(NamedTuple):
    most: int  # bytes that a body may have
    beside: int = 0  # and those that it may have beside them
    remedy: str = ""  # what is said of it where they are too many


class Bodies:
    """All bodies that are arriving, or being worked on, in one process."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.held = 0  # bytes, of all of them together

    def open(self, path: str, receive: Receive, headers: Mapping[str, str]) -> Body:
        """The body of a request of ``path``.

        Raises:
            Refusal: it says to have too many bytes.
        """
        room = self._room(path, headers.get("content-type", ""))
        body = Body(self, receive, room, self._limits.body_seconds)
        length = headers.get("content-length", "")
        if length.isascii() and length.isdigit():
            body.check(int(length))
        return body

    def _room(self, path: str, content_type: str) -> _Room:
        kind = content_type.partition(";")[0].strip().lower()
        most = self._limits.upload_bytes
        if path == "/v1/session":
            return _Room(min(KEY_BYTES, most))
        if not _UPLOADS.fullmatch(path):
            return _Room(min(JSON_BYTES, most))
        if kind == _FORM:
            return _Room(most, beside=OVERHEAD)
        if kind in _RAW or kind.startswith("image/"):
            return _Room(most)
        return _Room(min(JSON_BYTES, most), remedy=f" of this type; send a picture {AS_PICTURE}")

    def take(self, size: int) -> None:
        """Hold so many bytes more.

        Raises:
            Refusal: all bodies together would take too much memory.
        """
        if self.held + size > self._limits.body_memory:
            raise Refusal(_NO_ROOM, "too many uploads at once")
        self.held += size


class Body:
    """One body: what ``receive`` gives, counted. Close it when the request is done."""

    def __init__(self, bodies: Bodies, receive: Receive, room: _Room, seconds: float) -> None:
        self._bodies = bodies
        self._receive = receive
        self._room = room
        self._until = asyncio.get_running_loop().time() + seconds
        self._size = 0
        self._complete = False

    async def receive(self) -> Message:
        """The next message of the client.

        Raises:
            Refusal: the body is too large, or too slow, or there is no room for it.
        """
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise Refusal(_TOO_SLOW, "send it faster", {"Connection": "close"}) from None
        if message["type"] == "http.request":
            size = len(message.get("body", b""))
            self.check(self._size + size)
            self._bodies.take(size)
            self._size += size
            self._complete = not message.get("more_body", False)
        return message

    def check(self, size: int) -> None:
        """Refuse a body of so many bytes if they are too many."""
        if size > self._room.most + self._room.beside:
            raise Refusal(TOO_LARGE, f"at most {self._room.most:,} bytes{self._room.remedy}")

    def close(self) -> None:
        """Let go of the bytes."""
        self._bodies.held -= self._size
        self._size = 0
