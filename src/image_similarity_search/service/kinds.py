"""What errors are to a client; the one table of which is which."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from image_similarity_search import errors
from image_similarity_search.errors import ConfigError, ImageError, ImageSearchError

_ID = re.compile(r"id -?\d+")


@dataclass(frozen=True, slots=True)
class Kind:
    """What an error is to a client.

    ``retry`` are the seconds after which to try again.
    """

    status: int
    slug: str
    title: str
    retry: int | None = None


# the first class that fits counts
KINDS: dict[type[ImageSearchError], Kind] = {
    errors.ImageNotFoundError: Kind(404, "image-not-found", "Image not found"),
    errors.FolderNotFoundError: Kind(404, "folder-not-found", "Folder not found"),
    errors.ImageTooLargeError: Kind(413, "image-too-large", "The picture has too many pixels"),
    errors.ImageTooSlowError: Kind(422, "image-too-slow", "Decoding the picture took too long"),
    errors.SourceUnavailableError: Kind(
        503, "no-source", "The picture's storage can't be reached", 60
    ),
    ImageError: Kind(422, "image-unreadable", "Not a readable picture"),
    errors.EncoderNotHereError: Kind(422, "no-encoder", "No encoder for this collection"),
    errors.EncoderUnavailableError: Kind(503, "encoder-unavailable", "The model can't be used", 60),
    errors.EncoderError: Kind(500, "encoder", "The model failed"),
    errors.CollectionLockedError: Kind(423, "locked", "The collection is being changed", 5),
    errors.CollectionUnwritableError: Kind(507, "unwritable", "The collection is not writable"),
    errors.CollectionNotFoundError: Kind(
        503, "collection-gone", "The collection no longer exists", 60
    ),
    errors.CollectionUnavailableError: Kind(
        503, "no-catalog", "The collection can't be reached", 60
    ),
    errors.CollectionCorruptError: Kind(500, "corrupt", "The collection is damaged"),
    errors.CollectionError: Kind(500, "collection", "The collection does not allow this"),
    errors.StoreUnavailableError: Kind(503, "no-store", "The engine can't be reached", 60),
    errors.StoreError: Kind(500, "store", "The search index can't be used"),
    errors.WorkerUnavailableError: Kind(503, "no-worker", "Pictures can't be decoded now", 5),
    errors.ClusterUnavailableError: Kind(503, "no-cluster", "The cluster can't be used", 60),
    ConfigError: Kind(422, "invalid", "Invalid value"),
    ImageSearchError: Kind(500, "failed", "The request failed"),
}

INTERNAL = Kind(500, "internal", "The request failed")
"""What no error of ours is to a client."""

LOGGED = "See the log of the service."


def kind_of(error: ImageSearchError) -> Kind:
    """What an error is to a client."""
    return next(kind for type_, kind in KINDS.items() if isinstance(error, type_))


def detail_of(error: ImageSearchError) -> str:
    """What a client may know of an error: nothing of the machine, such as its paths."""
    if isinstance(error, ConfigError):
        return f"{error.name}: expected {error.expected}"
    if isinstance(error, ImageError):
        id_ = _ID.fullmatch(str(error.path))
        return f"{id_[0]}: {error.reason}" if id_ else error.reason
    return kind_of(error).title


def problem(kind: Kind, detail: str, **more: Any) -> dict[str, Any]:
    """The JSON of a problem."""
    return {
        "type": f"urn:iss:problem:{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        **more,
    }
