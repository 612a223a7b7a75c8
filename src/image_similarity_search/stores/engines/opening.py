"""From an address to an engine."""

from __future__ import annotations

from image_similarity_search.stores.engines.access import access
from image_similarity_search.stores.engines.address import Address
from image_similarity_search.stores.engines.base import Engine


def open_engine(address: Address) -> Engine:
    """The engine at ``address``; secrets come from the environment.

    Raises:
        StoreUnavailableError: it can't be reached, its client is not installed, or the
            environment has a token that is not for it.
    """
    from image_similarity_search.stores.engines.milvus_connection import MilvusConnection
    from image_similarity_search.stores.engines.milvus_engine import MilvusEngine

    return MilvusEngine(MilvusConnection(address, access(address)))
