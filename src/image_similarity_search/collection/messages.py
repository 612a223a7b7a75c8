"""What is asked of a decoding worker and what it answers, as bytes."""

from __future__ import annotations

import functools
import marshal
import operator
import os
import struct
from dataclasses import asdict, dataclass
from typing import TypeAlias

from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.types import NO_TRAITS, Traits

_CONTENT = b"c"
_VIEW = b"v"
_REFUSAL = b"r"
_fields_of = operator.attrgetter(*Traits.__slots__)
_SIZE = struct.Struct("<QQII")  # width, height, bytes of the thumbnail and of the traits


@dataclass(frozen=True, slots=True)
class Content:
    """The hash of a file's bytes: it is read, and will now be decoded."""

    content_hash: str


@dataclass(frozen=True, slots=True)
class View:
    """A picture: its upright size, and the pixels ``(crop, crop, 3)`` that the encoder sees.

    ``thumbnail`` is a JPEG, or empty where none was asked for or could be made.
    """

    width: int
    height: int
    pixels: bytes | memoryview
    thumbnail: bytes = b""
    traits: Traits = NO_TRAITS


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file is no usable picture; without a ``reason`` there is no such file."""

    reason: str = ""


Message: TypeAlias = Content | View | Refusal


def request(path: str, preprocessing: Preprocessing, *, thumbnail: bool = False) -> bytes:
    """The request for what an encoder sees of a file, and perhaps for a thumbnail."""
    return marshal.dumps((os.fsencode(path), _packed(preprocessing), thumbnail))


def from_request(data: bytes) -> tuple[str, Preprocessing, bool]:
    """What ``request`` was given."""
    path, packed, thumbnail = marshal.loads(data)  # noqa: S302 - from the parent
    return os.fsdecode(path), _unpacked(packed), thumbnail


# the same for all pictures of a run
@functools.lru_cache(maxsize=4)
def _packed(preprocessing: Preprocessing) -> bytes:
    return marshal.dumps(asdict(preprocessing))


@functools.lru_cache(maxsize=4)
def _unpacked(packed: bytes) -> Preprocessing:
    return Preprocessing(**marshal.loads(packed))  # noqa: S302 - from the parent


def packed_traits(traits: Traits) -> bytes:
    """Traits as bytes."""
    return marshal.dumps(_fields_of(traits))


def unpacked_traits(data: bytes) -> Traits:
    """What ``packed_traits`` was given."""
    return Traits(*marshal.loads(data))  # noqa: S302 - from a worker


def part(message: Message) -> bytes:
    """A message as a part of an answer."""
    if isinstance(message, Content):
        return _CONTENT + message.content_hash.encode()
    if isinstance(message, View):
        traits = packed_traits(message.traits)
        sizes = _SIZE.pack(message.width, message.height, len(message.thumbnail), len(traits))
        return b"".join((_VIEW, sizes, message.thumbnail, traits, message.pixels))
    return _REFUSAL + message.reason.encode(errors="backslashreplace")


def from_part(data: bytes) -> Message:
    """What ``part`` was given."""
    kind, start = data[:1], 1 + _SIZE.size
    if kind == _CONTENT:
        return Content(data[1:].decode())
    if kind == _VIEW:
        width, height, length, more = _SIZE.unpack(data[1:start])
        end = start + length
        traits = unpacked_traits(data[end : end + more])
        return View(width, height, memoryview(data)[end + more :], data[start:end], traits)
    return Refusal(data[1:].decode())
