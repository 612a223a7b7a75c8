"""The embeddings of a collection, moved between the embedded store and engines."""

from __future__ import annotations

import contextlib
import logging
import os
from contextlib import closing
from dataclasses import replace

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.contradictions import engine_contradictions
from image_similarity_search.collection.filling import caught_up, filled_store, label_of
from image_similarity_search.collection.identity import check_index, store_url
from image_similarity_search.collection.store_keeper import FILE_NAME, StoreKeeper
from image_similarity_search.errors import (
    ConfigError,
    StoreError,
    StoreMismatchError,
    StoreUnavailableError,
)
from image_similarity_search.stores.engines import (
    Address,
    Engine,
    EngineStore,
    Label,
    open_engine,
)
from image_similarity_search.types import Progress, ProgressCallback

_log = logging.getLogger(__name__)


def moved(
    catalog: Catalog, folder: str, to: str, index: str | None, progress: ProgressCallback | None
) -> None:
    """Search the embeddings at ``to`` from now on: the URL of an engine, or ``embedded``.

    They are put there from the catalog, compared with it, and only then is the collection told;
    the place where they were is emptied at last. Run again, it goes on where it was ended. The
    caller holds the writer's lock, so that the catalog rests.

    Raises:
        ConfigError: no such place, or no such kind of index there.
        StoreMismatchError: something else is in that place.
        StoreUnavailableError: the engine to move to can't be reached, or lost something; or the
            file can't be written.
        StoreTrainingError: there are too few images for that kind of index.
    """
    url, former = store_url(to), catalog.identity.store
    if url == former:
        raise ConfigError("to", to, f"a place other than where the embeddings are now ({to})")
    kind = _kind_there(catalog, url, index)
    with catalog.turns.store(float("inf")):
        if url:
            _into_engine(catalog, url, kind, progress)
    if not url:
        _into_file(catalog, folder, kind)
    if former:
        _leave(former, catalog.identity.id)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(folder, FILE_NAME))


def _kind_there(catalog: Catalog, url: str, index: str | None) -> str:
    """The kind of index to have there: the one asked for, or the present one where it exists."""
    there = replace(catalog.identity, store=url)
    if index is not None:
        check_index(index, there)
        return index
    try:
        check_index(there.index, there)
    except ConfigError:
        check_index("auto", there)
        _log.warning("indexes of kind %s are not supported there: using auto", there.index)
        return "auto"
    return there.index


def _into_engine(catalog: Catalog, url: str, kind: str, progress: ProgressCallback | None) -> None:
    label, total = label_of(catalog, kind), catalog.counts().indexed
    ids = catalog.indexed_ids()

    def report(last: int) -> None:
        if progress:
            progress(Progress("moving", int(ids.searchsorted(last, side="right")), total))

    with closing(open_engine(Address.parse(url))) as engine:
        store = _left_in_place(engine, catalog, url, label)
        if store is None:
            store = filled_store(engine, catalog, label, report)
            engine.put_in_place(store)
        for problem in engine_contradictions(store, catalog, {}):
            raise StoreUnavailableError(f"{problem}; nothing was changed")
        with catalog.transaction():
            catalog.set_store(url)
            catalog.set_index(kind)
        store.moment = catalog.moment


def _left_in_place(engine: Engine, catalog: Catalog, url: str, label: Label) -> EngineStore | None:
    """What a move that was ended after it had filled the engine left there, brought up to date."""
    found = engine.find()
    if found is None:
        return None
    if found.label.identity != label.identity:
        raise StoreMismatchError(url, "another collection")
    usable = found.label == label and found.moment.generation > 0
    if not usable or catalog.history.why_not(found.moment):
        return None
    return found if caught_up(found, catalog, found.moment) == len(found) else None


def _into_file(catalog: Catalog, folder: str, kind: str) -> None:
    StoreKeeper(catalog, folder).write(kind)
    with catalog.transaction():
        catalog.set_store("")
        catalog.set_index(kind)


def _leave(url: str, identity: str) -> None:
    """Drop what is in an engine; where it can't be reached, say that it stays there."""
    try:
        with closing(open_engine(Address.parse(url))) as engine:
            engine.drop(identity)
    except StoreError as error:
        _log.warning("the embeddings were left in the engine: %s", error)
