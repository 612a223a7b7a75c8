"""The collection: one encoder, one catalog and one store, and everything done with them."""

from image_similarity_search.collection.collection import DEFAULT_INDEX_DIR, Collection
from image_similarity_search.collection.queries import Picture, Query

__all__ = ["DEFAULT_INDEX_DIR", "Collection", "Picture", "Query"]
