"""Where images are: roots, folders below them, and the names in them.

A path is stored as its root, its folder relative to that root and its name, each as bytes:
names on disk need not be text. Roots never lie within one another, so that a file has one
place only; images outside every root belong to the loose root, with absolute folders.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from image_similarity_search.addresses import checked_address, file_of, is_address, is_row
from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.rows import Rows
from image_similarity_search.catalog.schema import LOOSE_ROOT
from image_similarity_search.errors import CollectionCorruptError

_FOLDERS = "SELECT id, root_id, path, crc32 FROM folders"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image is in the catalog."""

    folder_id: int
    name: str


def canonical(path: str | os.PathLike[str]) -> str:
    """The absolute path under which a file is known: its folder's real path and its own name.

    An object is known by its address.
    """
    text = os.fspath(path)
    if is_address(text):
        return checked_address(text)
    folder, name = os.path.split(os.path.abspath(text))
    return os.path.join(os.path.realpath(folder), name) if name else os.path.realpath(folder)


def relative(path: str, root: str) -> str | None:
    """``path`` relative to ``root`` with ``/`` between its parts; None when it is not below it."""
    if path == root:
        return ""
    separator = "/" if is_address(root) else os.sep
    start = root if root.endswith(separator) else root + separator
    return path[len(start) :].replace(os.sep, "/") if path.startswith(start) else None


def _below(root: str, folder: str) -> str:
    """The absolute path of a folder in a root."""
    if is_address(root):
        return f"{root}/{folder}" if folder else root
    return os.path.join(root, folder).rstrip(os.sep)


class Places:
    """The roots and folders of a catalog."""

    def __init__(self, database: AnyDatabase, rows: Rows) -> None:
        self._database = database
        self._rows = rows

    def roots(self) -> dict[int, str]:
        """The folders that were indexed, by id; without the loose root."""
        rows = self._database.rows("SELECT id, path, crc32 FROM roots WHERE id != ?", (LOOSE_ROOT,))
        for row in rows:
            self._rows.check_root(*row)
        return {id_: os.fsdecode(path) for id_, path, _ in rows}

    def locate(self, folder: str) -> tuple[int, str]:
        """The root that the absolute ``folder`` belongs to, and its path there."""
        for id_, root in self.roots().items():
            inner = relative(folder, root)
            if inner is not None:
                return id_, inner
        return LOOSE_ROOT, folder

    def require_root(self, path: str) -> tuple[int, str]:
        """As ``locate``, but ``path`` becomes a root when no root holds it.

        Roots and loose images below the new root become part of it. Call within a transaction.
        """
        root_id, inner = self.locate(path)
        if root_id != LOOSE_ROOT:
            return root_id, inner
        within = {id_: root for id_, root in self.roots().items() if relative(root, path)}
        new_id = self._rows.insert_root(os.fsencode(path))
        for id_, root in within.items():
            self._adopt(id_, root, new_id, path)
            self._database.write("DELETE FROM roots WHERE id = ?", (id_,))
        self._adopt(LOOSE_ROOT, "", new_id, path)
        return new_id, ""

    def check_turn(self, root_id: int) -> None:
        """Refuse to sync a root that another process may be at; of one writer, none is."""

    def _adopt(self, old_id: int, old_root: str, new_id: int, new_root: str) -> None:
        for folder, folder_id in self.folders_below(old_id, "").items():
            inner = relative(_below(old_root, folder), new_root)
            if inner is not None:
                self._rows.update_folder(folder_id, new_id, os.fsencode(inner))

    def relocate(self, roots: Mapping[int, str], folders: Mapping[int, str]) -> None:
        """Change the paths of roots, and of folders of the loose root; within a transaction."""
        for id_ in roots:  # first out of the way: one may take the place of another
            self._rows.update_root(id_, b"\0%d" % id_)
        for id_ in folders:
            self._rows.update_folder(id_, LOOSE_ROOT, b"\0%d" % id_)
        for id_, path in roots.items():
            self._rows.update_root(id_, os.fsencode(path))
        for id_, path in folders.items():
            self._rows.update_folder(id_, LOOSE_ROOT, os.fsencode(path))

    def are_here(self, path: str) -> bool:
        """Whether this computer has the folders in which the image at ``path`` is, or was."""
        return True

    def is_missing(self, root: str) -> bool:
        """Whether the folder, or Parquet file, of a root is gone, and with it what was in there.

        Of object storage nobody can tell.
        """
        if is_address(root):
            return is_row(root) and not os.path.exists(file_of(root))
        return not os.path.isdir(root)

    def require_folder(self, root_id: int, folder: str) -> int:
        """The id of a folder, made when it is new."""
        key = (root_id, os.fsencode(folder))
        known = self._folder(*key)
        if known is None:
            self._rows.insert_folder(*key)
            known = self._folder(*key)
        if known is None:
            raise CollectionCorruptError(
                self._database.path, f"the folder {folder} can't be stored"
            )
        return known

    def _folder(self, root_id: int, path: bytes) -> int | None:
        row = self._database.row(f"{_FOLDERS} WHERE root_id = ? AND path = ?", (root_id, path))
        if row is None:
            return None
        self._rows.check_folder(*row)
        return int(row[0])

    def require_place(self, path: str) -> Place:
        """The place of the canonical ``path``; its folder is made when it is new."""
        folder, name = os.path.split(path)
        return Place(self.require_folder(*self.locate(folder)), name)

    def folders_below(self, root_id: int, folder: str) -> dict[str, int]:
        """The known folders at and below ``folder``, as path: id."""
        rows = self._database.rows(f"{_FOLDERS} WHERE root_id = ?", (root_id,))
        for row in rows:
            self._rows.check_folder(*row)
        known = {os.fsdecode(path): int(id_) for id_, _, path, _ in rows}
        if not folder:
            return known
        start = folder.rstrip("/") + "/"
        return {p: i for p, i in known.items() if p == folder or p.startswith(start)}

    def forget_empty(self) -> None:
        """Drop folders without images, then roots without folders."""
        self._database.write(
            "DELETE FROM folders WHERE NOT EXISTS"
            " (SELECT 1 FROM images WHERE images.folder_id = folders.id)"
        )
        self._database.write(
            "DELETE FROM roots WHERE id != ? AND NOT EXISTS"
            " (SELECT 1 FROM folders WHERE folders.root_id = roots.id)",
            (LOOSE_ROOT,),
        )

    def folder_id_of(self, path: str) -> int | None:
        """The id of the very folder at the absolute ``path``, if it is known."""
        root_id, inner = self.locate(path)
        return self.folders_below(root_id, inner).get(inner)

    def folder_ids_below(self, path: str) -> list[int]:
        """The folders at and below the absolute ``path``, of whatever root."""
        ids = list(self.folders_below(*self.locate(path)).values())
        for root_id, root in self.roots().items():
            if relative(root, path):  # below it, so not the one that locate found
                ids += self.folders_below(root_id, "").values()
        return ids
