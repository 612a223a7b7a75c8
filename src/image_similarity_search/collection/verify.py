"""Whether a collection is whole: the catalog, its store, and the files that it is about."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import chain, islice

from image_similarity_search.addresses import is_row
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.inspection import inspect, inspect_shared
from image_similarity_search.catalog.places import relative
from image_similarity_search.catalog.whereabouts import FILE_NAME, url_of
from image_similarity_search.collection import originals
from image_similarity_search.collection.contradictions import (
    Held,
    contradictions,
    engine_problems,
)
from image_similarity_search.collection.duplicates import dismissals, undo_log
from image_similarity_search.collection.identity import refuse_lost
from image_similarity_search.collection.lookup import stat_of
from image_similarity_search.collection.store_keeper import FILE_NAME as STORE_FILE_NAME
from image_similarity_search.errors import (
    CollectionNotFoundError,
    CollectionUnavailableError,
    ImageError,
    SourceUnavailableError,
    StoreUnavailableError,
    reason_of,
)
from image_similarity_search.processors import available_processors
from image_similarity_search.reports import VerifyReport
from image_similarity_search.stores import index_file
from image_similarity_search.stores.kept import kept_ids, kept_vectors
from image_similarity_search.types import ImageRecord

_FILES_AT_ONCE = 256


def verified(folder: str, *, files: bool = False) -> VerifyReport:
    """Check everything in the collection in ``folder``, and with ``files`` the image files.

    Nothing is changed. Another process may write meanwhile.

    Raises:
        CollectionNotFoundError: there is none.
        CollectionCorruptError: its catalog is missing, though a store is there.
        CollectionNewerError: it was made by a newer version.
        SourceUnavailableError: object storage in which files lie can't be reached. A Parquet file
            that can't be read is a problem of ``files``, as a picture is.
    """
    started = time.perf_counter()
    report = VerifyReport()
    try:
        for problem in _catalog_problems(folder, report.checked):
            report.add("catalog", problem)
    except CollectionNotFoundError:
        refuse_lost(folder, create=False)
        raise
    if not report.damaged:
        with closing(Catalog(folder)) as catalog:
            for problem in _store_problems(folder, catalog, report.checked):
                report.add("store", problem)
            for problem in _file_problems(catalog, report.checked) if files else ():
                report.add("files", problem)
    for problem in _note_problems(folder, report.checked):
        report.add("notes", problem)
    report.seconds = time.perf_counter() - started
    return report


def _catalog_problems(folder: str, checked: dict[str, int]) -> Iterator[str]:
    if url_of(folder):
        return inspect_shared(folder, checked)
    return inspect(os.path.join(folder, FILE_NAME), checked)


def _store_problems(folder: str, catalog: Catalog, checked: dict[str, int]) -> Iterator[str]:
    path = os.path.join(folder, STORE_FILE_NAME)
    checked["vectors"] = checked["compared"] = 0
    if catalog.identity.store:
        yield from engine_problems(catalog, checked)
        return
    if not os.path.exists(path):
        return  # none was made yet, or it was deleted, as it may be
    identity = catalog.identity
    saved = index_file.saved(path, identity.id)
    if saved and saved.kind != identity.index:
        return  # a rebuild ended before it wrote the file: it is made anew when it is used
    try:
        store = index_file.load(
            path,
            dim=identity.dim,
            metric=identity.metric,
            kind=identity.index,
            identity=identity.id,
        )
    except StoreUnavailableError as error:
        yield str(error)
        return
    checked["vectors"] = len(store)
    with catalog.snapshot():
        held = Held(path, store.moment, kept_ids(store), kept_vectors(store))
        yield from contradictions(held, catalog, checked)


def _note_problems(folder: str, checked: dict[str, int]) -> Iterator[str]:
    """What is wrong with what people did that is in no catalog."""
    for lines in (undo_log.lines_of(folder), dismissals.lines_of(folder)):
        try:
            whole, damaged = lines.read()
        except CollectionUnavailableError as error:
            yield str(error)
            continue
        if whole or damaged:
            checked["lines"] = checked.get("lines", 0) + len(whole) + len(damaged)
        for number in damaged:
            yield f"{lines.path}: line {number} is damaged, and passed over; delete the line"


def _file_problems(catalog: Catalog, checked: dict[str, int]) -> Iterator[str]:
    checked["files"] = 0
    away = [root for root in catalog.places.roots().values() if originals.is_away(root)]
    for root in away:  # told once, and not for each file
        yield f"{root}: not on this computer, or empty; its files were not checked"
    unreadable: set[str] = set()  # Parquet files: the same
    with (
        originals.reading(),
        ThreadPoolExecutor(available_processors(), thread_name_prefix="verify") as pool,
    ):
        records = (
            one
            for one in catalog.all_records()
            if all(relative(one.path, root) is None for root in away)
        )
        while part := list(islice(records, _FILES_AT_ONCE)):
            checked["files"] += len(part)
            files = pool.map(_file_problem, [one for one in part if not is_row(one.path)])
            rows = (one for one in part if is_row(one.path))
            readable = (one for one in rows if os.path.dirname(one.path) not in unreadable)
            # rows one after the other: in their order they are quick
            for problem in filter(None, chain(files, map(_file_problem, readable))):
                if isinstance(problem, SourceUnavailableError):
                    unreadable.add(str(problem.path))
                yield str(problem)


def _file_problem(record: ImageRecord) -> str | SourceUnavailableError | None:
    """What is wrong with the file of an image; the error where it is a Parquet file's."""
    try:
        seen = originals.stat(record.path) if is_row(record.path) else None
        content_hash = originals.checked_hash(record.path, seen)
        stat = seen or originals.stat(record.path)
    except SourceUnavailableError as error:
        if is_row(record.path):
            return error
        raise
    except ImageError as error:
        return f"{record.path}: {error.reason}"
    except OSError as error:  # it went just now
        return f"{record.path}: {reason_of(error)}"
    if content_hash == record.content_hash:
        return None
    if stat_of(record).agrees_with(stat):
        return f"{record.path}: content changed, with the same size and time"
    return f"{record.path}: changed since it was indexed"
