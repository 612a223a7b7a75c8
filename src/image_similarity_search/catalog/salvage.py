"""A new catalog of what can still be read of a damaged one.

Rows are read page by page, without SQLite's help, and only those count whose checksum is right.
So it does not matter which pages are damaged, what led to them, or what order they are in; and a
row of a former version, which a page may still hold, is told by its generation and by the checksum
that an image has of its embedding.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from image_similarity_search.catalog.checksums import Checksums
from image_similarity_search.catalog.database import Database
from image_similarity_search.catalog.forgotten import ForgottenTags
from image_similarity_search.catalog.meta import PROGRESS, problem_of
from image_similarity_search.catalog.pages import Pages, StoredRow
from image_similarity_search.catalog.places import Places
from image_similarity_search.catalog.rows import ImageRow, Rows
from image_similarity_search.catalog.schema import LOOSE_ROOT
from image_similarity_search.catalog.values import Forgotten
from image_similarity_search.reports import RepairReport

LOST_AND_FOUND = "lost+found"
"""The folder, beside the catalog, in which images count as lying whose own folder was lost."""

_ROOT, _FOLDER, _IMAGE, _EMBEDDING, _FORGOTTEN = 3, 4, len(ImageRow._fields), 4, 6  # columns
_NOTE = (
    f"INSERT INTO found VALUES ({', '.join('?' * _IMAGE)}) ON CONFLICT (id) DO UPDATE SET"  # noqa: S608 - constants
    f" {', '.join(f'{column} = excluded.{column}' for column in ImageRow._fields[1:])}"
    " WHERE excluded.generation > generation"
)

_REENCODE = "its embedding was damaged; the next 'iss index' encodes it again"
_FIRST = 1  # the generation of everything that was saved


class NothingSavedError(Exception):
    """There is nothing to make a catalog of; the message says why."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was found: the old ``meta``, and the ids of all images that have left a trace."""

    meta: dict[str, str]
    ids: set[int]


def salvage(
    damaged: str, target: str, made_with: Mapping[str, str], report: RepairReport
) -> Salvaged:
    """Make a catalog at ``target`` of the file ``damaged``; ``report`` says what was saved.

    ``made_with`` stands in for a ``meta`` that is lost. The new catalog has an id of its own.

    Raises:
        NothingSavedError: what the collection was made with is lost, or all of its images.
    """
    old = _meta_of(damaged) or dict(made_with)
    if "id" not in old:
        raise NothingSavedError("its settings can't be read")
    made_with = {key: value for key, value in old.items() if key not in PROGRESS}
    new = made_with | {"id": uuid.uuid4().hex, "generation": str(_FIRST)}
    with closing(Database.create(target, new)) as database:
        database.write("PRAGMA foreign_keys = OFF")  # embeddings come before their images
        work = _Salvage(damaged, target, database, report)
        with database.transaction():
            work.run(Checksums(old["id"]), Checksums(new["id"]))
    if not report.images + report.reencoded + report.skipped:
        raise NothingSavedError("none of its images can be read")
    return Salvaged(old, work.ids)


def _meta_of(damaged: str) -> dict[str, str] | None:
    pairs = [
        values
        for rowid, values in _rows_of(damaged)
        if rowid is None and len(values) == 2 and all(isinstance(value, str) for value in values)
    ]
    meta = {str(key): str(value) for key, value in pairs}
    if problem_of(meta):
        return None
    del meta["crc32"]
    return meta


def _rows_of(path: str) -> Iterator[StoredRow]:
    with open(path, "rb") as file:
        yield from Pages(file).rows()


