"""An export as one Parquet file: a row for each image, its embedding in a column."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from typing import IO, Any

import numpy as np

from image_similarity_search.collection.interchange.layout import (
    ROWS_AT_ONCE,
    Header,
    Part,
    header_from,
    record_as_dict,
    record_from,
)
from image_similarity_search.errors import ConfigError, ImageSearchError, reason_of

HEADER_KEY = b"image_similarity_search"
"""Under which the metadata of an export has its header."""

_NAMES = ("id", "path", "size", "mtime_ns", "content_hash", "width", "height", "metadata")
_INSTALL = "pip install 'image-similarity-search[parquet]'"


def arrow() -> Any:
    """The modules ``pyarrow`` and ``pyarrow.parquet``, imported when first asked for.

    Raises:
        ConfigError: they can't be imported.
    """
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        said = f"Parquet needs pyarrow, which can't be imported ({error}): {_INSTALL}"
        raise ConfigError("parquet", str(error), _INSTALL, said) from error


@contextmanager
def opened_table(
    file: str | IO[bytes], refusal: Callable[[str], ImageSearchError]
) -> Iterator[Any]:
    """A Parquet file of anybody's, a path or open, as pyarrow's ``ParquetFile``.

    What is wrong with it is raised as the ``refusal`` makes an error of it; a package that is
    missing is a ConfigError.
    """
    pa, parquet = arrow()
    try:
        with open(file, "rb") if isinstance(file, str) else nullcontext(file) as source:
            # what is read ahead is kept until the file is closed
            yield parquet.ParquetFile(source, pre_buffer=False)
    except pa.ArrowException as error:
        raise refusal(f"a damaged Parquet file ({error})") from error
    except OSError as error:
        raise refusal(reason_of(error)) from error


def write(file: IO[bytes], header: Header, parts: Iterable[Part]) -> None:
    """Write an export into an open file, each part as a row group."""
    pa, parquet = arrow()
    schema = _schema(pa, header)
    with parquet.ParquetWriter(
        file, schema, compression="zstd", use_dictionary=False, write_page_checksum=True
    ) as writer:
        for part in parts:
            writer.write_table(_table(pa, schema, part))


class ParquetExport:
    """An export in a Parquet file, open for reading.

    Attributes:
        header: what it says of itself.

    Raises:
        ConfigError: pyarrow can't be imported.
        ValueError: it is no export, or damaged.
        OSError: it can't be read.
    """

    def __init__(self, path: str) -> None:
        self._pa, parquet = arrow()
        self._source = open(path, "rb")  # noqa: SIM115 - see close
        try:
            with self._translated():
                self._file = parquet.ParquetFile(
                    self._source,
                    page_checksum_verification=True,
                    pre_buffer=False,  # what is read ahead is kept until the file is closed
                )
                schema = self._file.schema_arrow
            self.header = _header((schema.metadata or {}).get(HEADER_KEY))
            self._check_columns(schema)
            self._check_count(self._file.metadata.num_rows)
        except BaseException:
            self._source.close()
            raise

    def parts(self) -> Iterator[Part]:
        """Its images, some at a time; ``ValueError`` where it is damaged."""
        count = 0
        with self._translated():
            for batch in self._file.iter_batches(ROWS_AT_ONCE):
                count += len(batch)
                yield self._part(batch)
        self._check_count(count)

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def _check_count(self, count: int) -> None:
        if count != self.header.count:
            raise ValueError(f"it has {count:,} images, expected {self.header.count:,}")

    def _check_columns(self, schema: Any) -> None:
        pa, dim = self._pa, self.header.identity.dim
        missing = {*_NAMES, "embedding", "norm"} - set(schema.names)
        if missing:
            raise ValueError(f"it has no column {', '.join(sorted(missing))}")
        embeddings, norms = (schema.field(name).type for name in ("embedding", "norm"))
        lists = (pa.list_(pa.float32(), dim), pa.list_(pa.float32()))
        fits = any(embeddings.equals(kind) for kind in lists) and norms == pa.float32()
        if not fits:
            raise ValueError(f"its embeddings are {embeddings}, with norms that are {norms}")

    def _part(self, batch: Any) -> Part:
        dim = self.header.identity.dim
        columns = {
            name: batch.column(name).to_pylist()
            for name in batch.schema.names
            if name not in ("embedding", "norm")
        }
        values = np.asarray(batch.column("embedding").flatten(), dtype=np.float32)
        norms = batch.column("norm")
        if len(values) != len(batch) * dim or norms.null_count:
            raise ValueError(f"an embedding has no norm, or not {dim:,} values")
        rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
        return Part(
            [record_from(_plain(row)) for row in rows],
            values.reshape(-1, dim),
            np.asarray(norms, dtype=np.float32),
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self._pa.ArrowException as error:
            raise ValueError(str(error)) from error


def _schema(pa: Any, header: Header) -> Any:
    return pa.schema(
        [
            pa.field("id", pa.int64(), nullable=False),
            pa.field("path", pa.string(), nullable=False),
            pa.field("path_bytes", pa.binary(), nullable=False),
            pa.field("size", pa.int64(), nullable=False),
            pa.field("mtime_ns", pa.int64(), nullable=False),
            pa.field("content_hash", pa.string()),
            pa.field("width", pa.int64()),
            pa.field("height", pa.int64()),
            pa.field("metadata", pa.string(), nullable=False),
            pa.field("norm", pa.float32(), nullable=False),
            pa.field("embedding", pa.list_(pa.float32(), header.identity.dim), nullable=False),
        ],
        metadata={HEADER_KEY: json.dumps(header.as_dict()).encode()},
    )


def _table(pa: Any, schema: Any, part: Part) -> Any:
    records = [record_as_dict(record) for record in part.records]
    columns: dict[str, Any] = {name: [record[name] for record in records] for name in _NAMES}
    columns["path_bytes"] = [os.fsencode(path) for path in columns["path"]]
    columns["path"] = [path.decode("utf-8", "backslashreplace") for path in columns["path_bytes"]]
    columns["metadata"] = [json.dumps(metadata) for metadata in columns["metadata"]]
    columns["norm"] = part.norms
    flat = pa.array(np.ascontiguousarray(part.embeddings).reshape(-1))
    columns["embedding"] = pa.FixedSizeListArray.from_arrays(flat, part.embeddings.shape[1])
    return pa.table(
        [pa.array(columns[name], schema.field(name).type) for name in schema.names], schema
    )


def _header(data: bytes | None) -> Header:
    try:
        return header_from(json.loads(data or b"null"))
    except RecursionError as error:
        raise ValueError("its header is damaged") from error


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as ``record_from`` wants it; a path's exact bytes count, where they are there."""
    if (exact := row.get("path_bytes")) is not None:
        row["path"] = os.fsdecode(exact)
    try:
        row["metadata"] = json.loads(row["metadata"])
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"image {row.get('id')!r} has damaged metadata") from error
    return row
