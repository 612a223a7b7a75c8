"""Disks that are mounted at or below an indexed folder: while they are away, all is kept."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.places import relative
from image_similarity_search.images.walk import FoundFolder


class Disks:
    """The disks of one scan: those that are known from earlier ones, and those that it meets."""

    def __init__(self, catalog: Catalog, folder: str) -> None:
        """``folder`` is the absolute path of what is scanned."""
        self._catalog = catalog
        self._known = disks_below(catalog, folder)
        self._above = catalog.disks.known().intersection(_upwards(os.path.dirname(folder)))
        self._with_pictures: set[str] = set()
        self._away = self._not_mounted()
        self._there: Counter[str] = Counter()  # known files of those that seem to be away
        self._unread: set[str] = set()
        self._around: list[str] = []  # disks that the folder met last is on

    def meet(self, path: str, found: FoundFolder, known: int) -> None:
        """Note a folder, in the order of the walk, in which ``known`` of the known files are."""
        if found.error is not None:
            self._unread.add(path)
            return
        while self._around and relative(path, self._around[-1]) is None:
            self._around.pop()
        if found.is_disk:
            self._around.append(path)
        if found.files:
            self._with_pictures.update(self._around)
        if self._away:
            for disk in self._away.intersection(_upwards(path)):
                self._there[disk] += known

    def away(self, gone: Mapping[str, int]) -> set[str]:
        """The disks that are not there, after the walk, and remember which there are.

        ``gone`` says of how many images of each folder, by its absolute path, there is no file.
        Where more of a disk's files are there than gone, they were copied to its place. Of a
        shared catalog none is known no more: other computers may have it, and this one see its
        files without a mount.
        """
        self._away |= self._not_mounted()
        missing: Counter[str] = Counter()
        for folder, count in gone.items():
            for disk in self._away.intersection(_upwards(folder)):
                missing[disk] += count
        away = {disk for disk, count in missing.items() if count >= self._there[disk]}
        unseen = away | self._unread
        kept = {disk for disk in self._known if not unseen.isdisjoint(_upwards(disk))}
        present = (self._known if self._catalog.is_shared else kept) | self._with_pictures
        if present != self._known:
            with self._catalog.transaction():
                self._catalog.disks.change(forget=self._known, remember=present)
        return away

    def _not_mounted(self) -> set[str]:
        disks = self._known | self._above | self._with_pictures
        return {disk for disk in disks if not is_mounted(disk)}


class KnownDisks:
    """What is kept of disks that are away moves only to a disk: one mounted elsewhere.

    The same content elsewhere is a copy, as a backup is, and the image waits for its disk.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._known = catalog.disks.known()
        self._away = {disk for disk in self._known if not is_mounted(disk)}

    def has(self, path: str) -> bool:
        """Whether a file is on a known disk."""
        return is_on(os.path.dirname(path), self._known)

    def may_move(self, old: str, new: str) -> bool:
        """Whether the image of a file that is not at ``old`` may be the one at ``new``."""
        return not is_on(os.path.dirname(old), self._away) or self.has(new)


def disks_below(catalog: Catalog, folder: str) -> set[str]:
    """The absolute paths of the disks that are known at and below a folder."""
    return {path for path in catalog.disks.known() if relative(path, folder) is not None}


def is_mounted(path: str) -> bool:
    """Whether the disk seems to be there that is mounted at ``path``: another device, not empty."""
    return os.path.ismount(path) and _holds_something(path)


def links_to_nothing(folders: Iterable[str]) -> set[str]:
    """The links that lead to these absolute paths, but now nowhere, or to an empty folder."""
    above = {path for folder in folders for path in _upwards(folder)}
    return {path for path in above if os.path.islink(path) and not _holds_something(path)}


def is_on(folder: str, disks: set[str]) -> bool:
    """Whether the folder at an absolute path is one of these disks, or lies on one."""
    return not disks.isdisjoint(_upwards(folder))


def forget_emptied(catalog: Catalog) -> None:
    """Know no more of disks without images; call within a transaction."""
    emptied = {disk for disk in catalog.disks.known() if not catalog.places.folder_ids_below(disk)}
    if emptied:
        catalog.disks.change(forget=emptied)


def _holds_something(folder: str) -> bool:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return next(entries, None) is not None
    return False


def _upwards(path: str) -> Iterator[str]:
    """An absolute path, and those of all folders above it."""
    yield path
    while (above := os.path.dirname(path)) != path:
        yield above
        path = above
