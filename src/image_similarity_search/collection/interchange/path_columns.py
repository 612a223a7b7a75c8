"""Paths of pictures in a column of a Parquet file."""

from __future__ import annotations

from io import BytesIO

from image_similarity_search.collection.interchange.parquet_file import ParquetMissingError, arrow
from image_similarity_search.errors import ImportSourceError

_USUAL = ("path", "image_path", "file_name", "filename", "file", "image")


def paths_in(data: bytes, name: str) -> list[str]:
    """The paths in the bytes of the Parquet file ``name``, in order; empty ones are left out.

    They are those of the column ``path``, or of another usual name, or of the only one of text.

    Raises:
        ImportSourceError: it can't be read, or nobody knows which column is meant.
    """
    try:
        pa, parquet = arrow()
    except ParquetMissingError as error:
        raise ImportSourceError(name, str(error)) from error
    try:
        file = parquet.ParquetFile(BytesIO(data))
        text = [
            field.name
            for field in file.schema_arrow
            if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        ]
        usual = [one for one in _USUAL if one in text]
        if not usual and len(text) != 1:
            raise ImportSourceError(
                name, f"which column has the paths? Call it path; of text are: {', '.join(text)}"
            )
        column = (usual or text)[0]
        return [path for path in file.read([column]).column(column).to_pylist() if path]
    except (pa.ArrowException, OSError) as error:
        raise ImportSourceError(name, "a damaged Parquet file") from error
