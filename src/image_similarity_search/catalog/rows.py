"""Rows of the tables ``images``, ``folders`` and ``roots``, each checked when it is read."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from image_similarity_search.addresses import is_address
from image_similarity_search.catalog import lacking
from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.checksums import Checksums
from image_similarity_search.catalog.dialect import Dialect
from image_similarity_search.catalog.etags import etag_in
from image_similarity_search.catalog.parts import Row
from image_similarity_search.catalog.values import PLACES, FileStat, Known
from image_similarity_search.errors import CollectionCorruptError
from image_similarity_search.types import ImageRecord

_AT_ONCE = 1024  # images that one statement reads
_MOST_REMEMBERED = 65_536  # folders that were found whole, so that each is checked once


class ImageRow(NamedTuple):
    """A row of ``images``: its columns in order; ``crc32`` is sealed when it is written."""

    id: int
    folder_id: int
    name: bytes
    size: int
    mtime_ns: int
    content_hash: bytes | None = None
    width: int | None = None
    height: int | None = None
    state: str = "indexed"
    reason: str | None = None
    generation: int = 0
    metadata: str = "{}"
    embedding_crc32: int | None = None
    crc32: int = 0


_WIDTH = len(ImageRow._fields)
_EMBEDDING_CRC32 = ImageRow._fields.index("embedding_crc32")
IMAGE_COLUMNS = ", ".join(f"images.{column}" for column in ImageRow._fields)
_COLUMNS = (
    f"{IMAGE_COLUMNS}, folders.id, folders.root_id, folders.path, folders.crc32,"
    " roots.id, roots.path, roots.crc32"
)
_JOINED = (
    "images LEFT JOIN folders ON folders.id = images.folder_id"
    " LEFT JOIN roots ON roots.id = folders.root_id"
)
RECORD = f"SELECT {_COLUMNS} FROM {_JOINED}"  # noqa: S608 - constants
"""A row of ``images`` with those of its folder and root; nulls where these are missing."""
EMBEDDED_RECORD = (
    f"SELECT {_COLUMNS}, embeddings.crc32 FROM {_JOINED}"  # noqa: S608 - constants
    " LEFT JOIN embeddings ON image_id = images.id"
)
"""The same, and the checksum of the embedding."""

_SET = ", ".join(f"{column} = ?" for column in ImageRow._fields[1:])
_INSERT = (
    f"INSERT INTO images ({', '.join(ImageRow._fields)})"  # noqa: S608 - constants
    f" VALUES ({', '.join('?' for _ in ImageRow._fields)})"
)
_INSERT_NEW = (
    f"INSERT INTO images ({', '.join(ImageRow._fields[1:])})"  # noqa: S608 - constants
    f" VALUES ({', '.join('?' for _ in ImageRow._fields[1:])})"
)


def indexed(sql: Dialect) -> str:
    """How many images are indexed, by an index that damage to the table does not touch."""
    return f"SELECT count(*) FROM images {sql.by_generation} WHERE state = 'indexed'"  # noqa: S608 - constants


class Rows:
    """Reads and writes rows of one catalog.

    Whatever reads raises CollectionCorruptError where a row is not as it was written.
    """

    def __init__(self, database: AnyDatabase, checksums: Checksums) -> None:
        self._database = database
        self._checksums = checksums
        self._whole: set[Row] = set()
        self._folders: dict[Row, str] = {}  # by their row and that of their root, both checked
        self._contents: set[bytes] = set()  # these three are not there
        self._unforgotten: set[bytes] = set()
        self._places: set[tuple[int, bytes]] = set()
        self.begin(0)

    def begin(self, generation: int) -> None:
        """A transaction of this generation begins."""
        self._generation = generation
        self.edited: set[str] = set()  # of images whose generation stays: see ``edits``

    # What is not there

    def look_ahead(self, contents: Sequence[bytes], places: Sequence[tuple[int, bytes]]) -> None:
        """Ask which of these are not there; it is remembered to the end of the transaction."""
        self._contents = lacking.contents(self._database, contents)
        self._unforgotten = lacking.forgotten(self._database, contents)
        self._places = lacking.places(self._database, places)

    def look_no_further(self) -> None:
        """What was asked ahead counts no more, as when others may have changed it."""
        self._contents, self._unforgotten, self._places = set(), set(), set()

    def lacks(self, content: bytes) -> bool:
        """Whether it is known, without a question, that no indexed image has this content."""
        return content in self._contents

    def was_never_forgotten(self, content: bytes) -> bool:
        """Whether it is known, without a question, that ``forgotten`` has not this content."""
        return content in self._unforgotten

    def _is_there(self, image: ImageRow) -> None:
        self._places.discard((image.folder_id, image.name))
        if image.content_hash:
            self._contents.discard(image.content_hash)

    # Images

    def image(self, row: Row) -> ImageRow:
        """The row of an image, checked."""
        image = ImageRow(*row[:_WIDTH])
        if self._checksums.of_image(image) != image.crc32:
            raise self._damaged("image", image.id)
        return image

    def record(self, row: Row) -> ImageRecord:
        """The record of an image, from a row of ``RECORD``, checked."""
        image = self.image(row)
        return ImageRecord(
            id=image.id,
            path=self._folder(row[_WIDTH : _WIDTH + 7]) + os.fsdecode(image.name),
            size=image.size,
            mtime_ns=image.mtime_ns,
            content_hash=_hex(image.content_hash),
            width=image.width,
            height=image.height,
            state="skipped" if image.state == "skipped" else "indexed",
            reason=image.reason,
            metadata=json.loads(image.metadata),
        )

    def embedded_record(self, row: Row) -> ImageRecord:
        """The same, from a row that ends with the checksum of the image's embedding."""
        record = self.record(row)
        if row[_EMBEDDING_CRC32] != row[-1]:
            reason = (
                f"the embedding of image {record.id} is missing, or belongs to another version"
                " of the file"
            )
            raise CollectionCorruptError(self._database.path, reason)
        return record

    def known_by_name(self, rows: Iterable[Row]) -> dict[str, Known]:
        """What tells whether files changed, by their names, from rows of images, checked."""
        checksum, found = self._checksums.of_image, {}
        encoding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
        for row in rows:
            if checksum(row) != row[-1]:
                raise self._damaged("image", row[0])
            digest, skipped = row[5], row[8] == "skipped"
            stat = FileStat(row[3], row[4], etag_in(row[11]))
            known = Known(row[0], stat, digest and digest.hex(), skipped, (row[1], row[2]))
            found[row[2].decode(encoding, errors)] = known
        return found

    def image_at(self, folder_id: int, name: bytes) -> ImageRow | None:
        """The image of this place."""
        if (folder_id, name) in self._places:
            return None
        row = self._database.row(
            f"SELECT {IMAGE_COLUMNS} FROM images WHERE folder_id = ? AND name = ?",  # noqa: S608 - constants
            (folder_id, name),
        )
        return self.image(row) if row else None

    def image_of(self, id_: int) -> ImageRow | None:
        """The image of this id."""
        row = self._database.row(f"SELECT {IMAGE_COLUMNS} FROM images WHERE id = ?", (id_,))  # noqa: S608 - constants
        return self.image(row) if row else None

    def images_of(self, ids: Iterable[int]) -> Iterator[ImageRow]:
        """The images of these ids, those that there are, in order of id."""
        sought = sorted({int(id_) for id_ in ids})
        sql = f"SELECT {IMAGE_COLUMNS} FROM images WHERE id {self._database.sql.in_ids} ORDER BY id"  # noqa: S608 - constants
        for start in range(0, len(sought), _AT_ONCE):
            part = json.dumps(sought[start : start + _AT_ONCE])
            yield from map(self.image, self._database.rows(sql, (part,)))

    def insert_image(self, image: ImageRow) -> int:
        """Add an image, with an id of its own if it has 0; returns it. ``update_image`` seals."""
        self._is_there(image)
        id_ = image.id or self._database.reserved_id()
        if not id_:
            return self._database.insert(_INSERT_NEW, image[1:])
        self._database.write(_INSERT, (id_, *image[1:]))
        return id_

    def update_image(self, image: ImageRow, edited: str = PLACES) -> None:
        """Change the image with this row's id; ``crc32`` doesn't count.

        ``edited`` says what of it, where its generation stays.
        """
        if image.generation != self._generation:
            self.edited.add(edited)
        self._is_there(image)
        sealed = image._replace(crc32=self._checksums.of_image(image))
        self._database.write(f"UPDATE images SET {_SET} WHERE id = ?", (*sealed[1:], image.id))  # noqa: S608 - constants

    # Folders and roots

    def check_folder(self, id_: int, root_id: int, path: bytes, crc32: int) -> None:
        """Check a row of ``folders``."""
        self._check("folders", (id_, root_id, path), crc32)

    def check_root(self, id_: int, path: bytes, crc32: int) -> None:
        """Check a row of ``roots``."""
        self._check("roots", (id_, path), crc32)

    def insert_folder(self, root_id: int, path: bytes) -> None:
        """Add a folder, unless another process did just now; this may be outside a transaction."""
        id_: int = self._database.value(self._database.sql.next_folder)
        crc32 = self._checksums.of("folders", id_, root_id, path)
        self._database.write(
            "INSERT INTO folders VALUES (?, ?, ?, ?) ON CONFLICT (root_id, path) DO NOTHING",
            (id_, root_id, path, crc32),
        )

    def update_folder(self, id_: int, root_id: int, path: bytes) -> None:
        """Change the folder with this id."""
        crc32 = self._checksums.of("folders", id_, root_id, path)
        self._database.write(
            "UPDATE folders SET root_id = ?, path = ?, crc32 = ? WHERE id = ?",
            (root_id, path, crc32, id_),
        )

    def insert_root(self, path: bytes) -> int:
        """Add a root; returns its id."""
        id_ = self._database.insert("INSERT INTO roots (path, crc32) VALUES (?, 0)", (path,))
        self.update_root(id_, path)
        return id_

    def update_root(self, id_: int, path: bytes) -> None:
        """Change the root with this id."""
        crc32 = self._checksums.of("roots", id_, path)
        self._database.write(
            "UPDATE roots SET path = ?, crc32 = ? WHERE id = ?", (path, crc32, id_)
        )

    def _folder(self, rows: Row) -> str:
        """What stands before a name, from the rows of a folder and its root, checked."""
        path = self._folders.get(rows)
        if path is None:
            folder_id, root_id, folder, folder_crc32, _, root, root_crc32 = rows
            self.check_folder(folder_id, root_id, folder, folder_crc32)
            self.check_root(root_id, root, root_crc32)
            if len(self._folders) >= _MOST_REMEMBERED:
                self._folders.clear()
            path = self._folders[rows] = joined(root, folder, b"")
        return path

    def _check(self, table: str, values: Sequence[int | bytes], crc32: int) -> None:
        key = (table, *values, crc32)
        if key in self._whole:
            return
        if self._checksums.of(table, *values) != crc32:
            raise self._damaged(table.removesuffix("s"), values[0])
        if len(self._whole) >= _MOST_REMEMBERED:
            self._whole.clear()
        self._whole.add(key)

    def _damaged(self, what: str, id_: object) -> CollectionCorruptError:
        return CollectionCorruptError(
            self._database.path, f"the row of {what} {id_} has a wrong checksum or is missing"
        )


def joined(root: bytes, folder: bytes, name: bytes) -> str:
    """The absolute path of an image, from its three stored parts."""
    start, inner = os.fsdecode(root), os.fsdecode(folder)
    if is_address(start or inner):
        return "/".join((*filter(None, (start, inner)), os.fsdecode(name)))
    return os.path.join(start, inner.replace("/", os.sep), os.fsdecode(name))


def _hex(digest: bytes | None) -> str | None:
    return digest.hex() if digest is not None else None
