"""Make a damaged collection whole: what can be saved of its catalog, and a store of that."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import BinaryIO

from image_similarity_search.catalog import sqlite_files
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.database import Database
from image_similarity_search.catalog.history import moment_of
from image_similarity_search.catalog.inspection import inspect
from image_similarity_search.catalog.lock import sole_use, writer_lock
from image_similarity_search.catalog.salvage import NothingSavedError, Salvaged, salvage
from image_similarity_search.catalog.whereabouts import FILE_NAME, url_of
from image_similarity_search.collection.identity import refuse_lost
from image_similarity_search.collection.keepers import keeper_for
from image_similarity_search.collection.store_keeper import FILE_NAME as STORE_FILE_NAME
from image_similarity_search.collection.verify import verified
from image_similarity_search.errors import (
    CollectionCorruptError,
    CollectionNotFoundError,
    StoreUnavailableError,
    unwritable,
)
from image_similarity_search.reports import RepairReport, VerifyReport
from image_similarity_search.stores import index_file
from image_similarity_search.stores.kept import kept_ids

_CHUNK = 2**20
_SECTOR = 4096

_log = logging.getLogger(__name__)


def repaired(folder: str, *, wait: float = 0.0) -> RepairReport:
    """Check the collection in ``folder``, and make what is damaged anew.

    A damaged catalog is copied aside first, and never changed.

    Raises:
        CollectionNotFoundError: there is none.
        CollectionNewerError: it was made by a newer version.
        CollectionLockedError: another process is writing, or has the damaged catalog open.
        CollectionCorruptError: nothing can be saved; all is left as it was.
        CollectionUnwritableError: there is no room for it, or it is read-only.
    """
    report = RepairReport()
    path = os.path.join(folder, FILE_NAME)
    new, work = f"{path}.repaired.tmp", f"{path}.salvage.tmp"
    if url := url_of(folder):
        return _shared_repaired(folder, url, report, wait=wait)
    if not os.path.isfile(path):
        refuse_lost(folder, create=False)
        raise CollectionNotFoundError(folder)
    unopened = _why_unopened(path)
    with writer_lock(folder, wait=wait), _without(new, work):
        found = unopened or verified(folder)
        former = ""
        if found.counts["catalog"]:
            with unwritable(folder):
                former = _save_catalog(path, new, work, report)
        if found.damaged:
            with (
                closing(Catalog(folder)) as catalog,
                closing(keeper_for(catalog, folder, formerly=former)) as keeper,
            ):
                keeper.rebuild(None)
            report.store_rebuilt = True
    return report


def _why_unopened(path: str) -> VerifyReport | None:
    """What is wrong with a catalog that can't be opened, which brings an older format up to date.

    That takes the writer's lock, so it is tried before that is held. What is damaged stays of its
    format: its rows are as they are today.
    """
    try:
        Database(path, read_only=True).close()
    except CollectionCorruptError as error:
        report = VerifyReport()
        report.add("catalog", error.reason)
        return report
    return None


def _shared_repaired(folder: str, url: str, report: RepairReport, *, wait: float) -> RepairReport:
    """The same where the catalog is in a database: what is derived of it can be made anew."""
    found = verified(folder)
    if found.counts["catalog"]:
        raise CollectionCorruptError(
            url,
            "only its database can be used to repair it",
            "restore it from a backup of the database",
        )
    if found.damaged:
        with (
            closing(Catalog(folder)) as catalog,
            catalog.turns.whole(wait),
            closing(keeper_for(catalog, folder)) as keeper,
        ):
            keeper.rebuild(None)
        report.store_rebuilt = True
    return report


def _save_catalog(path: str, new: str, work: str, report: RepairReport) -> str:
    """Put what can be saved of the catalog at ``path`` in its place; the others are for work.

    Returns the id that the collection had.
    """
    folder = os.path.dirname(path)
    made_with = index_file.saved_made_with(os.path.join(folder, STORE_FILE_NAME))
    aside = sqlite_files.kept_name(path, "damaged")
    with (
        open(path, "rb+", buffering=0) as file,
        sole_use(file, path),
        _kept(aside, path),
    ):
        damaged = aside
        with open(damaged, "wb") as copy:
            _copy_bytes(file, copy)
        if os.path.exists(f"{path}-wal"):
            _copy(f"{path}-wal", f"{damaged}-wal")
        if _size(f"{damaged}-wal"):
            _copy(damaged, work)
            _copy(f"{damaged}-wal", f"{work}-wal")
            _take_in_log(work)
            damaged = work
        salvaged = salvage(damaged, new, made_with, report)
        report.lost = _lost(folder, salvaged, new)
        problems = list(inspect(new, {}))
        if problems:
            raise CollectionCorruptError(path, f"the repaired catalog is not intact: {problems[0]}")
        if os.name == "nt":
            file.close()  # Windows replaces no open file, and refuses if another process has it
        _replace(new, path)
    report.kept_as = aside
    _log.info("%s was rebuilt from what could be read; the damaged one was kept as %s", path, aside)
    return salvaged.meta.get("id", "")


def _copy(source: str, target: str) -> None:
    with open(source, "rb", buffering=0) as file, open(target, "wb") as copy:
        _copy_bytes(file, copy)


def _copy_bytes(file: BinaryIO, copy: BinaryIO) -> None:
    """Copy an unbuffered file to the disk; zeros stand for what can't be read."""
    end = file.seek(0, os.SEEK_END)
    start = 0
    while start < end and (data := _read(file, start, min(_CHUNK, end - start))):
        copy.write(data)
        start += len(data)
    copy.flush()
    os.fsync(copy.fileno())


