"""What is asked of a node and what it answers, as bytes."""

from __future__ import annotations

import marshal
import os
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from image_similarity_search.catalog.places import Place
from image_similarity_search.catalog.values import FileStat
from image_similarity_search.collection.messages import packed_traits, unpacked_traits
from image_similarity_search.collection.pipeline import Job
from image_similarity_search.types import FloatArray, Traits

_NOWHERE = Place(0, "")


@dataclass(frozen=True, slots=True)
class Task:
    """What every node needs to know.

    Attributes:
        encoder: the encoder in words, as ``EncoderSpec.to_json`` has it.
        fingerprint: what the encoder's fingerprint must be.
        device: where it runs, as for ``encoders.registry``.
        time_limit: seconds that reading, and then decoding, a picture may take.
        thumbnails: whether one is made of each picture.
        processes: that decode on a node, for each encoder there.
    """

    encoder: str
    fingerprint: str
    device: str
    time_limit: float
    thumbnails: bool
    processes: int


@dataclass(frozen=True, slots=True)
class Encoded:
    """What a picture gave: content, upright size, embedding ``(dim,)``, thumbnail, traits."""

    content_hash: str
    width: int
    height: int
    embedding: FloatArray
    thumbnail: bytes
    traits: Traits | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a file is bad; without ``reason`` there is none at ``node``."""

    content_hash: str | None
    reason: str
    node: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """Why a node can't go on."""

    reason: str


Answer: TypeAlias = Encoded | Refused | Stopped


def asked(number: int, job: Job) -> bytes:
    """A job of this number, for a node."""
    stat = job.stat
    return marshal.dumps((number, os.fsencode(job.path), stat.size, stat.mtime_ns, stat.etag))


def job_of(data: bytes) -> Job:
    """What ``asked`` was given, but for the place; ``known_id`` is the number."""
    number, path, *stat = marshal.loads(data)  # noqa: S302 - from who drives the cluster
    return Job(os.fsdecode(path), _NOWHERE, FileStat(*stat), number)


def answered(number: int, answer: Answer) -> bytes:
    """The answer to the job of this number, for who asked."""
    values: tuple[object, ...]
    if isinstance(answer, Encoded):
        seen = (answer.content_hash, answer.width, answer.height)
        embedding = answer.embedding.astype("<f4").tobytes()
        traits = packed_traits(answer.traits) if answer.traits else b""
        values = (*seen, embedding, answer.thumbnail, traits)
    elif isinstance(answer, Refused):
        reason = answer.reason.encode(errors="surrogatepass")
        values = (answer.content_hash, reason, answer.node)
    else:
        values = (answer.reason.encode(errors="surrogatepass"),)
    return marshal.dumps((number, values))


def answer_of(data: bytes) -> tuple[int, Answer]:
    """What ``answered`` was given."""
    number, values = marshal.loads(data)  # noqa: S302 - from a node of the cluster
    if len(values) == 1:
        return number, Stopped(values[0].decode(errors="surrogatepass"))
    if len(values) == 3:
        content_hash, reason, node = values
        return number, Refused(content_hash, reason.decode(errors="surrogatepass"), node)
    content_hash, width, height, embedding, thumbnail, packed = values
    vector = np.frombuffer(embedding, dtype="<f4").astype(np.float32)
    traits = unpacked_traits(packed) if packed else None
    return number, Encoded(content_hash, width, height, vector, thumbnail, traits)
