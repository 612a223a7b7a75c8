"""The plain values that the catalog takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from image_similarity_search import vectors
from image_similarity_search.types import (
    FloatArray,
    HalfArray,
    IdArray,
    ImageRecord,
    Metric,
    Traits,
)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a collection was made with; ``index``, ``store`` and what was not known may change.

    Attributes:
        encoder: the encoder's name.
        fingerprint: the encoder's fingerprint; empty where the embeddings were taken over and no
            encoder was compared with them yet.
        dim: length of an embedding.
        metric: how distance is measured.
        index: the kind of store.
        id: tells this collection from every other.
        encoder_spec: how to make the encoder again, for ``encoders.spec``; empty where that is
            not known, or its name says it all.
        store: the URL of the engine that holds the embeddings, for ``stores.engines``; empty
            for the store that comes with the package.
    """

    encoder: str
    fingerprint: str
    dim: int
    metric: Metric
    index: str
    id: str = ""
    encoder_spec: str = ""
    store: str = ""


class FileStat(NamedTuple):
    """What was seen of a file or object, to tell whether it changed.

    Attributes:
        size: bytes.
        mtime_ns: time of last change, nanoseconds since the epoch.
        etag: of an object: what changes with its content, and with nothing else.
    """

    size: int
    mtime_ns: int
    etag: str = ""

    def agrees_with(self, other: FileStat) -> bool:
        """Whether the content is the same, as far as can be told."""
        if self.etag and other.etag:
            return (self.size, self.etag) == (other.size, other.etag)
        return (self.size, self.mtime_ns) == (other.size, other.mtime_ns)


class Forgotten(NamedTuple):
    """The tags of an image that is gone, its id, and the content and name that its file had."""

    id: int
    content_hash: str
    name: str
    tags: list[str]


class Known(NamedTuple):
    """What the catalog remembers of a file, to tell whether it changed.

    ``place`` is its folder's id and its name.
    """

    id: int
    stat: FileStat
    content_hash: str | None
    skipped: bool
    place: tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Stored embeddings: ids ``(n,)``, float16 unit vectors ``(n, dim)`` and norms ``(n,)``."""

    ids: IdArray
    units: HalfArray
    norms: FloatArray

    def comparable(self, metric: Metric) -> FloatArray:
        """The float32 vectors ``(n, dim)`` that ``metric`` compares."""
        return vectors.unpack(self.units, self.norms, metric)


@dataclass(frozen=True, slots=True)
class Picture:
    """What indexing a file yields. ``unit`` is its float16 unit vector ``(dim,)``.

    ``traits`` are None where they were not read.
    """

    content_hash: str
    width: int
    height: int
    unit: HalfArray
    norm: float
    traits: Traits | None = None


@dataclass(frozen=True, slots=True)
class ImageBatch:
    """Indexed images with their embeddings: ``units`` ``(n, dim)``, ``norms`` ``(n,)``."""

    records: Sequence[ImageRecord]
    units: HalfArray
    norms: FloatArray


@dataclass(frozen=True, slots=True)
class Counts:
    """How many images the catalog holds."""

    indexed: int
    skipped: int


PLACES = "places"
"""What may be edited of an image: where its file lies, its name, size or time of last change."""
NOTES = "notes"
"""And its tags, or traits that were read after it was indexed."""


def displaced_name(id_: int) -> bytes:
    """A name that no file has, for an image whose place another has taken."""
    return b"\0displaced-%d" % id_


def is_displaced(path: str) -> bool:
    """Whether an image lost its place in a run that has not found it elsewhere, or forgotten it."""
    return "\0" in path
