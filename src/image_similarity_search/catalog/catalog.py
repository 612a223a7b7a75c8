"""What can be asked of the catalog, and told to it."""

from __future__ import annotations

import json
import os
import struct
import uuid
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Self

import numpy as np

from image_similarity_search.catalog.database import Database, Row
from image_similarity_search.catalog.places import Place, Places, joined
from image_similarity_search.catalog.values import (
    Counts,
    Embeddings,
    FileStat,
    Identity,
    Known,
    Picture,
)
from image_similarity_search.errors import CollectionCorruptError
from image_similarity_search.types import HalfArray, IdArray, ImageRecord

FILE_NAME = "catalog.sqlite"

_RECORD = (
    "SELECT images.id, roots.path, folders.path, images.name, images.size, images.mtime_ns,"
    " images.content_hash, images.width, images.height, images.state, images.reason,"
    " images.metadata FROM images JOIN folders ON folders.id = images.folder_id"
    " JOIN roots ON roots.id = folders.root_id"
)
_RECORD_OF_IDS = f"{_RECORD} WHERE images.id IN (SELECT value FROM json_each(?))"  # noqa: S608 - both parts are constants
_ROWS_PER_READ = 4096
_UNIT_DTYPE = np.dtype("<f2")


class Catalog:
    """The truth about every image. Changes are made within ``transaction``."""

    def __init__(self, folder: str) -> None:
        """Open the catalog in ``folder``; errors as ``Database`` raises them."""
        self._database = Database(os.path.join(folder, FILE_NAME))
        self._begin()

    @classmethod
    def create(cls, folder: str, identity: Identity) -> Self:
        """Make a catalog in the existing ``folder`` and open it; the caller holds the lock."""
        meta = {key: str(value) for key, value in asdict(identity).items()}
        meta |= {"id": uuid.uuid4().hex, "generation": "0"}
        catalog = cls.__new__(cls)
        catalog._database = Database.create(os.path.join(folder, FILE_NAME), meta)
        catalog._begin()
        return catalog

    def _begin(self) -> None:
        self.places = Places(self._database)
        try:
            self.read_identity()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @property
    def generation(self) -> int:
        """A number that grows with every change."""
        value = self._database.value("SELECT value FROM meta WHERE key = 'generation'")
        if not str(value).isdecimal():
            raise CollectionCorruptError(self._database.path, f"its generation is {value!r}")
        return int(value)

    def check_in_place(self) -> None:
        """Raise CollectionNotFoundError where the open file was deleted, moved or replaced."""
        self._database.check_in_place()

    def generation_and_count(self) -> tuple[int, int]:
        """The generation and the number of indexed images, of one moment."""
        row = self._database.row(
            "SELECT (SELECT value FROM meta WHERE key = 'generation'),"
            " (SELECT count(*) FROM images WHERE state = 'indexed')"
        )
        assert row is not None  # noqa: S101 - such a query always has one row
        return int(row[0]), int(row[1])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Changes made inside are kept together or not at all, as the next generation."""
        with self._database.transaction():
            self._database.write(
                "UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'generation'"
            )
            yield

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """Let all questions inside be answered as of now, whatever other processes change."""
        with self._database.one_moment():
            yield

    # What is there

    def counts(self) -> Counts:
        """How many images are indexed and skipped."""
        count = "SELECT count(*) FROM images WHERE state = "
        return Counts(
            indexed=self._database.value(count + "'indexed'"),
            skipped=self._database.value(count + "'skipped'"),
        )

    def record(self, id_: int) -> ImageRecord | None:
        """The image of this id."""
        if abs(id_) >= 2**63:  # more than SQLite's integers hold
            return None
        row = self._database.row(_RECORD + " WHERE images.id = ?", (id_,))
        return _record(row) if row else None

    def set_index(self, kind: str) -> None:
        """Record another kind of store; call within a transaction."""
        self._database.write("UPDATE meta SET value = ? WHERE key = 'index'", (kind,))
        self.read_identity()

    def set_identity(self, identity: Identity) -> None:
        """Record what was not known when the catalog was made; call within a transaction."""
        meta = {key: str(value) for key, value in asdict(identity).items() if key != "id"}
        self._database.write_many("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())
        self.read_identity()

    def forget_removals(self) -> None:
        """Drop what stores need to catch up; those that are behind will be made anew."""
        self._database.write("DELETE FROM removals")

    def records(self, ids: Iterable[int]) -> dict[int, ImageRecord]:
        """The images of these ids, those that there are."""
        rows = self._database.rows(
            _RECORD_OF_IDS,
            (json.dumps([int(id_) for id_ in ids]),),
        )
        return {row[0]: _record(row) for row in rows}

    def record_at(self, path: str) -> ImageRecord | None:
        """The image at the canonical ``path``."""
        folder, name = os.path.split(path)
        root_id, inner = self.places.locate(folder)
        row = self._database.row(
            _RECORD + " WHERE folders.root_id = ? AND folders.path = ? AND images.name = ?",
            (root_id, os.fsencode(inner), os.fsencode(name)),
        )
        return _record(row) if row else None

    def all_records(self, *, skipped: bool = False) -> Iterator[ImageRecord]:
        """Every indexed image (or every skipped one) in order of id."""
        state, last = "skipped" if skipped else "indexed", 0
        query = f"{_RECORD} WHERE images.state = ? AND images.id > ? ORDER BY images.id LIMIT ?"
        while rows := self._database.rows(query, (state, last, _ROWS_PER_READ)):
            yield from map(_record, rows)
            last = rows[-1][0]

    def indexed_with_content(self, content_hash: str, limit: int) -> list[ImageRecord]:
        """The first ``limit`` indexed images whose file has this content, oldest first."""
        rows = self._database.rows(
            _RECORD + " WHERE images.content_hash = ? AND images.state = 'indexed'"
            " ORDER BY images.id LIMIT ?",
            (bytes.fromhex(content_hash), limit),
        )
        return [_record(row) for row in rows]

    def ids_below(self, folder: str) -> list[int]:
        """The ids of all images at and below the absolute path of a folder."""
        return [
            known.id
            for folder_id in self.places.folder_ids_below(folder)
            for known in self.files_in(folder_id).values()
        ]

    def files_in(self, folder_id: int) -> dict[str, Known]:
        """The files known in a folder, by name."""
        rows = self._database.rows(
            "SELECT name, id, size, mtime_ns, content_hash, state = 'skipped'"
            " FROM images WHERE folder_id = ?",
            (folder_id,),
        )
        return {
            os.fsdecode(name): Known(id_, FileStat(size, mtime), _hex(digest), bool(skipped))
            for name, id_, size, mtime, digest, skipped in rows
        }

    # Embeddings

    def embeddings(self, ids: IdArray) -> Embeddings:
        """The embeddings of these ids, those that there are, in no particular order."""
        return self._embeddings(
            "SELECT image_id, norm, unit, crc32 FROM embeddings"
            " WHERE image_id IN (SELECT value FROM json_each(?))",
            (json.dumps(ids.tolist()),),
        )

    def indexed_ids(self) -> IdArray:
        """The ids of all indexed images, in order."""
        rows = self._database.rows("SELECT id FROM images WHERE state = 'indexed' ORDER BY id")
        return np.array([row[0] for row in rows], dtype=np.int64)

    def picture(self, id_: int) -> Picture:
        """What indexing the file of an indexed image yielded."""
        row = self._database.row(
            "SELECT content_hash, width, height FROM images WHERE id = ?", (id_,)
        )
        stored = self.embeddings(np.array([id_], dtype=np.int64))
        if row is None or not len(stored.ids):
            raise CollectionCorruptError(self._database.path, f"image {id_} has no embedding")
        return Picture(row[0].hex(), row[1], row[2], stored.units[0], float(stored.norms[0]))

    def embeddings_since(self, generation: int) -> Iterator[Embeddings]:
        """The embeddings that are new or changed since ``generation``, a part at a time.

        Raises:
            CollectionCorruptError: an embedding's checksum is wrong.
        """
        last = 0
        while True:
            part = self._embeddings(
                "SELECT image_id, norm, unit, crc32 FROM images"
                " JOIN embeddings ON image_id = images.id"
                " WHERE state = 'indexed' AND generation > ? AND images.id > ?"
                " ORDER BY images.id LIMIT ?",
                (generation, last, _ROWS_PER_READ),
            )
            if not len(part.ids):
                return
            yield part
            last = int(part.ids[-1])

    def removed_since(self, generation: int) -> IdArray:
        """The ids whose embedding was taken away since ``generation``."""
        rows = self._database.rows(
            "SELECT DISTINCT image_id FROM removals WHERE generation > ?", (generation,)
        )
        return np.array([row[0] for row in rows], dtype=np.int64)

    def _embeddings(self, sql: str, parameters: tuple[Any, ...]) -> Embeddings:
        rows = self._database.rows(sql, parameters)
        dim = self.identity.dim
        for id_, norm, unit, checksum in rows:
            if len(unit) != dim * _UNIT_DTYPE.itemsize or _checksum(unit, norm) != checksum:
                raise CollectionCorruptError(
                    self._database.path,
                    f"the embedding of image {id_} has a wrong checksum; take it out"
                    f" ('iss remove --id {id_}') and index its folder again",
                )
        return Embeddings(
            ids=np.array([row[0] for row in rows], dtype=np.int64),
            units=np.frombuffer(b"".join(row[2] for row in rows), _UNIT_DTYPE).reshape(-1, dim),
            norms=np.array([row[1] for row in rows], dtype=np.float32),
        )

    # Changes, each within a transaction

    def put(self, place: Place, stat: FileStat, picture: Picture) -> int:
        """Record an indexed image, new or changed; returns its id."""
        digest = bytes.fromhex(picture.content_hash)
        id_ = self._upsert(place, stat, digest, picture.width, picture.height, None)
        self._database.write(
            "INSERT OR REPLACE INTO embeddings (image_id, norm, crc32, unit) VALUES (?, ?, ?, ?)",
            embedding_row(id_, picture.unit, picture.norm),
        )
        return id_

    def put_skipped(
        self, place: Place, stat: FileStat, content_hash: str | None, reason: str
    ) -> int:
        """Record a bad file; an embedding that it had is taken away. Returns its id."""
        digest = bytes.fromhex(content_hash) if content_hash else None
        id_ = self._upsert(place, stat, digest, None, None, reason)
        self._take_away([id_])
        return id_

    def move(self, id_: int, place: Place, stat: FileStat) -> int | None:
        """The file of an image is now elsewhere, or was touched; its content is the same.

        An image that was recorded at that place is displaced: it gets a name that no file has,
        until its file is found elsewhere too, or it is removed. Returns its id, if there is one.
        """
        there = self._database.row(
            "SELECT id FROM images WHERE folder_id = ? AND name = ? AND id != ?",
            (place.folder_id, os.fsencode(place.name), id_),
        )
        if there:
            self._database.write(
                "UPDATE images SET name = ? WHERE id = ?",
                (b"\0displaced-%d" % there[0], there[0]),
            )
        self._database.write(
            "UPDATE images SET folder_id = ?, name = ?, size = ?, mtime_ns = ? WHERE id = ?",
            (place.folder_id, os.fsencode(place.name), stat.size, stat.mtime_ns, id_),
        )
        return int(there[0]) if there else None

    def remove(self, ids: Iterable[int]) -> None:
        """Forget these images."""
        gone = [int(id_) for id_ in ids]
        self._take_away(gone)
        self._database.write_many("DELETE FROM images WHERE id = ?", ((id_,) for id_ in gone))

    def _upsert(
        self,
        place: Place,
        stat: FileStat,
        digest: bytes | None,
        width: int | None,
        height: int | None,
        reason: str | None,
    ) -> int:
        state = "skipped" if reason is not None else "indexed"
        values = (stat.size, stat.mtime_ns, digest, width, height, state, reason)
        row = self._database.row(
            "INSERT INTO images (folder_id, name, size, mtime_ns, content_hash, width, height,"
            " state, reason, generation) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (folder_id, name) DO UPDATE SET size = excluded.size,"
            " mtime_ns = excluded.mtime_ns, content_hash = excluded.content_hash,"
            " width = excluded.width, height = excluded.height, state = excluded.state,"
            " reason = excluded.reason, generation = excluded.generation RETURNING id",
            (place.folder_id, os.fsencode(place.name), *values, self.generation),
        )
        assert row is not None  # noqa: S101 - RETURNING always gives the row
        return int(row[0])

    def _take_away(self, ids: list[int]) -> None:
        """Remove embeddings, and remember for stores that catch up later."""
        generation = self.generation
        self._database.write_many(
            "INSERT OR IGNORE INTO removals SELECT ?, image_id FROM embeddings WHERE image_id = ?",
            ((generation, id_) for id_ in ids),
        )
        self._database.write_many(
            "DELETE FROM embeddings WHERE image_id = ?", ((id_,) for id_ in ids)
        )

    def read_identity(self) -> Identity:
        """What the collection was made with, read again: another process may change ``index``."""
        meta: dict[str, Any] = dict(self._database.rows("SELECT key, value FROM meta"))
        try:
            self.identity = Identity(
                encoder=meta["encoder"],
                fingerprint=meta["fingerprint"],
                dim=int(meta["dim"]),
                metric=meta["metric"],
                index=meta["index"],
                id=meta["id"],
                encoder_spec=meta.get("encoder_spec", ""),
            )
        except (KeyError, ValueError) as error:
            raise CollectionCorruptError(self._database.path, f"meta: {error!r}") from error
        return self.identity


def embedding_row(id_: int, unit: HalfArray, norm: float) -> Row:
    """A row of the table ``embeddings``: image_id, norm, crc32, unit."""
    norm, data = float(norm), unit.astype(_UNIT_DTYPE).tobytes()
    return id_, norm, _checksum(data, norm), data


def _record(row: Row) -> ImageRecord:
    id_, root, folder, name, size, mtime, digest, width, height, state, reason, metadata = row
    return ImageRecord(
        id=id_,
        path=joined(root, folder, name),
        size=size,
        mtime_ns=mtime,
        content_hash=_hex(digest),
        width=width,
        height=height,
        state=state,
        reason=reason,
        metadata=json.loads(metadata),
    )


def _hex(digest: bytes | None) -> str | None:
    return digest.hex() if digest is not None else None


def _checksum(unit: bytes, norm: float) -> int:
    return zlib.crc32(unit, zlib.crc32(struct.pack("<d", norm)))
