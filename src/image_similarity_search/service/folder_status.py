"""Whether the folders of pictures are there now; a drive that hangs is not waited for."""

from __future__ import annotations

import os
from collections import defaultdict
from functools import partial
from threading import Lock
from typing import NamedTuple

from image_similarity_search.addresses import is_address
from image_similarity_search.collection.bounded import Bounded

_SECONDS = 1.0


class FolderStatus(NamedTuple):
    """Whether a folder is there, and whether files can be put into it."""

    available: bool
    writable: bool


class FolderLooks:
    """Looks at folders, each in a thread of its own."""

    def __init__(self) -> None:
        self._looks: defaultdict[str, Bounded[FolderStatus]] = defaultdict(Bounded)
        self._lock = Lock()  # a look is asked by one thread at a time

    def of(self, folder: str) -> FolderStatus:
        """How a folder is; one that does not answer, and from then on until it does, is away."""
        if is_address(folder):
            return FolderStatus(available=True, writable=False)
        with self._lock:
            found = self._looks[folder].ask(partial(_look, folder), _SECONDS)
        return found or FolderStatus(available=False, writable=False)


def _look(folder: str) -> FolderStatus:
    return FolderStatus(os.path.isdir(folder), os.access(folder, os.W_OK))
