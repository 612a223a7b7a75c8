"""A connection that is given up where nobody answers at its other end any more.

libpq waits for an answer for as long as the connection stands. That may be for ever, where
something on the way keeps it open, or the server's process for it was stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

from image_similarity_search.catalog.parts import Row

SILENT_SECONDS = 5.0
"""Without a sign of the server, until it is asked; a second such answer ends the connection."""

_AT_WORK = """
SELECT state IN ('active', 'disabled') AND wait_event_type IS DISTINCT FROM 'Client'
FROM pg_stat_activity WHERE pid = %s
"""

_T = TypeVar("_T")


def _nobody_knows() -> bool:
    return False


class WatchedConnection(psycopg.Connection[Row]):
    """Waits for an answer as long as the server is at work for it.

    Attributes:
        is_at_work: asks it.
    """

    is_at_work: Callable[[], bool] = staticmethod(_nobody_knows)

    def wait(self, gen: PQGen[_T], *args: Any, **options: Any) -> _T:
        """As it is; OperationalError, and the connection is closed, where no answer will come."""
        return super().wait(self._while_answered(gen), *args, **options)

    def _while_answered(self, gen: PQGen[_T]) -> PQGen[_T]:
        since, doubts = time.monotonic(), 0
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready:
                    since, doubts = time.monotonic(), 0
                elif time.monotonic() - since > SILENT_SECONDS:
                    doubts = 0 if self.is_at_work() else doubts + 1
                    if doubts > 1:  # what it sent at first may have been on its way
                        self.close()
                        raise psycopg.OperationalError("the server does not answer any more")
                    since = time.monotonic()
                wanted = gen.send(ready)
        except StopIteration as end:
            answer: _T = end.value
            return answer


def is_at_work(conninfo: str, pid: int) -> bool:
    """Whether the server does something for its process ``pid``; asked by another connection."""
    try:
        with WatchedConnection.connect(conninfo, autocommit=True) as asking:
            row = asking.execute(_AT_WORK, (pid,)).fetchone()
    except psycopg.Error as error:
        return "FATAL" in str(error)  # it takes no more connections, say: that is an answer
    return row is not None and bool(row[0])
