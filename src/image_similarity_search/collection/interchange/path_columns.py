"""Paths of pictures in a column of a table: of a Parquet file, or of a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from io import BytesIO
from typing import IO

from image_similarity_search.collection.interchange.parquet_file import arrow, opened_table
from image_similarity_search.errors import ImportSourceError

USUAL = (
    *("path", "image_path", "file_name", "filename", "file", "image"),
    *("filepath", "file_path", "img", "name"),
)
"""What a column of paths is called, mostly."""

DELIMITERS = ",;\t"
"""What may be between the columns of text."""


def paths_in(data: bytes, name: str) -> list[str]:
    """The paths in the bytes of the Parquet file ``name``, in order; empty ones are left out.

    They are those of the column ``path``, or of another usual name, or of the only one of text.

    Raises:
        ImportSourceError: it can't be read, or nobody knows which column is meant.
    """
    return [path for path in paths_of_rows(BytesIO(data), name) if path]


def paths_of_rows(file: IO[bytes], name: str) -> list[str]:
    """The same of an open file, one for each row; empty where a row has none."""
    pa, _ = arrow()
    with opened_table(file, partial(ImportSourceError, name)) as table:
        text = [
            field.name
            for field in table.schema_arrow
            if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        ]
        column = column_of_paths(text, name)
        return [path or "" for path in table.read([column]).column(column).to_pylist()]


def column_of_paths(columns: Sequence[str], name: str) -> str:
    """Which of the columns of text of the file ``name`` has the paths.

    Raises:
        ImportSourceError: nobody knows.
    """
    usual = [one for one in USUAL if one in columns]
    if not usual and len(columns) != 1:
        raise ImportSourceError(
            name, f"which column has the paths? Name it path; columns of text: {', '.join(columns)}"
        )
    return (usual or columns)[0]
