"""Reading a table a part at a time, in order of id."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from image_similarity_search.errors import CollectionCorruptError

Row = tuple[Any, ...]

_ROWS = 1024


def in_parts(
    read: Callable[[str, Sequence[Any]], list[Row]],
    path: str,
    sql: str,
    *parameters: Any,
    after: int = -1,
) -> Iterator[list[Row]]:
    """The rows of a query, about a thousand at a time; the caller may change what was read.

    Their first column is an id, by which they are ordered; after ``parameters`` the query takes
    the id to go on after, which is ``after`` at first, and a limit.

    Raises:
        CollectionCorruptError: they are not in order, as in a damaged table of the file ``path``;
            whoever went on after the last of them might never come to an end.
    """
    last = after
    while rows := read(sql, (*parameters, last, _ROWS)):
        ids = [last, *(row[0] for row in rows)]
        if any(not isinstance(id_, int) or id_ <= before for before, id_ in pairwise(ids)):
            raise CollectionCorruptError(path, f"rows are out of order after {last}")
        yield rows
        last = ids[-1]
