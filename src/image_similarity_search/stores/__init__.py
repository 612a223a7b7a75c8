"""Finding the nearest embeddings.

``base`` says what a store is, ``faiss_store`` is the one that comes with the package and
``index_file`` keeps it on disk. Importing this package does not import FAISS.
"""

from __future__ import annotations

from image_similarity_search.stores.base import Store
from image_similarity_search.stores.faiss_store import FaissStore

__all__ = ["FaissStore", "Store"]
