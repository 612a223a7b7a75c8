"""Ids for new images of a shared catalog, some reserved at once, not to ask for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_RESERVE = "SELECT nextval(pg_get_serial_sequence('images', 'id')) FROM generate_series(1, 32)"


class ReservedIds:
    """Those of one catalog that are reserved and not used yet.

    Where the catalog is restored, its sequence may give them again, to others.
    """

    def __init__(self, rows: Callable[[str], list[tuple[int]]]) -> None:
        """``rows`` are those of a query."""
        self._rows = rows
        self._reserved: list[int] = []
        self._source: object = None

    def take(self) -> int:
        """The next one; within ``drawn_from``."""
        if not self._reserved:
            self._reserved = [id_ for (id_,) in self._rows(_RESERVE)]
        return self._reserved.pop(0)

    @contextmanager
    def drawn_from(self, source: object) -> Iterator[None]:
        """For a transaction: ids of another ``source`` are dropped, and all where it fails."""
        if source != self._source:
            self._reserved, self._source = [], source
        try:
            yield
        except BaseException:
            self._reserved = []
            raise
