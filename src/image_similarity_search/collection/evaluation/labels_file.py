"""Files that say which images belong together: a row for each, with a path and a group."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from itertools import chain
from typing import Any, TextIO

from image_similarity_search.collection.interchange.parquet_file import opened_table
from image_similarity_search.collection.interchange.path_columns import DELIMITERS, USUAL
from image_similarity_search.errors import ConfigError, reason_of

_GROUPS = ("group", "label", "class", "category", "class_name", "label_name", "target", "folder")

_Rows = Iterator[tuple[int, str, str]]
_Columns = tuple[int, int, bool]  # where the path is, and the group; whether that row is a header


def rows_of(file: str) -> _Rows:
    """The number, path and group of each row of a file; the group is empty where there is none.

    It is a Parquet file, or text with commas, semicolons or tabs between the columns. A header says
    which of them count; two columns without one are a path and a group.

    Raises:
        ConfigError: it can't be read, nobody knows which columns count, or a row has no path.
    """
    try:
        with open(file, "rb") as data:
            is_parquet = data.read(4) == b"PAR1"
        yield from _in_parquet(file) if is_parquet else _in_text(file)
    except FileNotFoundError as error:
        raise _no_table(file, "there is no such file") from error
    except OSError as error:
        raise _no_table(file, f"it can't be read: {reason_of(error)}") from error


def _no_table(file: str, reason: str) -> ConfigError:
    expected = f"'folders', 'folder-names', 'column:NAME', or a file of paths and groups ({reason})"
    return ConfigError("truth", file, expected)


def _in_text(file: str) -> _Rows:
    _refuse_wide(file)
    rows = _numbered(file, _delimiter(file))
    first = next(rows, None)
    if first is None:
        return
    columns = _columns(first[1])
    if columns is None:
        raise _which_columns(file, first[1])
    path, group, is_header = columns
    for number, row in rows if is_header else chain([first], rows):
        if len(row) != len(first[1]) or not row[path]:
            found = f"{file}, row {number}: {', '.join(row)[:200]}"
            raise ConfigError("truth", found, f"{len(first[1])} values, with a path among them")
        if _is_escaped(row[group]):
            found = f"{file}, row {number}: {row[group]!r}"
            raise ConfigError("truth", found, "groups in UTF-8; save the file as UTF-8")
        yield number, row[path], row[group]


def _is_escaped(text: str) -> bool:
    """Whether it was no UTF-8; paths may be none."""
    return any("\udc80" <= character <= "\udcff" for character in text)


def _opened(file: str) -> TextIO:
    return open(file, encoding="utf-8-sig", errors="surrogateescape", newline="")


def _refuse_wide(file: str) -> None:
    """Raise ConfigError for two bytes or more for each character, as some programs write them."""
    with _opened(file) as text:
        if "\0" in text.read(1_000):
            expected = "a CSV file of paths and groups in UTF-8; save it as UTF-8"
            raise ConfigError("truth", file, expected)


def _numbered(file: str, delimiter: str) -> Generator[tuple[int, list[str]]]:
    """The rows that hold anything, read one by one: there may be millions."""
    number = 0
    with _opened(file) as text:
        try:
            for number, row in enumerate(csv.reader(text, delimiter=delimiter), 1):
                if row:
                    yield number, row
        except csv.Error as error:
            expected = f"a closing quotation mark ({error})"
            raise ConfigError("truth", f"{file}, row {number + 1}", expected) from error


def _delimiter(file: str) -> str:
    """What is most likely between the columns, by the first row; of several, by all rows."""
    firsts = {one: _first(file, one) for one in DELIMITERS}
    columns = {one: found for one, first in firsts.items() if (found := _columns(first))}
    likely = [one for one, (_, _, is_header) in columns.items() if is_header] or list(columns)
    if not likely:  # what is said of it then shows all of its columns
        return max(firsts, key=lambda one: len(firsts[one]))
    if len(likely) == 1:
        return likely[0]
    return next((one for one in likely if _is_even(file, one)), likely[0])


def _first(file: str, delimiter: str) -> list[str]:
    """The first row; empty where there is none that can be read so."""
    with suppress(ConfigError), closing(_numbered(file, delimiter)) as rows:
        for _, row in rows:
            return row
    return []


def _is_even(file: str, delimiter: str) -> bool:
    """Whether all rows can be read so, and are of one length."""
    with suppress(ConfigError):
        return len({len(row) for _, row in _numbered(file, delimiter)}) == 1
    return False


def _columns(first: Sequence[str]) -> _Columns | None:
    """Which columns count, by the first row; None where nobody knows."""
    words = [word.strip().lower() for word in first]
    paths = [words.index(name) for name in USUAL if name in words]
    groups = [words.index(name) for name in _GROUPS if name in words]
    if paths and groups:
        return paths[0], groups[0], True
    if len(words) != 2:
        return None
    return (paths[0], 1 - paths[0], True) if paths else (0, 1, False)


def _which_columns(file: str, first: Sequence[str]) -> ConfigError:
    found = ", ".join(word or "''" for word in first)
    expected = (
        f"two columns, a path and a group, or a header with one of {', '.join(USUAL)} for the path"
        f" and one of {', '.join(_GROUPS)} for the group"
    )
    said = f"which columns of {file} have the paths and groups? It begins with: {found[:200]}"
    return ConfigError("truth", file, expected, f"{said}; expected {expected}")


def _in_parquet(file: str) -> _Rows:
    with opened_table(file, partial(_no_table, file)) as table:
        names = table.schema_arrow.names
        columns = _columns(names)
        if columns is None:
            raise _which_columns(file, names)
        wanted = [names[at] for at in columns[:2]]
        values = table.read(wanted)
        paths, groups = (values.column(name).to_pylist() for name in wanted)
    for number, (path, group) in enumerate(zip(paths, groups, strict=True), 1):
        if not isinstance(path, str) or not path:
            raise ConfigError("truth", f"{file}, row {number}", f"text in the column {wanted[0]}")
        yield number, path, _word(group)


def _word(group: Any) -> str:
    """A group as text: empty where there is none."""
    return "" if group is None else str(group)
