"""Who may change a collection while others do: everything takes its turn.

A catalog in a file has one writer. A shared one has one in each index folder, and these keep out
of each other's way by locks in its database:

- what changes the whole collection is alone: ``whole``;
- a sync is alone in its root: ``syncing``. A root that it is to make is nobody else's yet;
- whoever puts images into folders keeps these from being swept away while they are empty:
  ``syncing``, ``adding``;
- what is one transaction needs no more than that nobody changes the whole: ``beside``;
- one brings an engine up to date at a time: ``store``.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager

from image_similarity_search.catalog.lock import store_lock, writer_lock


class Turns:
    """The turns at a catalog in a file, in ``folder``: there is one at a time.

    Each raises CollectionLockedError where another process still has its own after ``wait``
    seconds, and CollectionUnwritableError where it can't be told.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def whole(self, wait: float = 0.0) -> AbstractContextManager[None]:
        """To change how everything is kept or found."""
        return writer_lock(self._folder, wait=wait)

    def beside(self, wait: float = 0.0) -> AbstractContextManager[None]:
        """To make a change that needs nothing but its transaction."""
        return self.whole(wait)

    def syncing(self, path: str, wait: float = 0.0) -> AbstractContextManager[None]:
        """To make the catalog say what the folder (real path) or address ``path`` holds."""
        return self.whole(wait)

    def adding(self, paths: Iterable[str], wait: float = 0.0) -> AbstractContextManager[None]:
        """To record files at these canonical paths."""
        return self.whole(wait)

    def store(self, wait: float = 0.0) -> AbstractContextManager[None]:
        """To change what is in the store."""
        return store_lock(self._folder, wait=wait)
