"""What a process that searches often does once, so that its searches take less time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.errors import CollectionCorruptError, ImageSearchError
from image_similarity_search.stores.faiss_store import FaissStore
from image_similarity_search.types import FloatArray, IdArray

_OFTEN = 50  # searches: to read all embeddings costs as much as some hundred save
_PAUSE = 0.002  # seconds in which a search that waits gets its turn

_log = logging.getLogger(__name__)


class Warmer:
    """Has the store keep half bytes, on another thread, a part at a time.

    Args:
        catalog: where the embeddings are.
        current: gives the store, to one thread alone, as ``StoreKeeper.current``.
    """

    def __init__(
        self, catalog: Catalog, current: Callable[[], AbstractContextManager[FaissStore]]
    ) -> None:
        self._catalog = catalog
        self._current = current
        self._searches = 0
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    def searched(self, store: FaissStore) -> None:
        """The store was used once more; call while nobody else uses it."""
        if not store.wants_half_bytes or (self._thread and self._thread.is_alive()):
            return
        self._searches += 1
        if self._searches >= _OFTEN and not self._closing.is_set():
            self._searches = 0
            thread = threading.Thread(target=self._warm, name="iss-warming")
            thread.start()
            self._thread = thread  # one that another thread may wait for

    def close(self) -> None:
        """Stop it."""
        self._closing.set()
        if self._thread:
            self._thread.join()

    def _warm(self) -> None:
        try:
            while threading.main_thread().is_alive() and not self._closing.wait(_PAUSE):
                with self._current() as store:
                    if not store.wants_half_bytes:
                        break
                    store.keep_half_bytes(self._vectors)
        except ImageSearchError as error:
            _log.info("searches get no quicker: %s", error)  # and go on as before

    def _vectors(self, ids: IdArray) -> FloatArray:
        """The comparable vectors ``(n, dim)`` of these ids."""
        found = self._catalog.embeddings(ids)
        order = np.argsort(found.ids)
        if not np.array_equal(found.ids[order], np.sort(ids)):
            raise CollectionCorruptError(self._catalog.path, "an image has no embedding")
        rows = vectors.unpack(found.units, found.norms, self._catalog.identity.metric)
        return rows[order[np.searchsorted(found.ids, ids, sorter=order)]]
