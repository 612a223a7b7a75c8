"""What can be asked of the catalog, and told to it."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from typing import Self

import numpy as np

from image_similarity_search.catalog import whereabouts
from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.arrangement import arranged
from image_similarity_search.catalog.changes import Changes
from image_similarity_search.catalog.checksums import Checksums
from image_similarity_search.catalog.contents import Contents
from image_similarity_search.catalog.dialect import POSTGRESQL
from image_similarity_search.catalog.disks import Disks
from image_similarity_search.catalog.edits import Edits
from image_similarity_search.catalog.embeddings import EmbeddingTable
from image_similarity_search.catalog.files import Files
from image_similarity_search.catalog.forgotten import ForgottenTags
from image_similarity_search.catalog.history import History
from image_similarity_search.catalog.measured import Measured
from image_similarity_search.catalog.meta import PROGRESS, Meta
from image_similarity_search.catalog.removals import Removals
from image_similarity_search.catalog.rows import EMBEDDED_RECORD, RECORD, Rows, indexed
from image_similarity_search.catalog.selection import Selection
from image_similarity_search.catalog.switches import Switches
from image_similarity_search.catalog.tags import Tags
from image_similarity_search.catalog.traits import TraitTable
from image_similarity_search.catalog.values import (
    Counts,
    Identity,
    Picture,
    is_displaced,
)
from image_similarity_search.errors import CollectionCorruptError, CollectionNotFoundError
from image_similarity_search.types import IdArray, ImageRecord, Moment

DURABLE_SECONDS = 5.0
"""After so long a change waits for the disk: so much work may be lost with the power."""


class Catalog:
    """The truth about every image. Changes are made within ``transaction``."""

    def __init__(self, folder: str, url: str = "") -> None:
        """Open the catalog of ``folder``, which is at ``url`` if that is given.

        Errors as ``Database`` and ``SharedDatabase`` raise them.
        """
        self._begin(folder, whereabouts.opened(folder, url))

    @classmethod
    def create(cls, folder: str, identity: Identity, url: str = "") -> Self:
        """Make a catalog of the existing ``folder`` and open it; the caller holds the lock.

        A shared one that another process made just before is opened.
        """
        meta = {key: str(value) for key, value in asdict(identity).items()}
        meta |= {"id": uuid.uuid4().hex, "generation": "0"}
        catalog = cls.__new__(cls)
        catalog._begin(folder, whereabouts.made(folder, meta, url))
        return catalog

    def _begin(self, folder: str, database: AnyDatabase) -> None:
        self._database = database
        self._index_dir = folder
        self._durable_at = time.monotonic()
        self._has_indexes = False  # as far as is known
        self._meta = Meta(self._database)
        try:
            self.read_identity()
            checksums = Checksums(self.identity.id)
            self._rows = Rows(self._database, checksums)
            self.embeddings = EmbeddingTable(self._database, checksums, self.identity.dim)
            self.places, self.turns = arranged(folder, self._database, self._rows)
            self.files = Files(self._database, self._rows)
            self.selection = Selection(self._database, self._rows)
            self.contents = Contents(self._database)
            self.tags = Tags(self._database, self._rows)
            self.forgotten = ForgottenTags(self._database, self._rows, checksums)
            self.traits = TraitTable(self._database, checksums)
            self.history = History(self._database, self._meta)
            self.removals = Removals(self._database, self._meta)
            self.edits = Edits(self._database, self._meta, self.history, self.removals)
            self.changes = Changes(
                self._database,
                self._rows,
                self.embeddings,
                self.traits,
                self.removals,
                self.forgotten,
            )
            self.measured = Measured(self._meta)
            self.switches = Switches(self._meta)
            self.disks = Disks(self._meta)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file, or the connection."""
        self._database.close()

    @property
    def path(self) -> str:
        """The file, or the URL of a shared one."""
        return self._database.path

    @property
    def database(self) -> AnyDatabase:
        """What it is in, for who moves it: a connection with the locks that are held."""
        return self._database

    @property
    def is_shared(self) -> bool:
        """Whether other computers may change it."""
        return self._database.sql is POSTGRESQL

    def bytes_used(self) -> int:
        """How much room it takes, where it is."""
        return self._database.bytes_used()

    @property
    def generation(self) -> int:
        """A number that grows with every change."""
        return self._meta.generation()

    @property
    def moment(self) -> Moment:
        """The generation with its mark: no other state of the catalog has both."""
        return self.history.moment()

    def made_with(self) -> dict[str, str]:
        """What ``meta`` says, but for how far the collection is."""
        return {key: value for key, value in self._meta.read().items() if key not in PROGRESS}

    def check_in_place(self) -> None:
        """Raise CollectionNotFoundError where what is open was deleted, moved or replaced."""
        if not self.is_shared and whereabouts.url_of(self._index_dir):
            raise CollectionNotFoundError(self._index_dir)
        self._database.check_in_place()

    def is_in_place(self) -> bool:
        """Whether what is open is still there, as far as one look at its disk or server tells.

        Raises:
            CollectionUnavailableError: it is shared, and its server can't be reached.
        """
        pointer = os.path.join(self._index_dir, whereabouts.POINTER)
        if self.is_shared and not os.path.exists(pointer):
            return False
        try:
            self._database.check_in_place()
        except CollectionNotFoundError:
            return False
        return True

    def snapshot(self) -> AbstractContextManager[None]:
        """What is read inside is of one moment, whatever another process writes."""
        return self._database.snapshot()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Changes made inside are kept together or not at all, as the next generation.

        The process may end at any moment after; see ``make_durable`` for the power.
        """
        try:
            with self._database.transaction():
                if not self._has_indexes:
                    for statement in self._database.sql.newer_indexes:
                        self._database.write(statement)
                generation = self.changes.generation = self.history.advance()
                self._rows.begin(generation)
                yield
                self.edits.note(self._rows.edited, generation)
            self._has_indexes = True
        finally:
            self._rows.look_no_further()
        if time.monotonic() - self._durable_at > DURABLE_SECONDS:
            self.make_durable()

    def make_durable(self) -> None:
        """Have what was committed survive a power cut, too; done now and then while changing."""
        self._database.make_durable()
        self._durable_at = time.monotonic()

    # What it is

    def read_identity(self) -> Identity:
        """What the collection was made with, read again: another process may change ``index``."""
        self.identity = self._meta.identity()
        return self.identity

    def set_index(self, kind: str) -> None:
        """Record another kind of store; call within a transaction."""
        self._meta.write({"index": kind})
        self.read_identity()

    def set_store(self, url: str) -> None:
        """Record where the embeddings are put to be searched; call within a transaction."""
        self._meta.write({"store": url})
        self.read_identity()

    def set_identity(self, identity: Identity) -> None:
        """Record what was not known when the catalog was made; call within a transaction."""
        self._meta.write({k: str(value) for k, value in asdict(identity).items() if k != "id"})
        self.read_identity()

    # What is there

    def is_empty(self) -> bool:
        """Whether it knows of no file at all."""
        return self._database.row("SELECT 1 FROM images LIMIT 1") is None

    def counts(self) -> Counts:
        """How many images are indexed and skipped."""
        sql = self._database.sql
        skipped = f"SELECT count(*) FROM images {sql.by_skipped} WHERE state = 'skipped'"  # noqa: S608 - constants
        return Counts(self._database.value(indexed(sql)), self._database.value(skipped))

    def displaced(self) -> IdArray:
        """The ids of images that have no place now: see ``values.displaced_name``."""
        displaced = self._database.sql.displaced
        rows = self._database.rows(f"SELECT id FROM images WHERE {displaced} AND state = 'indexed'")  # noqa: S608 - constants
        return np.array([row[0] for row in rows], dtype=np.int64)

    def count_found(self) -> int:
        """How many images can be found: indexed, and not displaced."""
        with self.snapshot():
            return self.counts().indexed - len(self.displaced())

    def record(self, id_: int) -> ImageRecord | None:
        """The image of this id."""
        if abs(id_) >= 2**63:  # more than SQLite's integers hold
            return None
        row = self._database.row(RECORD + " WHERE images.id = ?", (id_,))
        return self._rows.record(row) if row else None

    def in_place_among(self, ids: Iterable[int]) -> set[int]:
        """Those of the ids that are of images, or bad files, that have their place."""
        rows = self._database.rows(
            f"SELECT id FROM images WHERE id {self._database.sql.in_ids}"  # noqa: S608 - constants
            f" AND {self._database.sql.in_place}",
            (json.dumps([id_ for id_ in ids if abs(id_) < 2**63]),),
        )
        return {id_ for (id_,) in rows}

    def skipped_among(self, ids: Iterable[int]) -> set[int]:
        """Those of the ids that are bad files."""
        rows = self._database.rows(
            f"SELECT id FROM images WHERE id {self._database.sql.in_ids}"  # noqa: S608 - constants
            " AND state = 'skipped'",
            (json.dumps(list(ids)),),
        )
        return {id_ for (id_,) in rows}

    def records(self, ids: Iterable[int]) -> dict[int, ImageRecord]:
        """The images of these ids, those that there are.

        Raises:
            CollectionCorruptError: one of them, or its embedding, is not as it was written.
        """
        rows = self._database.rows(
            f"{EMBEDDED_RECORD} WHERE images.id {self._database.sql.in_ids}",
            (json.dumps([int(id_) for id_ in ids]),),
        )
        return {row[0]: self._rows.embedded_record(row) for row in rows}

    def record_at(self, path: str) -> ImageRecord | None:
        """The image at the canonical ``path``."""
        folder, name = os.path.split(path)
        root_id, inner = self.places.locate(folder)
        row = self._database.row(
            RECORD + " WHERE folders.root_id = ? AND folders.path = ? AND images.name = ?",
            (root_id, os.fsencode(inner), os.fsencode(name)),
        )
        return self._rows.record(row) if row else None

    def all_records(self, *, skipped: bool = False, after: int = 0) -> Iterator[ImageRecord]:
        """Every indexed image that has its place (or every skipped one) in order of id.

        With ``after``, only those of a greater id.

        Raises:
            CollectionCorruptError: one of them is not as it was written, or some are missing.
        """
        state, count = "skipped" if skipped else "indexed", 0
        moment = self.moment
        query = f"{RECORD} WHERE images.state = ? AND images.id > ? ORDER BY images.id LIMIT ?"
        for rows in self._database.parts(query, state, after=after or -1):
            records = map(self._rows.record, rows)
            yield from (record for record in records if not is_displaced(record.path))
            count += len(rows)
        with self.snapshot():
            if not after and self.moment == moment:
                self.check_count(count, skipped=skipped)

    def check_count(self, found: int, *, skipped: bool = False) -> None:
        """Compare how many images were read with how many there should be.

        Raises:
            CollectionCorruptError: it is another number.
        """
        counts = self.counts()
        expected = counts.skipped if skipped else counts.indexed
        if found != expected:
            raise CollectionCorruptError(self.path, f"{found:,} of {expected:,} images can be read")

    def indexed_with_content(self, content_hash: str, limit: int) -> list[ImageRecord]:
        """The first ``limit`` indexed images whose file has this content, oldest first."""
        if self._rows.lacks(bytes.fromhex(content_hash)):
            return []
        rows = self._database.rows(
            RECORD + " WHERE images.content_hash = ? AND images.state = 'indexed'"
            " ORDER BY images.id LIMIT ?",
            (bytes.fromhex(content_hash), limit),
        )
        return [self._rows.record(row) for row in rows]

    def still_at(self, seen: Mapping[int, tuple[int, bytes]]) -> set[int]:
        """Those of the ids that are where they were seen, by folder and name.

        Call within a transaction. In a catalog with one writer they all are.
        """
        return self.files.still_at(seen) if self.is_shared else set(seen)

    def ids_below(self, folder: str) -> list[int]:
        """The ids of all images at and below the absolute path of a folder."""
        return [
            known.id
            for folder_id in self.places.folder_ids_below(folder)
            for known in self.files.in_folder(folder_id).values()
        ]

    # Embeddings

    def changed_since(self, generation: int) -> int:
        """How many embeddings are new, changed or taken away since ``generation``."""
        since = f"{indexed(self._database.sql)} AND generation > ?"
        changed: int = self._database.value(since, (generation,))
        return changed + self.removals.count_since(generation)

    def indexed_ids(self) -> IdArray:
        """The ids of all indexed images, in order."""
        rows = self._database.rows("SELECT id FROM images WHERE state = 'indexed' ORDER BY id")
        return np.array([row[0] for row in rows], dtype=np.int64)

    def picture(self, id_: int) -> Picture:
        """What indexing the file of an indexed image yielded."""
        image = self._rows.image_of(id_)
        stored = self.embeddings.of(np.array([id_], dtype=np.int64))
        if image is None or not len(stored.ids):
            raise CollectionCorruptError(self.path, f"image {id_} has no embedding")
        try:
            traits = self.traits.of(id_)
        except CollectionCorruptError:
            traits = None  # no more than the file says: another sync reads them
        return Picture(
            # without one: taken over from elsewhere, and not seen since
            content_hash=image.content_hash.hex() if image.content_hash else "",
            width=image.width or 0,
            height=image.height or 0,
            unit=stored.units[0],
            norm=float(stored.norms[0]),
            traits=traits,
        )
