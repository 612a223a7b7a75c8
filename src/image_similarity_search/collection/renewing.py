"""Making a store anew on another thread, while the former one serves."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TypeAlias

from image_similarity_search.catalog.lock import store_lock
from image_similarity_search.errors import (
    CollectionLockedError,
    CollectionNotFoundError,
    CollectionUnwritableError,
    ImageSearchError,
    StoreUnavailableError,
)

_AGAIN = 1.0  # seconds until one that failed is tried again, and
_SPARED = 10  # times as long as that took
_PAUSE = 0.1  # seconds between two looks whether another process is done

GoOn: TypeAlias = Callable[[], None]
"""Called now and then by what takes long; raises where it is to end."""

_log = logging.getLogger(__name__)


class Renewer:
    """Has the store of the collection in ``folder`` made anew, once at a time.

    Whoever makes it anew holds the store's lock: so other processes wait for the file.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._thread: threading.Thread | None = None
        self._over = threading.Event()
        self._not_before = 0.0

    def begin(self, renew: Callable[[GoOn], None]) -> None:
        """Begin to do it; one thread at a time may call this. Nothing where it is going on.

        ``renew`` is not kept: who is let go of without ``close`` must be seen to be so.
        """
        is_at_it = self._thread and self._thread.is_alive()
        if self._over.is_set() or is_at_it or time.monotonic() < self._not_before:
            return
        thread = threading.Thread(target=self._run, args=(renew,), name="iss-renewing")
        with suppress(RuntimeError):  # no more threads are to be had
            thread.start()
            self._thread = thread

    def finish(self) -> None:
        """Wait until what goes on is done."""
        if thread := self._thread:
            thread.join()

    def end(self) -> None:
        """End what goes on, for another one is to be made."""
        self._over.set()
        self.finish()
        self._over.clear()

    def close(self) -> None:
        """End what goes on, and begin no more."""
        self._over.set()
        self.finish()

    def another_makes(self) -> bool:
        """Whether another process is making or writing the store now."""
        try:
            with store_lock(self._folder):
                return False
        except CollectionLockedError:
            return True
        except (CollectionUnwritableError, CollectionNotFoundError):
            return False

    @contextmanager
    def alone(self, go_on: GoOn) -> Iterator[None]:
        """Be the one who makes it, after whoever does now.

        Where nothing can be locked, nothing can be written either, and each process has its own.
        """
        with ExitStack() as held:
            while True:
                try:
                    held.enter_context(store_lock(self._folder))
                    break
                except CollectionLockedError:
                    go_on()
                    time.sleep(_PAUSE)
                except (CollectionUnwritableError, CollectionNotFoundError):
                    break
            yield

    def _run(self, renew: Callable[[GoOn], None]) -> None:
        began = time.monotonic()
        try:
            renew(self._go_on)
        except (ImageSearchError, MemoryError) as error:
            now = time.monotonic()
            self._not_before = now + _AGAIN + _SPARED * (now - began)
            if not self._over.is_set() and threading.main_thread().is_alive():
                reason = str(error) or "there is too little memory"
                _log.warning(
                    "the search index can't be rebuilt now; the present one is used: %s", reason
                )

    def _go_on(self) -> None:
        if self._over.is_set() or not threading.main_thread().is_alive():
            raise StoreUnavailableError("the collection is closed, or makes another store")