class _Salvage:
    """One salvage, within one transaction of the new catalog."""

    def __init__(self, damaged: str, target: str, database: Database, report: RepairReport) -> None:
        self.ids: set[int] = set()
        self._damaged = damaged
        self._lost_and_found = os.path.join(os.path.dirname(target), LOST_AND_FOUND)
        self._database = database
        self._report = report
        self._forgotten: dict[tuple[int, int], list[Any]] = {}
        self._roots: dict[int, bytes] = {}
        self._folders: dict[int, tuple[int, bytes]] = {}
        self._kept_folders: set[int] = set()
        self._last_id = 0

    def run(self, old: Checksums, new: Checksums) -> None:
        """Do it, given the checksums of the old catalog and of the new one."""
        self._old, self._new = old, new
        self._rows = Rows(self._database, new)
        self._places = Places(self._database, self._rows)
        columns = ", ".join(ImageRow._fields[1:])
        self._database.write(f"CREATE TEMP TABLE found (id INTEGER PRIMARY KEY, {columns})")
        for rowid, values in _rows_of(self._damaged):
            if rowid is not None:
                self._find([rowid, *values[1:]], values[0])
            elif len(values) == _FORGOTTEN and self._is_whole("forgotten", values):
                self._forgotten[values[0], values[1]] = values
        self._keep_forgotten()
        self._keep_places()
        self._keep_embeddings()
        self._keep_images()
        self._finish()

    def _find(self, row: list[Any], first: Any) -> None:
        """Note a row, if it is whole and of one of the tables; embeddings come later."""
        if first == "images" and len(row) == 2:  # of SQLite's own table: the last id
            self._last_id = max(self._last_id, int(row[1]))
        elif len(row) == _ROOT and self._is_whole("roots", row):
            self._roots[row[0]] = row[1]
        elif len(row) == _FOLDER and self._is_whole("folders", row):
            self._folders[row[0]] = (row[1], row[2])
        elif len(row) == _IMAGE and self._is_whole("images", row):
            image = ImageRow(*row)
            self._last_id = max(self._last_id, image.id)
            if image.state == "indexed":
                self.ids.add(image.id)
            self._database.write(_NOTE, row)

    def _keep_forgotten(self) -> None:
        images = [
            Forgotten(id_, content.hex(), os.fsdecode(name), json.loads(tags))
            for _, (_, id_, content, name, tags, _) in sorted(self._forgotten.items())
        ]
        ForgottenTags(self._database, self._rows, self._new).put_all(images, _FIRST)

    def _is_whole(self, table: str, row: list[Any]) -> bool:
        whole: bool = self._old.of(table, *row[:-1]) == row[-1]
        return whole

    def _keep_places(self) -> None:
        for id_, path in self._roots.items():
            if id_ != LOOSE_ROOT:  # which is there already
                self._database.write("INSERT INTO roots VALUES (?, ?, 0)", (id_, path))
                self._rows.update_root(id_, path)
        for id_, (root_id, path) in self._folders.items():
            if root_id == LOOSE_ROOT or root_id in self._roots:
                self._database.write(
                    "INSERT INTO folders VALUES (?, ?, ?, 0)", (id_, root_id, path)
                )
                self._rows.update_folder(id_, root_id, path)
                self._kept_folders.add(id_)

    def _keep_embeddings(self) -> None:
        """Keep of each image the embedding that it was written with."""
        for rowid, values in _rows_of(self._damaged):
            if rowid is None or len(values) != _EMBEDDING or not isinstance(values[3], bytes):
                continue
            _, norm, crc32, unit = values
            norm = float(norm) if isinstance(norm, int) else norm  # SQLite writes 1.0 as 1
            if not isinstance(norm, float) or self._old.of_embedding(rowid, norm, unit) != crc32:
                continue
            self.ids.add(rowid)
            image = self._database.row("SELECT embedding_crc32 FROM found WHERE id = ?", (rowid,))
            if image == (crc32,):
                self._database.write(
                    "INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?, ?)",
                    (rowid, norm, self._new.of_embedding(rowid, norm, unit), unit),
                )

    def _keep_images(self) -> None:
        """Keep the images; of two at one place the newer, since the older was deleted."""
        ids = self._database.rows("SELECT id FROM found ORDER BY generation DESC, id DESC")
        for (id_,) in ids:
            *image, crc32 = self._database.rows(
                "SELECT found.*, embeddings.crc32 FROM found"
                " LEFT JOIN embeddings ON image_id = found.id WHERE found.id = ?",
                (id_,),
            )[0]
            self._keep_image(ImageRow(*image)._replace(generation=_FIRST), crc32)

    def _keep_image(self, image: ImageRow, crc32: int | None) -> None:
        placed = image.folder_id in self._kept_folders
        whole = image.state == "indexed" and crc32 is not None
        if not placed:
            if not whole:
                return  # neither what it shows nor where it is
            folder_id = self._places.require_folder(
                *self._places.require_root(self._lost_and_found)
            )
            name = b"%d-%b" % (image.id, image.name.lstrip(b"\0"))
            image = image._replace(folder_id=folder_id, name=name)
        elif self._rows.image_at(image.folder_id, image.name):
            return
        if image.state == "indexed" and not whole:
            image = image._replace(
                state="skipped", reason=_REENCODE, content_hash=None, width=None, height=None
            )
            self._report.reencoded += 1
        elif whole:
            self._report.images += 1
            self._report.misplaced += not placed
        else:
            self._report.skipped += 1
        self._rows.insert_image(image)
        self._rows.update_image(image._replace(embedding_crc32=crc32))

    def _finish(self) -> None:
        self._database.write(
            "DELETE FROM embeddings WHERE image_id NOT IN"
            " (SELECT id FROM images WHERE state = 'indexed')"
        )
        self._database.write("DROP TABLE found")
        self._places.forget_empty()
        last = max([self._last_id, *self.ids])
        self._database.use_up(last)
