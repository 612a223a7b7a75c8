"""Stores that live in an engine: a server of its own, that many computers may search.

``address`` reads URLs, ``access`` knows the secrets, ``base`` says what an engine is, and the
``milvus_*`` modules are one. Importing this package imports no client of an engine.
"""

from __future__ import annotations

from image_similarity_search.stores.engines.address import EMBEDDED, Address
from image_similarity_search.stores.engines.base import Engine, EngineStore, Label
from image_similarity_search.stores.engines.milvus_kinds import check_kind
from image_similarity_search.stores.engines.opening import open_engine

__all__ = ["EMBEDDED", "Address", "Engine", "EngineStore", "Label", "check_kind", "open_engine"]
