"""Image Similarity Search: show a picture, get the ones of a folder that look alike.

``Collection`` is the way in. ``ImageSimilaritySearch`` is a small class over it, for those who
know the recipe by that name.

Importing this package loads nothing else; each name below loads what it needs when it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from image_similarity_search._version import __version__

if TYPE_CHECKING:
    from image_similarity_search.collection import Collection
    from image_similarity_search.encoders.base import Encoder
    from image_similarity_search.encoders.preprocessing import Preprocessing
    from image_similarity_search.errors import ImageSearchError
    from image_similarity_search.legacy import ImageSimilaritySearch
    from image_similarity_search.types import (
        CollectionInfo,
        Hit,
        ImageRecord,
        Metric,
        Progress,
        RecallReport,
        RepairReport,
        SyncInterrupted,
        SyncReport,
        VerifyReport,
    )

__all__ = [
    "Collection",
    "CollectionInfo",
    "Encoder",
    "Hit",
    "ImageRecord",
    "ImageSearchError",
    "ImageSimilaritySearch",
    "Metric",
    "Preprocessing",
    "Progress",
    "RecallReport",
    "RepairReport",
    "SyncInterrupted",
    "SyncReport",
    "VerifyReport",
    "__version__",
]

_HOMES = {
    "Collection": "collection",
    "CollectionInfo": "types",
    "Encoder": "encoders.base",
    "Hit": "types",
    "ImageRecord": "types",
    "ImageSearchError": "errors",
    "ImageSimilaritySearch": "legacy",
    "Metric": "types",
    "Preprocessing": "encoders.preprocessing",
    "Progress": "types",
    "RecallReport": "types",
    "RepairReport": "types",
    "SyncInterrupted": "types",
    "SyncReport": "types",
    "VerifyReport": "types",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
