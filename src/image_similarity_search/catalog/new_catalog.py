"""A catalog that is filled aside, and appears when it is whole."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Self, cast

from image_similarity_search.catalog import whereabouts
from image_similarity_search.catalog.aside import begun_aside, placed
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.copying import copied
from image_similarity_search.catalog.database import Database
from image_similarity_search.catalog.moves import arrival
from image_similarity_search.catalog.rows import ImageRow
from image_similarity_search.catalog.values import Forgotten, Identity, ImageBatch
from image_similarity_search.errors import CollectionError, ConfigError


class NewCatalog(Catalog):
    """A catalog of images that are known already, with their ids and embeddings.

    Until ``put_in_place`` (or ``put_at``) there is none in its folder; a process that is killed
    before leaves files that the next ``begun`` removes. The caller holds the writer lock.
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
        with begun_aside(folder) as aside:
            new = cls.create(aside, identity)
            new._folder = folder
            new._folders = {}
            try:
                yield new
            finally:
                new.close()

    def put_roots(self, roots: Iterable[str]) -> None:
        """Record folders that were indexed; before the images."""
        with self.transaction():
            for root in sorted(roots):
                self.places.require_root(root)

    def put_forgotten(self, images: Iterable[Forgotten]) -> None:
        """Record the tags of images that are gone."""
        with self.transaction():
            self.forgotten.put_all(images, self.generation)

    def put_rows(self, rows: ImageBatch) -> None:
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
        placed(self._folder, cast("Database", self._database))

    def put_at(self, url: str) -> None:
        """Let it be the shared catalog at ``url``, and its folder remember that.

        Raises:
            CollectionExistsError: a collection is there.
            CollectionUnavailableError, CollectionUnwritableError: it can't be made there.
        """
        with arrival(self._folder, url, self._meta.read()) as target:
            copied(self._database, target, lambda *_: None)
            target.put_in_place(self._database.value(self._database.sql.last_id))
            whereabouts.remember(self._folder, url)

    def _put(self, rows: ImageBatch) -> None:
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
                generation=generation,
                metadata=json.dumps(record.metadata),
            )
            self._rows.insert_image(image)
            embedding_crc32 = self.embeddings.put(image.id, unit, float(norm))
            self._rows.update_image(image._replace(embedding_crc32=embedding_crc32))

    def _folder_id(self, folder: str) -> int:
        known = self._folders.get(folder)
        if known is None:
            known = self.places.require_folder(*self.places.locate(folder))
            self._folders[folder] = known
        return known
