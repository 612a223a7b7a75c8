"""A backup of a collection: all of it that can't be made anew, in a folder of its own.

That folder is a collection itself, which can be checked and searched where it lies.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

from image_similarity_search.catalog import sqlite_files
from image_similarity_search.catalog.aside import ASIDE
from image_similarity_search.catalog.database import Database
from image_similarity_search.catalog.history import History
from image_similarity_search.catalog.inspection import inspect
from image_similarity_search.catalog.lock import WRITER_LOCK, sole_use, writer_lock
from image_similarity_search.catalog.meta import Meta
from image_similarity_search.catalog.whereabouts import FILE_NAME, names_on_disk, url_of
from image_similarity_search.collection.duplicates import dismissals, undo_log
from image_similarity_search.collection.store_keeper import FILE_NAME as STORE_FILE_NAME
from image_similarity_search.errors import (
    CollectionCorruptError,
    CollectionExistsError,
    CollectionNotFoundError,
    CollectionUnavailableError,
    unwritable,
)
from image_similarity_search.replacing import replaced
from image_similarity_search.stores import index_file

_BESIDE = (dismissals.FILE_NAME, undo_log.FILE_NAME)
"""What people did that is in no catalog."""

_SHARED = "its catalog is in a database, which has its own backups"
_REMEDY = (
    "use pg_dump and psql (docs/shared.md), and copy"
    f" {' and '.join(_BESIDE)} of each index folder yourself"
)
_NOT_USED = "nothing was changed"
_NOT_TAKEN = (
    "%s was not taken: it says which files 'iss duplicates --undo' is to move. If the backup is"
    " yours, and what was done before is to be undone, copy it to %s"
)

_log = logging.getLogger(__name__)


def backed_up(folder: str, target: str) -> int:
    """Make ``target``, a folder that is not there or empty, a backup; returns its generation.

    Others may search and write meanwhile. Every row is checked; ``target`` is there as a whole, or
    not at all.

    Raises:
        CollectionNotFoundError: there is no collection in ``folder``.
        CollectionUnavailableError: its catalog is shared.
        CollectionCorruptError: it is damaged.
        CollectionExistsError: ``target`` is a file, or a folder that is not empty.
        CollectionLockedError: another process is making it.
        CollectionUnwritableError: it can't be written there.
    """
    _refuse_shared(folder)
    with suppress(OSError):
        os.rmdir(target)  # an empty folder
    if os.path.lexists(target):
        found = "a folder with files" if os.path.isdir(target) else "a file"
        raise CollectionExistsError(target, "give a new or empty folder", found=found)
    whole = os.path.abspath(target)
    with (
        unwritable(target),
        closing(Database(os.path.join(folder, FILE_NAME), read_only=True)) as database,
        _held_work(f"{whole}.tmp") as work,
        _begun(os.path.join(work, ASIDE)) as begun,
    ):
        _fill(begun, folder, database)
        os.rename(begun, whole)
        names_on_disk(os.path.dirname(whole))
    with closing(Database(os.path.join(target, FILE_NAME), read_only=True)) as copy:
        return Meta(copy).generation()


def _fill(begun: str, folder: str, database: Database) -> None:
    copy = os.path.join(begun, FILE_NAME)
    database.copy_to(copy, journal="DELETE")
    _refuse_damaged(copy, os.path.join(folder, FILE_NAME))
    _bring_missing(folder, begun, _BESIDE)
    names_on_disk(begun)


def restored(backup: str, folder: str, *, wait: float = 0.0) -> str:
    """Put a backup, a folder or a catalog's file, in the place of the catalog of ``folder``.

    The former one is kept beside it, as is returned; empty where there was none. It changes in
    one transaction: who searches meanwhile finds what was before, and then what is in the backup.
    What people did that is in no catalog stays, and comes from the backup where it is missing; but
    not what is to be undone: that moves files, and the backup may be somebody else's.

    Raises:
        CollectionNotFoundError: ``backup`` is none.
        CollectionNewerError: a newer version made it.
        CollectionCorruptError: it is damaged, or may not be read; nothing was changed.
        CollectionUnavailableError: the catalog of ``folder`` is shared.
        CollectionExistsError: another collection is there.
        CollectionLockedError: another process is writing, or has a catalog open that is damaged so
            that it can't be written to.
        CollectionUnwritableError: it can't be written there.
    """
    source = os.path.join(backup, FILE_NAME) if os.path.isdir(backup) else backup
    if not os.path.isfile(source):
        lacks = f"it has no {FILE_NAME}" if os.path.isdir(backup) else "no such file or folder"
        said = f"{backup}: not a backup ({lacks}); nothing was changed"
        raise CollectionNotFoundError(backup, said)
    if not os.access(source, os.R_OK):
        raise CollectionCorruptError(source, "you may not read it", _NOT_USED)
    _refuse_shared(folder)
    with unwritable(folder):
        os.makedirs(folder, exist_ok=True)
        with (
            writer_lock(folder, wait=wait),
            _begun(os.path.join(folder, f"{FILE_NAME}.restored.tmp")) as aside,
        ):
            # a copy, since an older format is brought to the present one when it is opened
            copy = os.path.join(aside, FILE_NAME)
            for end in ("", "-wal"):
                if os.path.exists(source + end):
                    shutil.copyfile(source + end, copy + end)
            _refuse_damaged(copy, source)
            with closing(Database(copy)) as database:
                kept = _put(database, os.path.join(folder, FILE_NAME), aside)
            if os.path.isdir(backup):
                _bring_missing(backup, folder, (dismissals.FILE_NAME,))
            names_on_disk(folder)
    return kept


def _put(database: Database, path: str, aside: str) -> str:
    """Let the catalog at ``path`` be as ``database``; returns what the former one is kept as.

    That is whole, or not there: it is copied into the folder ``aside`` first.
    """
    kept = ""
    if os.path.exists(path):
        kept = sqlite_files.kept_name(path, "replaced")
        copy = os.path.join(aside, "former")
        try:
            # brought up to date it would take the lock that is held
            with closing(Database(path, as_it_is=True)) as former:
                if Meta(former).read()["id"] != Meta(database).read()["id"]:
                    remedy = "use another index folder, or move that one away"
                    raise CollectionExistsError(os.path.dirname(path), remedy)
                _use_up_ids(database, former)
                former.copy_to(copy, journal="DELETE")
            os.replace(copy, kept)
        except (CollectionCorruptError, CollectionNotFoundError):
            with open(path, "rb+", buffering=0) as file, sole_use(file, path):
                sqlite_files.rename(path, kept)
    _drop_other_store(database, os.path.dirname(path))
    database.copy_to(path, journal="WAL")
    return kept


def _drop_other_store(database: Database, folder: str) -> None:
    """Delete the store that is ahead of the catalog to come, or of another history than that."""
    meta, path = Meta(database), os.path.join(folder, STORE_FILE_NAME)
    held = index_file.saved(path, meta.read()["id"])
    if held and History(database, meta).why_not(held.moment):
        with suppress(OSError):  # it is made anew in any case
            os.remove(path)


def _use_up_ids(database: Database, former: Database) -> None:
    """Have no id given again that the ``former`` catalog gave: its memory may outlive the image."""
    with suppress(CollectionCorruptError), database.transaction():  # it may be damaged just there
        database.use_up(max(one.value(one.sql.last_id) for one in (database, former)))


@contextmanager
def _held_work(path: str) -> Iterator[str]:
    """A folder that one process at a time works in, if an earlier one left it or not."""
    os.makedirs(path, exist_ok=True)
    with ExitStack() as afterwards, writer_lock(path):
        afterwards.callback(_remove_work, path)  # who was refused the lock leaves it
        yield path


def _remove_work(path: str) -> None:
    with suppress(OSError):  # somebody put something else there
        os.remove(os.path.join(path, WRITER_LOCK))
        os.rmdir(path)


@contextmanager
def _begun(path: str) -> Iterator[str]:
    """A new folder for what is begun, without what a killed process left there; gone at the end."""
    if os.path.lexists(path):
        shutil.rmtree(path)
    os.mkdir(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _bring_missing(source: str, target: str, names: Collection[str]) -> None:
    """Copy what is in no catalog, where it is not there: it is the newer one where it is.

    What is there and none of ``names`` is left, and told.
    """
    for name in _BESIDE:
        there = os.path.join(target, name)
        if not os.path.exists(os.path.join(source, name)) or os.path.exists(there):
            continue
        if name not in names:
            _log.warning(_NOT_TAKEN, os.path.join(source, name), target)
        else:
            with replaced(there) as (aside,):
                shutil.copyfile(os.path.join(source, name), aside)


def _refuse_damaged(copy: str, path: str) -> None:
    """Raise CollectionCorruptError where the ``copy`` of a catalog at ``path`` is not whole."""
    for problem in inspect(copy, {}):
        raise CollectionCorruptError(path, problem, _NOT_USED)


def _refuse_shared(folder: str) -> None:
    if url := url_of(folder):
        raise CollectionUnavailableError(url, _SHARED, _REMEDY)
