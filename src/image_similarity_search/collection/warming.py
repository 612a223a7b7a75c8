"""What a process that searches often does once, so that its searches take less time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import TypeAlias

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.errors import ImageSearchError
from image_similarity_search.stores.faiss_store import FaissStore
from image_similarity_search.types import FloatArray, IdArray

_OFTEN = 50  # searches: to read all embeddings costs as much as some hundred save
_PAUSE = 0.002  # seconds in which a search that waits gets its turn

_Current: TypeAlias = Callable[[], AbstractContextManager[FaissStore]]

_log = logging.getLogger(__name__)


class Warmer:
    """Has the store keep half bytes, on another thread, a part at a time; ``catalog`` has more."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._thread: threading.Thread | None = None
        self._over = threading.Event()  # it is closed, or can't be done

    def used(self, store: FaissStore, current: _Current) -> None:
        """The store was used, perhaps for searches; call while nobody else uses it.

        ``current`` gives it to one thread alone, as ``StoreKeeper.current``. It is not kept: who
        is let go of without ``close`` must be seen to be so.
        """
        if store.searches < _OFTEN or not store.wants_half_bytes or self._over.is_set():
            return
        if not (self._thread and self._thread.is_alive()):
            thread = threading.Thread(target=self._warm, args=(current,), name="iss-warming")
            with suppress(RuntimeError):  # no more threads are to be had
                thread.start()
                self._thread = thread

    def close(self) -> None:
        """Stop it."""
        self._over.set()
        if self._thread:
            self._thread.join()

    def _warm(self, current: _Current) -> None:
        try:
            while threading.main_thread().is_alive() and not self._over.wait(_PAUSE):
                with current() as store:
                    if not store.wants_half_bytes:
                        break
                    self._go_on(store)
        except ImageSearchError as error:
            _log.info("searches were not warmed up: %s", error)  # and go on as before

    def _go_on(self, store: FaissStore) -> None:
        try:
            store.keep_half_bytes(self._vectors)
        except (ImageSearchError, MemoryError) as error:
            self._over.set()
            store.forget_half_bytes()
            _log.info("searches were not warmed up: %s", error or "not enough memory")

    def _vectors(self, ids: IdArray) -> FloatArray:
        """The comparable vectors ``(n, dim)`` of these ids."""
        found = self._catalog.embeddings.in_order(ids)
        return found.comparable(self._catalog.identity.metric)
