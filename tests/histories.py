"""Catalogs that are changed, backed up and restored, and the stores of several folders."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.values import FileStat, Identity, Picture
from image_similarity_search.collection.store_keeper import StoreKeeper
from image_similarity_search.stores.kept import kept_vectors

IDENTITY = Identity("test", "test;1", 4, "cosine", "auto")


class Histories:
    """One catalog, changed by one writer, and index folders that each keep a store of it.

    Args:
        folders: what each folder is for; the first has the catalog, or they are of a shared one.
        opened: the catalog as it is opened for a folder.
        take, put: makes a backup, and puts one in the catalog's place, whoever has it open.
    """

    def __init__(
        self,
        folders: list[Path],
        opened: Callable[[Path], Catalog],
        take: Callable[[Path], None],
        put: Callable[[Path], None],
    ) -> None:
        self._folders, self._opened, self._take, self._put_back = folders, opened, take, put
        self.writer = opened(folders[0])
        self._backups: list[Path] = []
        self._keepers = [self._keeper(folder) for folder in folders]

    def _keeper(self, folder: Path) -> StoreKeeper:
        return StoreKeeper(self._opened(folder), str(folder))

    def close(self) -> None:
        """Let go of all of it."""
        for keeper in self._keepers:
            keeper.close()
            keeper._catalog.close()
        self.writer.close()

    def run(self, seed: int, steps: int) -> None:
        """Do anything, in an order drawn by ``seed``; in the end each folder looks."""
        rng = random.Random(seed)
        does = [self.change] * 6 + [self.look] * 6 + [self.reopen] * 2 + [self.backup, self.restore]
        for _ in range(steps):
            rng.choice(does)(rng)
        for number in range(len(self._keepers)):
            self._check(number)

    def change(self, rng: random.Random) -> None:
        """Put an image where one was or none, or remove some."""
        with self.writer.transaction():
            if rng.random() < 0.7:
                place = self.writer.places.require_place(f"/p/{rng.randrange(12)}.jpg")
                unit = np.array([rng.gauss(0, 1) for _ in range(4)])
                halves = (unit / np.linalg.norm(unit)).astype(np.float16)
                picture = Picture(f"{rng.getrandbits(128):032x}", 1, 1, halves, 1.0)
                self.writer.changes.put(place, FileStat(1, 1), picture)
            else:
                ids = self.writer.indexed_ids().tolist()
                self.writer.changes.remove(rng.sample(ids, min(len(ids), 2)))

    def look(self, rng: random.Random) -> None:
        """Search in one of the folders."""
        self._check(rng.randrange(len(self._keepers)))

    def reopen(self, rng: random.Random) -> None:
        """Have another process in one of the folders, which reads the store's file."""
        number = rng.randrange(len(self._keepers))
        self._keepers[number].close()
        self._keepers[number]._catalog.close()
        self._keepers[number] = self._keeper(self._folders[number])

    def backup(self, rng: random.Random) -> None:
        """Take one."""
        self._backups.append(self._folders[0] / f"backup-{len(self._backups)}")
        self._take(self._backups[-1])

    def restore(self, rng: random.Random) -> None:
        """Put one of the backups in the catalog's place; what writes was ended before."""
        if self._backups:
            self.writer.close()
            self._put_back(rng.choice(self._backups))
            self.writer = self._opened(self._folders[0])

    def _check(self, number: int) -> None:
        """The store of a folder holds what is found without one."""
        keeper = self._keepers[number]
        with keeper.current() as store:
            parts = [(ids, rows) for ids, rows in kept_vectors(store)]
            held = {id_: row for ids, rows in parts for id_, row in zip(ids, rows, strict=True)}
            found = keeper._catalog.embeddings.of(keeper._catalog.indexed_ids())
            rows = vectors.unpack(found.units, found.norms, "cosine")
            assert held.keys() == set(found.ids.tolist())
            for id_, row in zip(found.ids, rows, strict=True):
                assert np.allclose(held[id_], row), id_
