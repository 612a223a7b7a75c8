"""Keeps the store in step with the catalog, and its file in step with the store.

To make a store anew takes seconds or minutes. One that is held and answers rightly, though it is of
another kind than the catalog says by now, or outdated, serves meanwhile: the new one is made on
another thread, or by another process, whose file is taken.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.history import TOO_OLD
from image_similarity_search.catalog.lock import another_writes, store_lock
from image_similarity_search.collection.building import apply, built_store, catch_up, new_store
from image_similarity_search.collection.costs import flat_limit
from image_similarity_search.collection.renewing import GoOn, Renewer
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

FILE_NAME = "faiss.index"

# A store of up to so many vectors is written after every change, a larger one when one
# percent of it changed: what is missing is read from the catalog when it is opened next.
_ALWAYS_SAVED = 5_000
_SAVED_SHARE = 0.01

# To count a million images takes as long as some searches, so it is done again after every
# so many changes: one for each thousand images.
_COUNTED_SHARE = 0.001

_RENEWALS = 3  # so often one is made anew that is of no use any more when it is done

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
        self._store = new_store(catalog) if catalog.is_empty() else None
        self._read: FaissStore | None = None  # from the file, and not looked at since
        self._reading: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False
        self._changes = 0  # since the file was written
        self._uncounted = 0  # changes since the images were counted
        self._lock = threading.RLock()
        self._warmer = Warmer(catalog)
        self._renewer = Renewer(folder)

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

        Where no store is loaded and its file lacks little, that is left to the next search. One
        that is to be made anew is; call it while no search of this thread is going on.
        """
        try:
            with self._lock:
                if self._store is None and not self._file_lacks_much():
                    return
                with self.current() as store:
                    if len(store) and not os.path.exists(self.path):
                        self._save(store)
            self._renewer.finish()
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

        Searches of other threads and processes go on in the former one until it is there. The
        catalog remembers ``kind``, if one is given, once there is such a store.

        Raises:
            ConfigError: it is no kind of store that can be made.
            StoreTrainingError: a FAISS factory string that there are too few images to train.
        """
        self._catalog.read_identity()  # another process may have changed the kind
        self._refuse_untrained(kind)
        self._renewer.end()
        with self._renewer.alone(self._check_open):
            store = built_store(self._catalog, kind, self._check_open)
            # first the file: as soon as the catalog names another kind, other processes look for it
            saved = self._saved(store, {"index": store.kind})
            with self._lock:
                with self._catalog.transaction():
                    if kind is not None:
                        self._catalog.set_index(kind)
                    self._catalog.removals.forget()
                self._put_in_place(store, saved=saved)

    def write(self, kind: str) -> None:
        """Make the file of such a store from the catalog, which is about to say that it is one.

        Raises:
            StoreTrainingError: a FAISS factory string that there are too few images to train.
            StoreUnavailableError, CollectionUnwritableError: it can't be written.
        """
        self._refuse_untrained(kind)
        store = built_store(self._catalog, kind)
        with store_lock(self._folder):
            self._write(store, {"index": kind, "store": ""})

    def close(self) -> None:
        """Let go of it: what is being read is not read to its end."""
        self._closed = True
        self._renewer.close()
        self._warmer.close()
        with self._starting:
            reading = self._reading
        if reading:
            reading.join()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailableError("the collection is closed")

    def _refuse_untrained(self, kind: str | None) -> None:
        """Refuse a factory string that can't be trained now; the named kinds wait until it can."""
        if kind is None or kind in NAMED:
            return
        needed, count = (
            new_store(self._catalog, kind).training_needed,
            self._catalog.counts().indexed,
        )
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
            return new_store(self._catalog)

    def _checked(self, store: FaissStore) -> FaissStore:
        """The store, caught up; another one where it contradicts the catalog, or can't serve."""
        is_held = store is self._store
        with self._catalog.snapshot():
            is_other = store.kind != self._catalog.read_identity().index
            why = self._catalog.history.why_not(store.moment)
            if is_held and (why == TOO_OLD or (is_other and not self._serves(store, why))):
                return self._checked(self._load())  # another process made the file anew
            if why and store.moment.generation:  # a new one takes all that there is
                level = logging.INFO if why == TOO_OLD else logging.WARNING
                _log.log(level, "%s: %s; rebuilding it", self.path, why)
                return self._rebuilt()
            if is_held and self._few_changes(store):
                count = self._follow(store)
            else:
                count = self._catalog.counts().indexed
                if store.outdated(count) and not (is_held and self._serves(store, why)):
                    return self._rebuilt()
                self._catch_up(store)
                if len(store) != count:
                    _log.warning("%s contradicts the catalog: it is made anew", self.path)
                    return self._rebuilt()
            if not is_other and not store.outdated(count):
                return store
            if not (is_held or self._renewer.another_makes()):
                return self._rebuilt()
            self._renewer.begin(self._renew)
            return store

    def _serves(self, store: FaissStore, why_not: str) -> bool:
        """Whether a store that is to be made anew answers until then: it lacks less than it has.

        A small one does not, where its successor is in the file: that is read as quickly.
        """
        if why_not or self._catalog.changed_since(store.moment.generation) > len(store):
            return False
        saved = index_file.saved(self.path, self._catalog.identity.id)
        is_there = saved is not None and saved.kind == self._catalog.identity.index != store.kind
        return not (is_there and len(store) <= _ALWAYS_SAVED)

    def _few_changes(self, store: FaissStore) -> bool:
        """Whether so little changed that the images need not be counted again."""
        self._uncounted += self._catalog.changed_since(store.moment.generation)
        return self._uncounted <= _COUNTED_SHARE * len(store)

    def _follow(self, store: FaissStore) -> int:
        """Bring the store that is held to the catalog's moment, by few changes; its new length."""
        new = self._catalog.embeddings.of_few_since(store.moment.generation)
        self._changes += apply(store, self._catalog, [new], self._catalog.moment)
        return len(store)

    def _catch_up(self, store: FaissStore) -> None:
        """The same, however many they are."""
        self._uncounted = 0  # the caller counts
        self._changes += catch_up(store, self._catalog)

    def _rebuilt(self) -> FaissStore:
        """One made anew while this thread waits, since there is none that serves."""
        store = built_store(self._catalog)
        self._uncounted, self._changes = 0, len(store)
        return store

    def _renew(self, go_on: GoOn) -> None:
        """Put another store in the place of the one that is held; on a thread of its own."""
        for _ in range(_RENEWALS):
            self._catalog.read_identity()
            with self._renewer.alone(go_on):
                store, saved = self._made_by_another(go_on), True
                if store is None:
                    store = built_store(self._catalog, go_on=go_on)
                    saved = self._saved(store)
            with self._lock, self._catalog.snapshot():
                is_other = store.kind != self._catalog.read_identity().index
                if not is_other and not self._catalog.history.why_not(store.moment):
                    self._put_in_place(store, saved=saved)
                    return

    def _made_by_another(self, go_on: GoOn) -> FaissStore | None:
        """What another process put into the file, if it is of use."""
        try:
            store = self._from_file(go_on)
        except StoreUnavailableError:
            go_on()  # which may be what raised
            return None
        with self._catalog.snapshot():
            if not self._serves(store, self._catalog.history.why_not(store.moment)):
                return None
            catch_up(store, self._catalog)
            count = self._catalog.counts().indexed
        return None if len(store) != count or store.outdated(count) else store

    def _put_in_place(self, store: FaissStore, *, saved: bool) -> None:
        """Search with a store that was made beside the one that is held, once it has caught up."""
        self._uncounted = 0
        lacking = catch_up(store, self._catalog)
        self._hold(store)
        self._changes = lacking if saved else len(store)
        _log.info("%s was rebuilt, of generation %d", self.path, store.moment.generation)

    def _saved(self, store: FaissStore, about_to_be: Mapping[str, str] | None = None) -> bool:
        """Write the file, if that can be done; for who is alone at it."""
        try:
            self._write(store, about_to_be)
        except (CollectionError, StoreError) as error:
            _log.info("the search index can't be written now: %s", error)
            return False
        return True

    def _save(self, store: FaissStore) -> None:
        """Write the file of the store that is held; else it goes on serving from memory."""
        try:
            with store_lock(self._folder):
                is_other = store.kind != self._catalog.read_identity().index
                if not is_other and not store.outdated(
                    len(store)
                ):  # else its successor may be there
                    self._write(store)
                    self._changes = 0
        except (CollectionError, StoreError) as error:
            _log.info("the search index file is not written now: %s", error)

    def _write(self, store: FaissStore, about_to_be: Mapping[str, str] | None = None) -> None:
        """Write the file; ``about_to_be`` is what the catalog does not say yet."""
        made_with = {**self._catalog.made_with(), **(about_to_be or {})}
        index_file.save(store, self.path, self._catalog.identity.id, made_with)
        _log.info("%s: written, of generation %d", self.path, store.moment.generation)


def _allowed_changes(count: int) -> int:
    """So many may be missing in the file of a store of ``count`` vectors."""
    return 0 if count <= _ALWAYS_SAVED else int(count * _SAVED_SHARE)
