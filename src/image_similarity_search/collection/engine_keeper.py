"""Keeps a store that lives in an engine in step with the catalog.

The engine is shared: by the threads and processes that use the collection, each of which may
find that it is behind. Who brings it up to date holds the lock of the store. So the engine's
generation only changes under that lock, and is never ahead of what the catalog says after the lock
was taken, unless the catalog was restored from a backup.

No lock is held while a search waits for the engine: what a thread asks of the catalog meanwhile
is answered, however long that takes. So the catalog may go on amid a search, which then begins
anew (``Searcher``), as it does where the engine finds an image that the catalog does not know.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.filling import caught_up, filled_store, label_of
from image_similarity_search.collection.keeping import MovedOn
from image_similarity_search.errors import (
    CollectionCorruptError,
    CollectionUnwritableError,
    StoreError,
    StoreMismatchError,
    StoreUnavailableError,
)
from image_similarity_search.stores.base import KeptStore
from image_similarity_search.stores.engines import (
    Address,
    Engine,
    EngineStore,
    check_kind,
    open_engine,
)
from image_similarity_search.types import NEW

_LOCK_SECONDS = float("inf")  # its holder does what is waited for
_DOUBTS = 2  # so often a search is begun anew before the catalog must be what is wrong

_log = logging.getLogger(__name__)


class EngineKeeper:
    """The store of a collection, in the engine that its catalog names.

    ``formerly`` is an id that the collection had before a repair: what is in the engine under
    that one is ours, too.
    """

    holds_still = False

    def __init__(self, catalog: Catalog, *, formerly: str = "") -> None:
        self.path = catalog.identity.store
        self.is_left = False
        self._catalog = catalog
        self._ours = {catalog.identity.id, formerly}
        self._is_new = catalog.generation == 0  # nothing in the engine is nothing to report
        self._opened: Engine | None = None
        self._store: EngineStore | None = None
        self._distrusted = ""  # why the store in the engine must be made anew
        self._doubts = (NEW, 0)  # when a search found a contradiction, how often
        self._lock = threading.RLock()

    def begin_to_load(self, after: str) -> None:
        """Nothing: an engine has it loaded."""

    @contextmanager
    def current(self) -> Iterator[KeptStore]:
        """The store, brought up to date with the catalog; several threads may use it at once.

        Raises:
            CollectionCorruptError: the catalog is damaged.
            StoreMismatchError: in the engine is something else than this collection.
            StoreUnavailableError: the engine can't be used.
        """
        store = self._ready()
        try:
            yield store
        except StoreError:
            self._store = None  # it may have been dropped or put elsewhere: look again
            raise

    def made_anew(self, why: str) -> KeptStore:
        """Begin the search anew; the second time, with a store that was made anew.

        Raises:
            MovedOn: always, until there is no more to be tried.
            CollectionCorruptError: a new store did not help either.
        """
        moment, times = self._doubts
        now = self._catalog.moment
        self._doubts = (now, times + 1 if moment == now else 1)
        if self._doubts[1] > _DOUBTS:
            raise CollectionCorruptError(self._catalog.path, why)
        if self._doubts[1] == _DOUBTS:
            self._distrusted = why
        self._store = None
        raise MovedOn(why)

    def check_place(self) -> None:
        """Before a change: raise where the engine can't be asked, or the collection has left it.

        Raises:
            StoreMismatchError, StoreUnavailableError: as ``current``.
        """
        self._refuse_left()
        self._found()

    def refresh(self) -> None:
        """Bring the engine up to date after a change; where that fails, the next search does."""
        try:
            self._ready()
        except CollectionCorruptError as error:
            _log.warning("%s", error)
        except StoreError as error:
            _log.warning("%s. What was changed is kept; the engine catches up later", error)

    def rebuild(self, kind: str | None) -> None:
        """Make the store anew from the catalog, without decoding a picture.

        Searches go on in the former one until it is whole.

        Raises:
            ConfigError: the engine has no index of this kind.
            StoreMismatchError, StoreUnavailableError: as ``current``.
        """
        made = self._catalog.identity
        check_kind(made.index if kind is None else kind, made.metric)
        with self._lock:
            with self._sole():
                self._found()
                self._put_in_place(self._filled(kind))
                with self._catalog.transaction():
                    if kind is not None:
                        self._catalog.set_index(kind)
                    self._catalog.removals.forget()
            self._store = None
            self._ready()

    def close(self) -> None:
        """Leave the engine."""
        if self._opened:
            self._opened.close()
            self._opened = None

    def _ready(self) -> EngineStore:
        """The store, of the catalog's moment or of a later one."""
        with self._lock:
            try:
                self._store = self._in_step() or self._brought_up()
            except StoreUnavailableError:
                self._refuse_left()  # that it is away may be why the collection was moved
                raise
            tuning = self._catalog.measured.tuning()
            self._store.look_at(tuning.probed if tuning else None, tuning.depth if tuning else 1.0)
            return self._store

    def _in_step(self) -> EngineStore | None:
        """The store, if it is of the catalog's moment; it is looked up at first."""
        with self._catalog.snapshot():
            now, count = self._catalog.moment, self._catalog.counts().indexed
        first = self._store is None
        if self._store and self._store.moment == now:
            return self._store
        found = None if self._distrusted else self._found()
        if found is None or found.moment != now:
            return None
        if found.label != label_of(self._catalog) or (first and len(found) != count):
            return None
        return found

    def _brought_up(self) -> EngineStore:
        """The store, made to reflect the catalog as it is, or was a moment ago."""
        self._refuse_left()
        with self._sole():
            for _ in range(2):
                store = self._trusted()
                if store is None:
                    store = self._filled(None)
                    self._put_in_place(store)
                count = caught_up(store, self._catalog, store.moment)
                if self._store is not None or count in (None, len(store)):
                    return store
                self._distrusted = f"it holds {len(store):,} embeddings, not {count:,}"
        raise StoreUnavailableError(
            f"{self.path} loses data that is written to it: {self._distrusted}"
        )

    def _trusted(self) -> EngineStore | None:
        """The store in the engine, if it can be caught up; the store's lock is held."""
        found, why = self._found(), self._distrusted
        if found is None:
            if self._catalog.counts().indexed and not self._is_new:
                _log.warning("nothing at %s: rebuilding it from the catalog", self.path)
            return None
        if found.label != label_of(self._catalog):
            why = why or "it is of another kind"
        elif not found.moment.generation and self._catalog.generation:
            why = why or "it has no generation"
        else:
            why = why or self._catalog.history.why_not(found.moment)
        if why:
            _log.warning("rebuilding %s: %s", self.path, why)
            return None
        return found

    def _found(self) -> EngineStore | None:
        """The store that is in place.

        Raises:
            StoreMismatchError: it is another collection's.
        """
        found = self._engine().find()
        if found and found.label.identity not in self._ours:
            label = found.label
            what = f"another collection ({label.encoder}, {label.dim} dimensions, {label.metric})"
            raise StoreMismatchError(self.path, what)
        return found

    def _filled(self, kind: str | None) -> EngineStore:
        return filled_store(self._engine(), self._catalog, label_of(self._catalog, kind))

    def _put_in_place(self, store: EngineStore) -> None:
        self._engine().put_in_place(store)
        self._distrusted = ""

    def _engine(self) -> Engine:
        if self._opened is None:
            self._opened = open_engine(Address.parse(self.path))
        return self._opened

    def _refuse_left(self) -> None:
        """Refuse to go on with an engine that the collection was moved away from."""
        now = self._catalog.read_identity().store
        if now != self.path:
            self.is_left = True
            raise StoreUnavailableError(
                f"another process moved the embeddings from {self.path} to"
                f" {now or 'the embedded store'}: open the collection again"
            )

    @contextmanager
    def _sole(self) -> Iterator[None]:
        """Be the only one who changes what is in the engine."""
        try:
            with self._catalog.turns.store(_LOCK_SECONDS):
                yield
        except CollectionUnwritableError as error:
            raise StoreUnavailableError(
                f"{self.path} is behind the catalog, and can't be brought up to date from here:"
                f" {error.reason}"
            ) from error
