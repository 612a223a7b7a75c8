"""A client of ``iss serve``, for programs: the extra ``client``.

Example:
    >>> from image_similarity_search.client import Client
    >>> with Client("http://127.0.0.1:8765") as client:  # doctest: +SKIP
    ...     for hit in client.search("query.jpg", k=5):
    ...         print(hit.score, hit.image.root, hit.image.path)
"""

from image_similarity_search.client.answers import (
    CollectionInfo,
    Duplicate,
    Explanation,
    Group,
    Groups,
    Hit,
    Image,
    Job,
    Match,
    Page,
    Places,
    Root,
)
from image_similarity_search.client.client import Client
from image_similarity_search.client.questions import Example

__all__ = [
    "Client",
    "CollectionInfo",
    "Duplicate",
    "Example",
    "Explanation",
    "Group",
    "Groups",
    "Hit",
    "Image",
    "Job",
    "Match",
    "Page",
    "Places",
    "Root",
]
