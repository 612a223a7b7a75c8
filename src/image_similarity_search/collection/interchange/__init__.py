"""Arriving with embeddings that exist already, and leaving with them.

``taking_over`` makes a collection of images that are known; ``legacy_files`` and ``legacy`` bring
them from an index of the well-known recipe, ``embedding_files``, ``path_lists`` and ``embeddings``
from anybody's arrays; both record of ``pictures`` what is there. ``exporting`` and ``importing``
bring them from one collection to another, in the formats of ``npy_files`` and ``parquet_file``
with the fields of ``layout``.
"""