def _read(file: BinaryIO, start: int, length: int) -> bytes:
    try:
        file.seek(start)
        return file.read(length)
    except OSError:
        if length <= _SECTOR:
            return bytes(length)
    sectors = range(start, start + length, _SECTOR)
    return b"".join(_read(file, at, min(_SECTOR, start + length - at)) for at in sectors)


def _take_in_log(path: str) -> None:
    """Let SQLite write the log into the database, as far as both are whole."""
    with contextlib.suppress(sqlite3.DatabaseError), closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _lost(folder: str, salvaged: Salvaged, new: str) -> int:
    """How many images have left a trace, in the old catalog or its store, and were not saved."""
    with closing(sqlite3.connect(new)) as database:
        saved = {row[0] for row in database.execute("SELECT id FROM images")}
    return len((salvaged.ids | _store_ids(folder, salvaged.meta)) - saved)


def _store_ids(folder: str, meta: dict[str, str]) -> set[int]:
    """The images that the store has, if it is of the very state that was damaged."""
    try:
        store = index_file.load(
            os.path.join(folder, STORE_FILE_NAME),
            dim=int(meta["dim"]),
            metric=meta["metric"],  # type: ignore[arg-type]  # it is compared, whatever it is
            kind=meta["index"],
            identity=meta["id"],
        )
    except StoreUnavailableError:
        return set()
    if store.moment != moment_of(meta):
        return set()
    return set(kept_ids(store).tolist())


def _replace(new: str, path: str) -> None:
    """Put the new catalog in the place of the damaged one, whose log must not be read into it."""
    for log in (f"{path}-wal", f"{path}-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.remove(log)
    with open(new, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(new, path)


@contextmanager
def _without(*paths: str) -> Iterator[None]:
    """Leave none of these databases behind, nor what a killed repair left."""

    def clear() -> None:
        for path in paths:
            sqlite_files.remove(path)

    clear()
    try:
        yield
    finally:
        clear()


@contextmanager
def _kept(aside: str, path: str) -> Iterator[None]:
    """Keep the copy of the damaged catalog, unless that itself is left in its place."""
    try:
        yield
    except BaseException as error:
        sqlite_files.remove(aside)
        if isinstance(error, NothingSavedError):
            raise CollectionCorruptError(
                path, f"{error}, so nothing can be saved", "move it away and index again"
            ) from error
        raise


def _size(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0
