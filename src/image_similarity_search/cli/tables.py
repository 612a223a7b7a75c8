"""Tables that commands write for other programs: CSV, or Parquet with the extra ``parquet``."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any

from image_similarity_search.cli.extras import extra
from image_similarity_search.cli.targets import check_target, written
from image_similarity_search.errors import ConfigError

if TYPE_CHECKING:
    from image_similarity_search.collection import Collection

_PARQUET = ".parquet"


def check_table(
    file: str | None, collection: Collection, index_dir: str, *, force: bool = False
) -> None:
    """Refuse, before any work, a file that can't be written, or is to be no table.

    Raises:
        ImageError: as ``check_target`` does.
        ConfigError: its name says no format, or what writes Parquet is missing.
    """
    if file is None:
        return
    check_target(file, collection, index_dir, force=force)
    is_stream = os.path.exists(file) and not os.path.isfile(file)  # which may have any name
    if file.endswith(_PARQUET):
        with extra("parquet", "writing a Parquet table"):
            import_module("pyarrow.parquet")
    elif not file.endswith(".csv") and not is_stream:
        raise ConfigError("table", file, "a name that ends in .csv or .parquet")


def write_table(
    file: str, columns: Mapping[str, type], rows: Iterable[Sequence[str | int | float | None]]
) -> None:
    """Write rows to ``file``: all of them, or nothing.

    Args:
        file: as ``check_table`` let it through.
        columns: their names, and of what they are: ``str``, ``int`` or ``float``.
        rows: a value for each column; None where there is none. Paths that are no UTF-8 are in CSV
            as they are on disk, and in Parquet with the other bytes escaped.

    Raises:
        ImageError: it can't be written.
    """
    made = _as_parquet if file.endswith(_PARQUET) else _as_csv
    data = made(columns, rows)
    with written(file) as out:
        out.write(data)


def _as_csv(columns: Mapping[str, type], rows: Iterable[Sequence[Any]]) -> bytes:
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode(errors="surrogateescape")


def _as_parquet(columns: Mapping[str, type], rows: Iterable[Sequence[Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
    values = [[_plain(value) for value in row] for row in rows]
    arrays = [pa.array([row[at] for row in values], field.type) for at, field in enumerate(schema)]
    out = BytesIO()
    parquet.write_table(pa.table(arrays, schema), out, compression="zstd")
    return out.getvalue()


def _plain(value: Any) -> Any:
    """Text that is UTF-8, as Parquet wants it."""
    if not isinstance(value, str):
        return value
    return value.encode(errors="surrogateescape").decode("utf-8", "backslashreplace")
