"""What must hold of a collection whatever happened to the processes that worked on it."""

from __future__ import annotations

import os
from pathlib import Path

from conftest import CountingEncoder

from image_similarity_search.collection import Collection
from image_similarity_search.errors import CollectionNotFoundError


def committed(index: Path) -> set[str]:
    """The paths of the images that a collection holds, once it is checked.

    Nothing is damaged, nothing is there twice, and each image is found.
    """
    try:
        collection = Collection.open(index)
    except CollectionNotFoundError:
        return set()
    with collection:
        problems = collection.verify().problems
        assert problems == [], problems
        records = list(collection)
        paths = [record.path for record in records]
        assert len(set(paths)) == len(paths) == len(collection)
        for record in records[:: max(1, len(records) // 5)]:
            hits = collection.search(record.id, k=len(records) + 1)
            assert {hit.id for hit in hits} == {other.id for other in records} - {record.id}
            scores = [hit.score for hit in hits]
            assert scores == sorted(scores, reverse=True)
    return set(paths)


def pictures(folder: Path) -> set[str]:
    """The files of a folder of pictures."""
    return {os.path.join(root, name) for root, _, names in os.walk(folder) for name in names}


def finish(index: Path, folder: Path) -> int:
    """Go on where a killed run ended, see that all is there; returns how many were encoded."""
    encoder = CountingEncoder()
    with Collection.open(index, encoder=encoder, create=True) as collection:
        collection.sync(folder)
        encoded = encoder.count
        again = collection.sync(folder)
        assert (again.unchanged, encoder.count) == (len(pictures(folder)), encoded)
    assert committed(index) == pictures(folder)
    return encoded
