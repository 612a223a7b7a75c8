"""Everything that can be checked of a catalog by itself."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, TypeAlias

import numpy as np

from image_similarity_search.catalog import whereabouts
from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.checksums import Checksums
from image_similarity_search.catalog.database import Database
from image_similarity_search.catalog.embeddings import UNIT_DTYPE, EmbeddingTable
from image_similarity_search.catalog.forgotten import COLUMNS as FORGOTTEN_COLUMNS
from image_similarity_search.catalog.forgotten import ForgottenTags
from image_similarity_search.catalog.meta import problem_of
from image_similarity_search.catalog.parts import Row
from image_similarity_search.catalog.places import relative
from image_similarity_search.catalog.rows import IMAGE_COLUMNS, ImageRow, Rows
from image_similarity_search.catalog.schema import LOOSE_ROOT, SCHEMA
from image_similarity_search.catalog.traits import COLUMNS, TraitTable
from image_similarity_search.errors import CollectionCorruptError
from image_similarity_search.types import METRICS

_IMAGES = (
    f"SELECT {IMAGE_COLUMNS}, embeddings.crc32 FROM images"  # noqa: S608 - constants
    " LEFT JOIN embeddings ON image_id = images.id WHERE images.id > ?"
    " ORDER BY images.id LIMIT ?"
)
_EMBEDDINGS = (
    "SELECT image_id, norm, unit, crc32 FROM embeddings WHERE image_id > ?"
    " ORDER BY image_id LIMIT ?"
)
_TRAITS = f"SELECT {COLUMNS} FROM traits WHERE image_id > ? ORDER BY image_id LIMIT ?"  # noqa: S608 - constants
_STRUCTURE = (  # with what stands in for tables that an older format lacks
    "SELECT type, name, sql FROM sqlite_schema"
    " UNION ALL SELECT type, name, sql FROM sqlite_temp_schema"
)
_DIGEST_BYTES = 16

_Check: TypeAlias = Callable[[], Iterator[str]]


def inspect(path: str, checked: dict[str, int]) -> Iterator[str]:
    """What is wrong with the catalog at ``path``, and in ``checked`` how much was looked at.

    Raises:
        CollectionNotFoundError, CollectionNewerError: as ``Database`` does.
    """
    try:
        database = Database(path, read_only=True)
    except CollectionCorruptError as error:
        yield error.reason
        return
    with closing(database):
        inspector = _Inspector(database, checked)
        first = (inspector.structure, inspector.references, inspector.schema)
        yield from inspector.problems(*first, last=inspector.ids)


def inspect_shared(folder: str, checked: dict[str, int]) -> Iterator[str]:
    """The same, of the shared catalog of an index folder; its server looks after its files.

    Raises:
        CollectionNotFoundError, CollectionNewerError, CollectionUnavailableError: as
            ``SharedDatabase`` does.
    """
    with closing(whereabouts.opened(folder)) as database:
        yield from _Inspector(database, checked).problems()


class _Inspector:
    """Goes through one catalog; each check yields what is wrong."""

    def __init__(self, database: AnyDatabase, checked: dict[str, int]) -> None:
        self._database = database
        self._checked = checked
        self._meta: dict[str, Any] = {}
        self._last = 0  # the greatest id of an image

    def problems(self, *first: _Check, last: _Check | None = None) -> Iterator[str]:
        """What is wrong, at one moment; with what an SQLite file is checked by besides."""
        with self._database.snapshot():
            for check in self._checks(*first, last=last):
                try:
                    yield from check()
                except CollectionCorruptError as error:
                    yield error.reason

    def _checks(self, *first: _Check, last: _Check | None) -> Iterator[_Check]:
        """The checks, in order; what comes after ``meta`` needs what is in it."""
        yield from (*first, self._check_meta)
        if self._meta:
            self._checksums = Checksums(self._meta["id"])
            self._generation = int(self._meta["generation"])
            yield from (
                self._places,
                self._images,
                *([last] if last else ()),
                self._embeddings,
                self._traits,
                self._removals,
                self._forgotten,
            )

    def structure(self) -> Iterator[str]:
        """Whether SQLite finds its file whole."""
        self._checked["pages"] = int(self._database.value("PRAGMA page_count"))
        for (problem,) in self._database.rows("PRAGMA integrity_check(100)"):
            if problem != "ok":
                yield f"SQLite: {problem}"

    def references(self) -> Iterator[str]:
        """Whether rows refer to rows that are there."""
        for table, id_, referred, _ in self._database.rows("PRAGMA foreign_key_check"):
            yield f"row {id_} of {table} refers to a row of {referred} that is missing"

    def schema(self) -> Iterator[str]:
        """Whether tables and indexes are as they should be."""
        with closing(sqlite3.connect(":memory:")) as new:
            new.executescript(SCHEMA)
            expected = _tables(lambda sql, *values: new.execute(sql, values).fetchall())
        found = _tables(lambda sql, *values: self._database.rows(sql, values))
        for name, structure in expected.items():
            if found.get(name) != structure:
                yield f"{name} is not as the storage format has it"

    def _check_meta(self) -> Iterator[str]:
        meta: dict[str, str] = dict(self._database.rows("SELECT key, value FROM meta"))
        problem = problem_of(meta)
        if problem:
            yield problem
            return
        if not meta["dim"].isdecimal() or not meta["generation"].isdecimal():
            yield f"meta has dim {meta['dim']!r} and generation {meta['generation']!r}"
            return
        if meta["metric"] not in METRICS:
            yield f"meta has the metric {meta['metric']!r}"
        self._meta = meta

    def _places(self) -> Iterator[str]:
        roots: dict[int, str] = {}
        for id_, path, crc32 in self._database.rows("SELECT id, path, crc32 FROM roots"):
            if self._checksums.of("roots", id_, path) != crc32:
                yield f"the row of root {id_} has a wrong checksum"
            else:
                roots[id_] = os.fsdecode(path)
        self._checked["roots"] = len(roots) - (LOOSE_ROOT in roots)
        if roots.get(LOOSE_ROOT) != "":
            yield "the loose root is missing"
        named = {id_: path for id_, path in roots.items() if id_ != LOOSE_ROOT}
        for path in named.values():
            for other in named.values():
                if relative(path, other):
                    yield f"the root {path} lies in the root {other}"
        yield from self._folders(named)

    def _folders(self, roots: dict[int, str]) -> Iterator[str]:
        rows = self._database.rows("SELECT id, root_id, path, crc32 FROM folders")
        self._checked["folders"] = len(rows)
        for id_, root_id, path, crc32 in rows:
            if self._checksums.of("folders", id_, root_id, path) != crc32:
                yield f"the row of folder {id_} has a wrong checksum"
            elif root_id != LOOSE_ROOT and (path.startswith(b"/") or path.endswith(b"/")):
                yield f"folder {id_} has the path {path!r}"
            elif root_id == LOOSE_ROOT:
                folder = os.fsdecode(path)
                for root in roots.values():
                    if relative(folder, root) is not None:
                        yield f"the folder {folder} belongs to the root {root}"

    def _images(self) -> Iterator[str]:
        self._checked["images"] = 0
        for rows in self._database.parts(_IMAGES):
            self._checked["images"] += len(rows)
            self._last = rows[-1][0]
            for row in rows:
                problem = self._image_problem(ImageRow(*row[:-1]), row[-1])
                if problem:
                    yield f"image {row[0]} {problem}"

    def ids(self) -> Iterator[str]:
        """Whether ids are given once, by SQLite's memory of them."""
        used = self._database.row("SELECT seq FROM sqlite_sequence WHERE name = 'images'")
        if self._last > (used[0] if used else 0):
            yield "ids of images may be used twice"

    def _image_problem(self, image: ImageRow, embedding_crc32: int | None) -> str | None:
        if self._checksums.of("images", *image[:-1]) != image.crc32:
            return "has a wrong checksum"
        if not image.name or (b"/" in image.name and not image.name.startswith(b"\0")):
            return f"has the name {image.name!r}"
        if not 0 <= image.generation <= self._generation:
            return f"is of generation {image.generation}, of {self._generation}"
        if not _is_object(image.metadata):
            return "has metadata that is not a JSON object"
        if image.content_hash is not None and len(image.content_hash) != _DIGEST_BYTES:
            return f"has a content hash of {len(image.content_hash)} bytes"
        if image.state == "skipped":
            if embedding_crc32 is not None or image.embedding_crc32 is not None:
                return "is skipped, and has an embedding"
            return None if image.reason else "is skipped without a reason"
        if embedding_crc32 is None:
            return "has no embedding"
        if embedding_crc32 != image.embedding_crc32:
            return "has the embedding of another version of the file"
        if image.content_hash is not None and not (image.width and image.height):
            return "lacks a width or a height"
        if image.content_hash is None and (image.size or image.mtime_ns):
            return "lacks a content hash"
        return None

    def _embeddings(self) -> Iterator[str]:
        table = EmbeddingTable(self._database, self._checksums, int(self._meta["dim"]))
        self._checked["embeddings"] = 0
        for rows in self._database.parts(_EMBEDDINGS):
            self._checked["embeddings"] += len(rows)
            for row in rows:
                problem = table.problem_of(row) or _not_finite(row)
                if problem:
                    yield problem

    def _traits(self) -> Iterator[str]:
        table = TraitTable(self._database, self._checksums)
        for rows in self._database.parts(_TRAITS):
            for row in rows:
                if problem := table.problem_of(row):
                    yield problem

    def _removals(self) -> Iterator[str]:
        for id_, generation in self._database.rows(
            "SELECT image_id, generation FROM removals WHERE generation > ? OR generation < 0",
            (self._generation,),
        ):
            yield f"image {id_} was removed in generation {generation}, of {self._generation}"
        for (id_,) in self._database.rows(
            "SELECT images.id FROM removals JOIN images ON images.id = removals.image_id"
            " WHERE state = 'indexed' AND images.generation < removals.generation"
        ):
            yield f"image {id_} is both removed and present"

    def _forgotten(self) -> Iterator[str]:
        table = ForgottenTags(
            self._database, Rows(self._database, self._checksums), self._checksums
        )
        for row in self._database.rows(f"SELECT {FORGOTTEN_COLUMNS} FROM forgotten"):  # noqa: S608 - constants
            if problem := table.problem_of(row):
                yield problem


def _tables(query: Callable[..., list[Row]]) -> dict[str, Any]:
    """Tables and indexes by name: columns, keys, references, and what an index leaves out."""
    asked = ("table_xinfo", "index_xinfo", "foreign_key_list")
    return {
        name: [
            *(query(f"SELECT * FROM pragma_{what}(?)", name) for what in asked),  # noqa: S608 - constants
            sql if kind == "index" else None,
        ]
        for kind, name, sql in query(_STRUCTURE)
    }


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _not_finite(row: Row) -> str | None:
    id_, norm, unit, _ = row
    if np.isfinite(norm) and np.isfinite(np.frombuffer(unit, UNIT_DTYPE)).all():
        return None
    return f"the embedding of image {id_} is not finite"
