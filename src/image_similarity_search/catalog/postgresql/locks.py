"""Locks between the computers that share a catalog; each ends with its connection.

They are PostgreSQL's advisory locks, tried again and again rather than waited for: a connection
that waits could not be asked anything else.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.errors import (
    CollectionClosedError,
    CollectionLockedError,
    CollectionUnavailableError,
)

_BETWEEN_TRIES = 0.2  # seconds

_HOLDER = """
SELECT application_name, to_char(backend_start, 'YYYY-MM-DD HH24:MI:SS TZ')
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pid != pg_backend_pid()
AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND (classid::bigint << 32) | objid::bigint = ?
ORDER BY backend_start LIMIT 1
"""

_log = logging.getLogger(__name__)


class Lock(NamedTuple):
    """What is to be had: alone, or ``shared`` with others who want it shared."""

    name: str
    shared: bool = False


class Locks:
    """The locks of one catalog that one connection holds."""

    def __init__(self, database: AnyDatabase, scope: str) -> None:
        """``scope`` tells this catalog from others in the same PostgreSQL database."""
        self._database = database
        self._scope = scope
        self._held: Counter[Lock] = Counter()
        self._guard = threading.Lock()  # a search may take a lock while a sync has its own

    def __bool__(self) -> bool:
        """Whether any is held."""
        with self._guard:
            return self._held.total() > 0

    def holds(self, name: str) -> bool:
        """Whether this one is held, alone."""
        return self._held[Lock(name)] > 0

    @contextmanager
    def held(
        self, wanted: Sequence[Lock], wait: float, level: int = logging.WARNING
    ) -> Iterator[None]:
        """Hold all of these, to the end of the block; that they are waited for is logged.

        Raises:
            CollectionLockedError: another connection still has one after ``wait`` seconds.
        """
        deadline, told = time.monotonic() + wait, False
        while (missing := self._tried(wanted)) is not None:
            if time.monotonic() >= deadline:
                raise self.locked(missing)
            if not told:
                locked = self.locked(missing)
                _log.log(level, "%s is writing to %s: waiting for it", locked.holder, locked.path)
                told = True
            time.sleep(_BETWEEN_TRIES)
        try:
            yield
        finally:
            self._let_go(wanted)

    def free_for_now(self, name: str) -> bool:
        """Whether nobody else has this lock: nobody gets it until the transaction ends."""
        return self._is_had("pg_try_advisory_xact_lock", name)

    def locked(self, lock: Lock) -> CollectionLockedError:
        """That another connection has it, and whose that is."""
        row = self._database.row(_HOLDER, (self._key(lock.name),))
        if row is None or not row[0]:
            return CollectionLockedError(self._database.path)
        return CollectionLockedError(self._database.path, f"{row[0]} (since {row[1]})")

    def _tried(self, wanted: Sequence[Lock]) -> Lock | None:
        """Take all of them, or none: then the one that could not be had."""
        taken: list[Lock] = []
        try:
            for lock in wanted:
                how = "pg_try_advisory_lock_shared" if lock.shared else "pg_try_advisory_lock"
                if not self._is_had(how, lock.name):
                    self._let_go(taken)
                    return lock
                taken.append(lock)
                self._count(lock, 1)
        except BaseException:
            self._let_go(taken)
            raise
        return None

    def _let_go(self, locks: Sequence[Lock]) -> None:
        for lock in locks:
            how = "pg_advisory_unlock_shared" if lock.shared else "pg_advisory_unlock"
            # they ended with the connection
            with suppress(CollectionUnavailableError, CollectionClosedError):
                self._is_had(how, lock.name)
            self._count(lock, -1)

    def _count(self, lock: Lock, more: int) -> None:
        with self._guard:
            self._held[lock] += more

    def _is_had(self, function: str, name: str) -> bool:
        row = self._database.row(f"SELECT {function}(?::bigint)", (self._key(name),))
        return row is not None and bool(row[0])

    def _key(self, name: str) -> int:
        text = f"{self._scope}\0{name}".encode("utf-8", "surrogateescape")
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big", signed=True)
