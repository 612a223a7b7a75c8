"""The unit vectors of images, read from the catalog."""

from __future__ import annotations

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.types import FloatArray, IdArray


def unit_vectors_of(catalog: Catalog, ids: IdArray) -> tuple[IdArray, FloatArray]:
    """Those of these ids that there are, in order, and their unit vectors ``(n, dim)``.

    Raises:
        CollectionCorruptError: one of them is not as it was written.
    """
    found = catalog.embeddings(ids)
    order = found.ids.argsort()
    return found.ids[order], vectors.unpack(found.units[order], found.norms[order], "cosine")
