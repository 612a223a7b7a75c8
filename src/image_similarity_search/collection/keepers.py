"""Which keeper a collection has."""

from __future__ import annotations

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.keeping import Keeper
from image_similarity_search.collection.store_keeper import StoreKeeper


def keeper_for(catalog: Catalog, folder: str, *, formerly: str = "") -> Keeper:
    """The keeper of the store that the catalog names; ``formerly`` is an id it had before."""
    if catalog.identity.store:
        from image_similarity_search.collection.engine_keeper import EngineKeeper

        return EngineKeeper(catalog, formerly=formerly)
    return StoreKeeper(catalog, folder)
