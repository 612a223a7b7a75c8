"""The turns at a catalog that several computers change at once; see ``catalog.turns``."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from os.path import split

from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.catalog.places import Places, relative
from image_similarity_search.catalog.postgresql.locks import Lock, Locks
from image_similarity_search.catalog.turns import Turns

_ALL = "all"
_STORE = "store"


def of_sync(root: str) -> str:
    """What a sync of a root holds alone."""
    return f"sync {root}"


def of_folders(root: str) -> str:
    """What whoever is to put images into folders of a root shares; of no root, if it is empty."""
    return f"in {root}"


def around(path: str, roots: Iterable[str]) -> list[Lock]:
    """What nobody may hold where a root is made at ``path``: it takes in those that lie in it."""
    inside = [root for root in roots if relative(root, path)]
    names = [of_folders(""), *(of(root) for root in inside for of in (of_sync, of_folders))]
    return [Lock(name) for name in names]


class SharedTurns(Turns):
    """Those of one index folder, of many that share the catalog of ``locks``."""

    def __init__(self, folder: str, locks: Locks, places: Places) -> None:
        super().__init__(folder)
        self._locks = locks
        self._places = places

    def whole(self, wait: float = 0.0) -> AbstractContextManager[None]:
        """While nobody else changes anything."""
        return self._turn([Lock(_ALL)], wait)

    def beside(self, wait: float = 0.0) -> AbstractContextManager[None]:
        """While nobody changes the whole."""
        return self._turn([Lock(_ALL, shared=True)], wait)

    @contextmanager
    def syncing(self, path: str, wait: float = 0.0) -> Iterator[None]:
        """The same, and while nobody else syncs the root that ``path`` lies in, or will be."""
        while True:
            root = self._root_of(path) or path
            locks = [
                Lock(_ALL, shared=True),
                Lock(of_sync(root)),
                Lock(of_folders(root), shared=True),
            ]
            with self._turn(locks, wait):
                if (self._root_of(path) or path) == root:  # else another made or moved it just now
                    if not self._root_of(path):
                        with self._locks.held(around(path, self._places.roots().values()), wait):
                            pass  # they are let go: the root is made in a moment
                    yield
                    return

    @contextmanager
    def adding(self, paths: Iterable[str], wait: float = 0.0) -> Iterator[None]:
        """As ``beside``, and the folders stay there."""
        folders = {split(path)[0] for path in paths}
        while True:
            roots = {self._root_of(folder) for folder in folders}
            within = [Lock(of_folders(root), shared=True) for root in sorted(roots)]
            with self._turn([Lock(_ALL, shared=True), *within], wait):
                if {self._root_of(folder) for folder in folders} == roots:
                    yield
                    return

    def store(self, wait: float = 0.0) -> AbstractContextManager[None]:
        """While nobody else does, on whichever computer."""
        return self._locks.held([Lock(_STORE)], wait, logging.INFO)

    @contextmanager
    def _turn(self, locks: Sequence[Lock], wait: float) -> Iterator[None]:
        with writer_lock(self._folder, wait=wait), self._locks.held(locks, wait):
            yield

    def _root_of(self, folder: str) -> str:
        """The root that a folder lies in; empty for none."""
        root_id, _ = self._places.locate(folder)
        return self._places.roots().get(root_id, "")
