"""The collection: one encoder, one catalog and one store, and everything done with them.

The names below load what they need when they are used: the processes that decode import
``collection.decoder`` alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from image_similarity_search.collection.collection import DEFAULT_INDEX_DIR, Collection
    from image_similarity_search.collection.queries import Picture, Query

__all__ = ["DEFAULT_INDEX_DIR", "Collection", "Picture", "Query"]

_HOMES = {
    "DEFAULT_INDEX_DIR": "collection",
    "Collection": "collection",
    "Picture": "queries",
    "Query": "queries",
}

if not TYPE_CHECKING:  # or else a name that is misspelt would pass every type checker

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
