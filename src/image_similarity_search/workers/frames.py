"""How a worker and its parent talk over two pipes: in frames of a kind, a length and data."""

from __future__ import annotations

import struct
from typing import IO, NamedTuple

# to the worker: a request, after the seconds that each part of its answer may take
REQUEST = b"q"
# from the worker: the function is imported; a part of an answer; its last part
READY = b"r"
PART = b"p"
LAST = b"l"

NO_MEMORY = 86
"""The exit status of a worker that was refused memory."""

SECONDS = struct.Struct("<d")
_HEADER = struct.Struct("<cI")


class Frame(NamedTuple):
    """What is said at once."""

    kind: bytes
    data: bytes


def write(pipe: IO[bytes], kind: bytes, data: bytes = b"") -> None:
    """Say it."""
    pipe.write(_HEADER.pack(kind, len(data)))
    pipe.write(data)  # by itself: much data is not copied
    pipe.flush()


def read(pipe: IO[bytes]) -> Frame | None:
    """The next frame, or None at the end."""
    header = pipe.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    kind, length = _HEADER.unpack(header)
    data = pipe.read(length)
    return Frame(kind, data) if len(data) == length else None
