"""A catalog that is filled aside, and appears when it is whole."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Self, cast

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.database import Database
from image_similarity_search.catalog.rows import ImageRow
from image_similarity_search.catalog.values import Identity, Rows
from image_similarity_search.catalog.whereabouts import FILE_NAME
from image_similarity_search.errors import (
    CollectionError,
    CollectionUnwritableError,
    ConfigError,
)

ASIDE = "catalog.new"
"""The folder, beside the catalog that is to be, where it is filled."""

_FILES = tuple(FILE_NAME + end for end in ("", "-wal", "-shm", "-journal"))


class NewCatalog(Catalog):
    """A catalog of images that are known already, with their ids and embeddings.

    Until ``put_in_place`` there is none in its folder; a process that is killed before leaves
    files that the next ``begun`` removes. The caller holds the writer lock.
    """

    _folder: str
    _folders: dict[str, int]

    @classmethod
    @contextmanager
    def begun(cls, folder: str, identity: Identity) -> Iterator[Self]:
        """An empty one for the existing ``folder``; what is not in place at the end is removed.

        Raises:
            CollectionUnwritableError: it can't be made there.
        """
        aside = os.path.join(folder, ASIDE)
        with _translated(folder):
            _remove(aside)
            os.mkdir(aside)
        try:
            new = cls.create(aside, identity)
            new._folder = folder
            new._folders = {}
            try:
                yield new
            finally:
                new.close()
        finally:
            with suppress(OSError):
                _remove(aside)

    def put_roots(self, roots: Iterable[str]) -> None:
        """Record folders that were indexed; before the images."""
        with self.transaction():
            for root in sorted(roots):
                self.places.require_root(root)

    def put_rows(self, rows: Rows) -> None:
        """Record images, in one transaction.

        Raises:
            ConfigError: an id or a path is there twice.
        """
        try:
            with self.transaction():
                self._put(rows)
        except CollectionError as error:
            if not isinstance(error.__cause__, sqlite3.IntegrityError):
                raise
            raise ConfigError("images", str(error.__cause__), "each id and path once") from error

    def put_in_place(self) -> None:
        """Let it be the catalog of its folder, from now on; it is closed then.

        Raises:
            CollectionUnwritableError: it can't be moved.
        """
        cast("Database", self._database).settle()
        self.close()
        with _translated(self._folder):
            # a log that belonged to a catalog that is gone would be taken for this one's
            for name in _FILES[1:]:
                with suppress(FileNotFoundError):
                    os.remove(os.path.join(self._folder, name))
            os.replace(
                os.path.join(self._folder, ASIDE, FILE_NAME), os.path.join(self._folder, FILE_NAME)
            )
            _sync(self._folder)

    def _put(self, rows: Rows) -> None:
        generation = self.generation
        for record, unit, norm in zip(rows.records, rows.units, rows.norms, strict=True):
            folder, name = os.path.split(record.path)
            image = ImageRow(
                id=record.id,
                folder_id=self._folder_id(folder),
                name=os.fsencode(name),
                size=record.size,
                mtime_ns=record.mtime_ns,
                content_hash=bytes.fromhex(record.content_hash) if record.content_hash else None,
                width=record.width,
                height=record.height,
                state="indexed",
                reason=None,
                generation=generation,
                metadata=json.dumps(record.metadata),
                embedding_crc32=None,
                crc32=0,
            )
            self._rows.insert_image(image)
            embedding_crc32 = self._embeddings.put(image.id, unit, float(norm))
            self._rows.update_image(image._replace(embedding_crc32=embedding_crc32))

    def _folder_id(self, folder: str) -> int:
        known = self._folders.get(folder)
        if known is None:
            known = self.places.require_folder(*self.places.locate(folder))
            self._folders[folder] = known
        return known


def _remove(aside: str) -> None:
    """Remove what was filled aside, and nothing that anybody else put there."""
    for name in _FILES:
        with suppress(FileNotFoundError):
            os.remove(os.path.join(aside, name))
    with suppress(FileNotFoundError):
        os.rmdir(aside)


def _sync(folder: str) -> None:
    """Have the names in a folder on disk, where the system can be told so."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _translated(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CollectionUnwritableError(folder, error.strerror or str(error)) from error
