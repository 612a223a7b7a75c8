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
    after: Row = (-1,),
) -> Iterator[list[Row]]:
    """The rows of a query, about a thousand at a time; the caller may change what was read.

    Their first columns are the numbers by which they are ordered, as many as ``after`` has; after
    ``parameters`` the query takes those to go on after, which are ``after`` at first, and a limit.

    Raises:
        CollectionCorruptError: they are not in order, as in a damaged table of the file ``path``;
            whoever went on after the last of them might never come to an end.
    """
    last = after
    while rows := read(sql, (*parameters, *last, _ROWS)):
        keys = [last, *(row[: len(after)] for row in rows)]
        if not all(_is_behind(key, before) for before, key in pairwise(keys)):
            told = ", ".join(map(str, last))
            raise CollectionCorruptError(path, f"rows are out of order after {told}")
        yield rows
        last = keys[-1]


def _is_behind(key: Row, before: Row) -> bool:
    try:
        return key > before
    except TypeError:  # it is no number
        return False
