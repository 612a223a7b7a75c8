"""What a worker process does with a file of which only the EXIF is wanted."""

from __future__ import annotations

import os
from collections.abc import Generator

from image_similarity_search.collection.messages import packed_traits
from image_similarity_search.images.exif import read_exif


def answer(request: bytes) -> Generator[bytes, None, bytes]:
    """The traits of the file whose path is ``request``, without its colours."""
    yield from ()  # there are no parts before the last
    return packed_traits(read_exif(os.fsdecode(request)))
