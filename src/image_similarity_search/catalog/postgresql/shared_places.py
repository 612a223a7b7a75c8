"""Roots and folders of a catalog that several computers change at once."""

from __future__ import annotations

import contextlib
import os

from image_similarity_search.catalog.places import Places
from image_similarity_search.catalog.postgresql.locks import Lock, Locks
from image_similarity_search.catalog.postgresql.shared_database import SharedDatabase
from image_similarity_search.catalog.postgresql.shared_turns import around, of_folders, of_sync
from image_similarity_search.catalog.rows import Rows
from image_similarity_search.catalog.schema import LOOSE_ROOT

_TO_SWEEP = """
SELECT root_id FROM folders
WHERE NOT EXISTS (SELECT 1 FROM images WHERE images.folder_id = folders.id)
UNION
SELECT id FROM roots
WHERE NOT EXISTS (SELECT 1 FROM folders WHERE folders.root_id = roots.id)
"""
_SWEEP = (
    "DELETE FROM folders WHERE root_id = ? AND NOT EXISTS"
    " (SELECT 1 FROM images WHERE images.folder_id = folders.id)",
    "DELETE FROM roots WHERE id = ? AND NOT EXISTS"
    " (SELECT 1 FROM folders WHERE folders.root_id = roots.id)",
)


class SharedPlaces(Places):
    """As ``Places``, and careful of what others are about to put images into."""

    def __init__(self, database: SharedDatabase, rows: Rows) -> None:
        super().__init__(database, rows)
        self._locks: Locks = database.locks

    def require_root(self, path: str) -> tuple[int, str]:
        """As in ``Places``; by whoever has the turn to sync it.

        Raises:
            CollectionLockedError: another makes a root around it, or works in what it takes in.
        """
        root_id, inner = self.locate(path)
        if root_id != LOOSE_ROOT:
            self.check_turn(root_id)
            return root_id, inner
        for lock in around(path, self.roots().values()):
            if not self._locks.free_for_now(lock.name):
                raise self._locks.locked(lock)
        return super().require_root(path)

    def check_turn(self, root_id: int) -> None:
        """As in ``Places``: another computer may have made it since the turn began.

        Raises:
            CollectionLockedError: it is not this one's turn at that root.
        """
        lock = Lock(of_sync(self.roots()[root_id]))
        if not self._locks.holds(lock.name):
            raise self._locks.locked(lock)

    def are_here(self, path: str) -> bool:
        """As in ``Places``: a root that is missing or empty may be another computer's."""
        folder = os.path.split(path)[0]
        root_id, _ = self.locate(folder)
        with contextlib.suppress(OSError), os.scandir(self.roots().get(root_id, folder)) as inside:
            return next(inside, None) is not None
        return False

    def is_missing(self, root: str) -> bool:
        """As in ``Places``: nobody can tell."""
        return False

    def forget_empty(self) -> None:
        """As in ``Places``, but for roots that others are at: they do it themselves in the end."""
        roots = self.roots() | {LOOSE_ROOT: ""}
        for (root_id,) in self._database.rows(_TO_SWEEP):
            if root_id in roots and self._locks.free_for_now(of_folders(roots[root_id])):
                folders, root = _SWEEP
                self._database.write(folders, (root_id,))
                if root_id != LOOSE_ROOT:
                    self._database.write(root, (root_id,))
