"""Lists of paths, one for each row of an array: text, JSON, CSV or a column of a Parquet file."""

from __future__ import annotations

import csv
import json
import os

from image_similarity_search.collection.interchange.path_columns import (
    DELIMITERS,
    USUAL,
    column_of_paths,
    paths_of_rows,
)
from image_similarity_search.errors import ImportSourceError, reason_of


def read_path_list(file: str) -> list[str]:
    """The paths in a file, in order; the end of its name says what it is.

    ``.json`` is a list of text, ``.csv`` a table with a header (or of one column without),
    ``.parquet`` a table, and anything else has one path a line.

    Raises:
        ImportSourceError: it can't be read, or is no such list.
    """
    reader = {".json": _in_json, ".csv": _in_csv, ".parquet": _in_parquet}
    try:
        paths = reader.get(os.path.splitext(file)[1].lower(), _in_lines)(file)
    except OSError as error:
        raise ImportSourceError(file, reason_of(error)) from error
    return checked_paths(paths, file)


def checked_paths(paths: list[str], source: str) -> list[str]:
    """These paths, if each is one.

    Raises:
        ImportSourceError: one is empty, or no path otherwise.
    """
    for row, path in enumerate(paths):
        if not isinstance(path, str) or not path or "\0" in path:
            raise ImportSourceError(source, f"item {row} is not a path: {path!r}"[:200])
    return paths


def lines_of(data: bytes) -> list[bytes]:
    """The lines of a text file, written on Windows or elsewhere."""
    listed = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if listed[-1] == b"":
        listed.pop()
    return [line.removesuffix(b"\r") for line in listed]


def _in_lines(file: str) -> list[str]:
    with open(file, "rb") as text:
        return [os.fsdecode(line) for line in lines_of(text.read())]


def _in_json(file: str) -> list[str]:
    with open(file, encoding="utf-8-sig", errors="surrogateescape") as text:
        try:
            paths = json.load(text)
        except (ValueError, RecursionError) as error:
            raise ImportSourceError(file, f"it is not JSON, or damaged ({error})") from error
    if not isinstance(paths, list):
        raise ImportSourceError(file, 'expected a list of paths: ["a.jpg", "b.jpg"]')
    return paths


def _in_csv(file: str) -> list[str]:
    with open(file, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        try:
            first = text.readline()
            headers = {one: next(csv.reader([first], delimiter=one), []) for one in DELIMITERS}
            known = (one for one in DELIMITERS if not set(USUAL).isdisjoint(headers[one]))
            text.seek(0)
            header, *rows = list(csv.reader(text, delimiter=next(known, ","))) or [[]]
        except csv.Error as error:
            raise ImportSourceError(file, f"it is not CSV, or damaged ({error})") from error
    if len(header) == 1 and header[0] not in USUAL:
        header, rows = ["path"], [header, *rows]
    column = header.index(column_of_paths(header, file))
    for row, values in enumerate(rows):
        if len(values) != len(header):
            raise ImportSourceError(file, f"row {row} has {len(values)} values, not {len(header)}")
    return [values[column] for values in rows]


def _in_parquet(file: str) -> list[str]:
    with open(file, "rb") as table:
        return paths_of_rows(table, file)
