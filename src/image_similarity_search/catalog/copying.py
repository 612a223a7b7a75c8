"""The rows of one catalog put into another, and compared."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.checksums import Checksums
from image_similarity_search.catalog.meta import Meta
from image_similarity_search.catalog.parts import Row
from image_similarity_search.catalog.rows import indexed
from image_similarity_search.catalog.tables import TABLES, Readable, Table, Tally
from image_similarity_search.errors import CollectionCorruptError, CollectionExistsError

_MISMATCHED = (
    "SELECT count(*) FROM images LEFT JOIN embeddings ON image_id = images.id"
    " WHERE coalesce(embedding_crc32, -1) != coalesce(embeddings.crc32, -1)"
    " OR (state = 'indexed') != (embeddings.crc32 IS NOT NULL)"
)
_UNEQUAL = (
    "it is another state of this collection: it was changed there since it was moved or"
    " copied; use it ('iss join', in another index folder), or give another schema,"
    " ?schema=NAME"
)

Report = Callable[[str, int], None]
"""Called with what is done (``moving``, ``comparing``) and of how many images it is done."""


class Arrival(Readable, Protocol):
    """A catalog that is being filled: there is none at its place until ``put_in_place``."""

    @property
    def meta(self) -> dict[str, str]:
        """What the table ``meta`` has, but for the checksum."""
        ...

    @property
    def was_there(self) -> bool:
        """Whether it is at its place: left there by a move that was ended just before its end."""
        ...

    def put(self, table: Table, parts: Iterable[list[Row]]) -> None:
        """Add rows to a table that has none."""
        ...

    def put_in_place(self, last_id: int) -> None:
        """Let it be a catalog from now on, in which no id up to ``last_id`` is given again."""
        ...


def copied(source: AnyDatabase, target: Arrival, report: Report) -> None:
    """Put all rows of ``source``, which rests meanwhile, into ``target``, and compare them.

    Some are in memory at a time. What was there is only compared.

    Raises:
        CollectionCorruptError: a row of the source is not as it was written, or is missing; or
            the target does not give back what was put there.
        CollectionExistsError: what was there is not the same.
    """
    meta = Meta(source).read()
    sums = {}
    for table in TABLES:
        sums[table.name] = tally = Tally()
        rows = _read(table, source, Checksums(meta["id"]), tally, report)
        if target.was_there:
            deque(rows, maxlen=0)  # they are counted
        else:
            target.put(table, rows)
    _check_counts(source, target, sums)
    check_unchanged(source, meta)
    if target.meta == meta and _tallies(target, report) == sums:
        return
    if target.was_there:
        raise CollectionExistsError(target.path, _UNEQUAL)
    reason = "its content differs from what was written"
    raise CollectionCorruptError(target.path, reason, "nothing was changed")


def check_unchanged(source: AnyDatabase, meta: dict[str, str]) -> None:
    """Raise CollectionCorruptError where ``source`` has no longer the ``meta`` that was copied."""
    if Meta(source).read() != meta:
        raise CollectionCorruptError(
            source.path, "it was changed meanwhile", "run the command again"
        )


def _tallies(target: Arrival, report: Report) -> dict[str, Tally]:
    """What a new catalog holds."""
    sums = {table.name: Tally() for table in TABLES}
    for table in TABLES:
        for part in table.parts(target):
            sums[table.name].add(part)
            if table.name == "embeddings":
                report("comparing", sums[table.name].count)
    return sums


def _read(
    table: Table, source: AnyDatabase, checksums: Checksums, tally: Tally, report: Report
) -> Iterator[list[Row]]:
    """The rows of a table, checked, counted, and as any database can have them."""
    for part in table.parts(source):
        for row in part:
            if not table.is_whole(row, checksums):
                reason = f"row {row[0]} of {table.name} has a wrong checksum"
                raise CollectionCorruptError(source.path, reason)
        portable = [_without_nul(table, row, checksums) for row in part]
        tally.add(portable)
        yield portable
        if table.name == "embeddings":
            report("moving", tally.count)


def _without_nul(table: Table, row: Row, checksums: Checksums) -> Row:
    """A row without NULs in texts, which PostgreSQL has not; a library may put them there."""
    if not any(isinstance(value, str) and "\0" in value for value in row):
        return row
    values = [v.replace("\0", "\ufffd") if isinstance(v, str) else v for v in row[:-1]]
    return (*values, checksums.of(table.name, *values))


def _check_counts(source: AnyDatabase, target: Arrival, sums: dict[str, Tally]) -> None:
    """Refuse to take a damaged catalog, of which some rows can't be read, for the whole."""
    expected, found = source.value(indexed(source.sql)), sums["embeddings"].count
    if found != expected:
        reason = f"{found:,} of {expected:,} embeddings can be read"
        raise CollectionCorruptError(source.path, reason)
    if not target.was_there and target.rows(_MISMATCHED) != [(0,)]:
        reason = "images and embeddings do not belong together"
        raise CollectionCorruptError(source.path, reason)
