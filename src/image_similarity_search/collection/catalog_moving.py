"""The catalog of a collection, moved between its file and databases that computers share."""

from __future__ import annotations

import socket

from image_similarity_search.catalog import whereabouts
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.copying import copied
from image_similarity_search.catalog.meta import Meta
from image_similarity_search.catalog.moves import arrival, is_locked, left
from image_similarity_search.catalog.postgresql.address import Address
from image_similarity_search.catalog.rows import indexed
from image_similarity_search.errors import CollectionExistsError, ConfigError
from image_similarity_search.types import Progress, ProgressCallback

IN_FILE = "file"
"""The catalog in the index folder's own file, where a URL is asked for."""


def catalog_moved(
    catalog: Catalog, folder: str, to: str, progress: ProgressCallback | None
) -> None:
    """Have the catalog of ``folder`` at ``to`` from now on: a URL, or ``file``.

    Every row is put there as it is, read back and compared; only then does it appear there, whole.
    A file is the catalog until the folder is told; a shared one until it says itself that it went,
    after which the folder is told: here, or by who opens it next. A process that is killed before
    leaves the catalog where it was. The caller has the turn at the whole catalog, so that it rests,
    and sets a file aside that was left.

    Raises:
        ConfigError: no such place, or it is there already.
        CollectionExistsError: another collection is there, or another state of this one.
        CollectionCorruptError: it is damaged, or was changed meanwhile, and was not moved.
        CollectionUnavailableError: the server can't be reached, or was lost meanwhile.
        CollectionUnwritableError: it can't be made there, or nobody may say here that it is gone.
    """
    url = catalog_url(to)
    if url == whereabouts.url_of(folder):
        raise ConfigError("catalog", to, f"a place other than where the catalog is now ({to})")
    source = catalog.database
    total, meta = source.value(indexed(source.sql)), Meta(source).read()

    def report(phase: str, done: int) -> None:
        if progress:
            progress(Progress("moving" if phase == "moving" else "comparing", done, total))

    with arrival(folder, url, meta) as target:
        if target.was_there and is_locked(source):  # it is the same, by another name
            raise CollectionExistsError(
                target.path, "use it with 'iss join' in another index folder"
            )
        copied(source, target, report)
        last_id = source.value(source.sql.last_id)
        with left(source, meta, folder, url or f"{folder} on {socket.gethostname()}"):
            target.put_in_place(last_id)
        whereabouts.remember(folder, url)


def catalog_url(to: str) -> str:
    """The URL of a shared catalog in its usual form; empty for ``file``.

    Raises:
        ConfigError: it is none.
    """
    return "" if to == IN_FILE else str(Address.parse(to))
