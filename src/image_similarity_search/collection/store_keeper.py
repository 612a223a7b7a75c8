"""Keeps the store in step with the catalog, and its file in step with the store."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module

import numpy as np

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.history import TOO_OLD
from image_similarity_search.catalog.lock import another_writes, store_lock
from image_similarity_search.catalog.values import Embeddings
from image_similarity_search.collection.costs import flat_limit
from image_similarity_search.collection.warming import Warmer
from image_similarity_search.errors import (
    CollectionCorruptError,
    CollectionError,
    ImageSearchError,
    StoreError,
    StoreTrainingError,
    StoreUnavailableError,
)
from image_similarity_search.stores import index_file
from image_similarity_search.stores.faiss_store import FaissStore
from image_similarity_search.stores.kinds import NAMED
from image_similarity_search.types import Moment

FILE_NAME = "faiss.index"

# A store of up to so many vectors is written after every change, a larger one when one
# percent of it changed: what is missing is read from the catalog when it is opened next.
_ALWAYS_SAVED = 5_000
_SAVED_SHARE = 0.01

# To count a million images takes as long as some searches, so it is done again after every
# so many changes: one for each thousand images.
_COUNTED_SHARE = 0.001

_log = logging.getLogger(__name__)


class StoreKeeper:
    """The store of the collection in ``folder``."""

    holds_still = True
    is_left = False  # one in memory goes on

    def __init__(self, catalog: Catalog, folder: str) -> None:
        self.path = os.path.join(folder, FILE_NAME)
        self._catalog = catalog
        self._folder = folder
        # a new collection has no file yet, and that is nothing to report
        self._store = self._new() if catalog.is_empty() else None
        self._read: FaissStore | None = None  # from the file, and not looked at since
        self._reading: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False
        self._changes = 0  # since the file was written
        self._uncounted = 0  # changes since the images were counted
        self._lock = threading.RLock()
        self._warmer = Warmer(catalog)

    def begin_to_load(self, after: str) -> None:
        """Begin to read the file on another thread, once the module ``after`` is imported."""

        def read() -> None:
            with contextlib.suppress(ImportError, ImageSearchError):
                import_module(after)  # whoever comes second waits for the first
                with self._lock:
                    if self._store is None:
                        self._read = self._from_file(self._check_open)

        with self._starting:
            if self._store is None and self._reading is None:
                self._reading = threading.Thread(target=read, name="iss-store")
                self._reading.start()

    @contextmanager
    def current(self) -> Iterator[FaissStore]:
        """The store, to this thread alone, and the catalog of the moment that it reflects.

        Raises:
            CollectionCorruptError: the catalog is damaged.
        """
        with self._lock:
            with self._catalog.snapshot():
                store = self._in_step()
                yield store
            self._warmer.used(store, self.current)
            if self._changes > _allowed_changes(len(store)):
                self._save(store)

    def made_anew(self, why: str) -> FaissStore:
        """Another store instead of the current one, which contradicts the catalog."""
        with self._lock:
            _log.warning("%s contradicts the catalog (%s): rebuilding it", self.path, why)
            store = self._rebuilt()
            self._hold(store)
            self._save(store)
            return store

    def _in_step(self) -> FaissStore:
        """The store, brought to the moment of the catalog."""
        store = self._load() if self._store is None else self._store
        if self._store is None or store.moment != self._catalog.moment:
            store = self._checked(store)
            self._hold(store)
        return store

    def _hold(self, store: FaissStore) -> None:
        """Search with this one from now on, looking at as much as the catalog says."""
        self._store, self._read = store, None
        tuning = self._catalog.measured.tuning()
        store.look_at(tuning.probed if tuning else None, tuning.depth if tuning else 1.0)

    def check_place(self) -> None:
        """Nothing: a file may be missing."""

    def refresh(self) -> None:
        """Bring store and file up to date after a change, or after a run that was killed.

        Where no store is loaded and its file lacks little, that is left to the next search.
        """
        try:
            with self._lock:
                if self._store is None and not self._file_lacks_much():
                    return
                with self.current() as store:
                    if len(store) and not os.path.exists(self.path):
                        self._save(store)
        except CollectionCorruptError as error:
            _log.warning("%s", error)  # what was changed is kept all the same

    def _file_lacks_much(self) -> bool:
        count = self._catalog.counts().indexed
        saved = index_file.saved(self.path, self._catalog.identity.id)
        if saved is None or saved.kind != self._catalog.identity.index:
            return count > 0
        if self._catalog.history.why_not(saved.moment):
            return True
        return self._catalog.changed_since(saved.moment.generation) > _allowed_changes(count)

    def rebuild(self, kind: str | None) -> None:
        """Make the store and its file anew from the catalog, without decoding a picture.

        The catalog remembers ``kind``, if one is given, once there is such a store.

        Raises:
            ConfigError: it is no kind of store that can be made.
            StoreTrainingError: a FAISS factory string that there are too few images to train.
        """
        with self._lock:
            self._refuse_untrained(kind)
            store = self._rebuilt(kind)
            with self._catalog.transaction():
                if kind is not None:
                    self._catalog.set_index(kind)
                self._catalog.removals.forget()
            self._catch_up(store, self._catalog.moment)
            self._hold(store)
            self._save(store)

    def write(self, kind: str) -> None:
        """Make the file of such a store from the catalog, which is about to say that it is one.

        Raises:
            StoreTrainingError: a FAISS factory string that there are too few images to train.
            StoreUnavailableError, CollectionUnwritableError: it can't be written.
        """
        self._refuse_untrained(kind)
        self._write(self._rebuilt(kind), {"index": kind, "store": ""})

    def close(self) -> None:
        """Let go of it: what is being read is not read to its end."""
        self._closed = True
        self._warmer.close()
        with self._starting:
            reading = self._reading
        if reading:
            reading.join()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailableError("the collection is closed")

    def _new(self, kind: str | None = None) -> FaissStore:
        identity = self._catalog.identity
        return FaissStore(
            identity.dim,
            identity.metric,
            identity.index if kind is None else kind,
            flat_limit=flat_limit(self._catalog),
        )

    def _refuse_untrained(self, kind: str | None) -> None:
        """Refuse a factory string that can't be trained now; the named kinds wait until it can."""
        if kind is None or kind in NAMED:
            return
        needed, count = self._new(kind).training_needed, self._catalog.counts().indexed
        if count < needed:
            raise StoreTrainingError(kind, needed, count)

    def _from_file(self, go_on: Callable[[], None] = lambda: None) -> FaissStore:
        identity = self._catalog.read_identity()  # another process may have changed the kind
        return index_file.load(
            self.path,
            dim=identity.dim,
            metric=identity.metric,
            kind=identity.index,
            identity=identity.id,
            flat_limit=flat_limit(self._catalog),
            go_on=go_on,
        )

    def _load(self) -> FaissStore:
        read, self._read = self._read, None
        if read:
            return read
        try:
            return self._from_file()
        except StoreUnavailableError as error:
            if self._catalog.counts().indexed:  # an empty collection has no file
                missing = not os.path.exists(self.path)
                # it is written at the end; a computer may use a shared one for the first time
                first = missing and (self._catalog.is_shared or another_writes(self._folder))
                level = logging.INFO if first else logging.WARNING
                problem = f"{self.path} is missing" if missing else error
                _log.log(level, "%s; rebuilding it from the catalog", problem)
            return self._new()

    def _checked(self, store: FaissStore) -> FaissStore:
        """The store, caught up; made anew where it contradicts the catalog."""
        with self._catalog.snapshot():
            now = self._catalog.moment
            if store.kind != self._catalog.read_identity().index:
                return self._checked(self._load())  # another process changed it
            why = self._catalog.history.why_not(store.moment)
            if why and store.moment.generation:  # a new one takes all that there is
                level = logging.INFO if why == TOO_OLD else logging.WARNING
                _log.log(level, "%s: %s; rebuilding it", self.path, why)
                return self._rebuilt()
            if store is self._store and self._few_changes(store):
                self._follow(store, now)
                return self._rebuilt() if store.outdated(len(store)) else store
            count = self._catalog.counts().indexed
            if store.outdated(count):
                return self._rebuilt()
            self._catch_up(store, now)
            if len(store) != count:
                _log.warning("%s contradicts the catalog: rebuilding it", self.path)
                return self._rebuilt()
            return self._rebuilt() if store.outdated(count) else store

    def _few_changes(self, store: FaissStore) -> bool:
        """Whether so little changed that the images need not be counted again."""
        self._uncounted += self._catalog.changed_since(store.moment.generation)
        return self._uncounted <= _COUNTED_SHARE * len(store)

    def _rebuilt(self, kind: str | None = None) -> FaissStore:
        with self._catalog.snapshot():
            store = self._new(kind)
            ids = self._catalog.indexed_ids()
            if size := store.sample_size(len(ids)):
                drawn = np.random.default_rng(0).choice(ids, size, replace=False)
                found = self._catalog.embeddings(drawn)
                sample = found.comparable(self._catalog.identity.metric)
                store.train(sample, len(ids))
            self._catch_up(store, self._catalog.moment)
            self._catalog.check_count(len(store))
        return store

    def _catch_up(self, store: FaissStore, now: Moment) -> None:
        """Apply what the catalog saw since the store's moment, however much it is."""
        self._uncounted = 0  # the caller counts
        self._apply(store, self._catalog.embeddings_since(store.moment.generation), now)

    def _follow(self, store: FaissStore, now: Moment) -> None:
        """The same, where it is little."""
        self._apply(store, [self._catalog.few_embeddings_since(store.moment.generation)], now)

    def _apply(self, store: FaissStore, new: Iterable[Embeddings], now: Moment) -> None:
        then = store.moment.generation
        if then:
            self._changes += store.delete(self._catalog.removals.since(then))
        for part in new:
            rows = part.comparable(self._catalog.identity.metric)
            store.upsert(part.ids, rows)
            self._changes += len(part.ids)
        _log.debug("the search index is at generation %d, it was at %d", now.generation, then)
        store.moment = now

    def _save(self, store: FaissStore) -> None:
        """Write the file; where that can't be done now, the store serves from memory."""
        try:
            self._write(store)
        except (CollectionError, StoreError) as error:
            _log.info("the search index file is not written now: %s", error)

    def _write(self, store: FaissStore, about_to_be: Mapping[str, str] | None = None) -> None:
        """Write the file; ``about_to_be`` is what the catalog does not say yet."""
        with store_lock(self._folder):
            made_with = {**self._catalog.made_with(), **(about_to_be or {})}
            index_file.save(store, self.path, self._catalog.identity.id, made_with)
        self._changes = 0
        _log.info("%s: written, of generation %d", self.path, store.moment.generation)


def _allowed_changes(count: int) -> int:
    """So many may be missing in the file of a store of ``count`` vectors."""
    return 0 if count <= _ALWAYS_SAVED else int(count * _SAVED_SHARE)
