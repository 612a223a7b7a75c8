"""Groups of images that are rows of Parquet files, by another column of these."""

from __future__ import annotations

from collections.abc import Iterable

from image_similarity_search.addresses import file_of, is_row
from image_similarity_search.collection.interchange.parquet_file import opened_table
from image_similarity_search.errors import ConfigError
from image_similarity_search.types import ImageRecord


def by_column(records: Iterable[ImageRecord], column: str) -> dict[int, str]:
    """The value in a column of the row that each image is, by id; a row without one has none.

    Raises:
        ConfigError: a file has no such column, or can't be read; or none of the images is a row.
    """
    rows: dict[str, dict[int, int]] = {}  # of each file: the id of the image by its row
    for record in records:
        if is_row(record.path):
            address, _, name = record.path.rpartition("/")
            rows.setdefault(file_of(address), {})[int(name.partition("-")[0])] = record.id
    if not rows:
        expected = (
            "a file, folders or folder-names: this collection has no images from Parquet files"
        )
        raise ConfigError("truth", f"column:{column}", expected)
    found = {}
    for file, ids in rows.items():
        values = _values(file, column)
        for row, id_ in ids.items():
            if row < len(values) and values[row] not in (None, ""):
                found[id_] = str(values[row])
    return found


def _values(file: str, column: str) -> list[object]:
    truth = f"column:{column}"

    def refusal(reason: str) -> ConfigError:
        return ConfigError("truth", truth, f"a readable Parquet file at {file} ({reason})")

    with opened_table(file, refusal) as table:
        names = table.schema_arrow.names
        if column not in names:
            raise ConfigError("truth", truth, f"a column of {file}, which has {', '.join(names)}")
        values: list[object] = table.read([column]).column(column).to_pylist()
        return values
