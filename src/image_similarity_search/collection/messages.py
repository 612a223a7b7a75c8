"""What is asked of a decoding worker and what it answers, as bytes."""

from __future__ import annotations

import functools
import marshal
import os
import struct
from dataclasses import asdict, dataclass
from typing import TypeAlias

from image_similarity_search.encoders.preprocessing import Preprocessing

_CONTENT = b"c"
_VIEW = b"v"
_REFUSAL = b"r"
_SIZE = struct.Struct("<QQ")


@dataclass(frozen=True, slots=True)
class Content:
    """The hash of a file's bytes: it is read, and will now be decoded."""

    content_hash: str


@dataclass(frozen=True, slots=True)
class View:
    """A picture: its upright size, and the pixels ``(crop, crop, 3)`` that the encoder sees."""

    width: int
    height: int
    pixels: bytes | memoryview


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file is no usable picture; without a ``reason`` there is no such file."""

    reason: str = ""


Message: TypeAlias = Content | View | Refusal


def wanted(preprocessing: Preprocessing) -> bytes:
    """What an encoder sees of a file, for ``request``: the same for all files of a run."""
    return marshal.dumps(asdict(preprocessing))


def request(path: str, view: bytes) -> bytes:
    """The request for what an encoder sees, as ``wanted`` gave it, of a file."""
    return marshal.dumps((os.fsencode(path), view))


def from_request(data: bytes) -> tuple[str, Preprocessing]:
    """The path and the preprocessing that a request was made of."""
    path, view = marshal.loads(data)  # noqa: S302 - from the parent
    return os.fsdecode(path), _preprocessing(view)


@functools.lru_cache(maxsize=1)
def _preprocessing(view: bytes) -> Preprocessing:
    return Preprocessing(**marshal.loads(view))  # noqa: S302 - from the parent


def part(message: Message) -> bytes:
    """A message as a part of an answer."""
    if isinstance(message, Content):
        return _CONTENT + message.content_hash.encode()
    if isinstance(message, View):
        return b"".join((_VIEW, _SIZE.pack(message.width, message.height), message.pixels))
    return _REFUSAL + message.reason.encode(errors="backslashreplace")


def from_part(data: bytes) -> Message:
    """What ``part`` was given."""
    kind, start = data[:1], 1 + _SIZE.size
    if kind == _CONTENT:
        return Content(data[1:].decode())
    if kind == _VIEW:
        width, height = _SIZE.unpack(data[1:start])
        return View(width, height, memoryview(data)[start:])
    return Refusal(data[1:].decode())
