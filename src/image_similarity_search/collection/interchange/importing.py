"""Reading an export: as arrays, or into a new collection."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.values import ImageBatch
from image_similarity_search.collection.interchange import exporting, npy_files, parquet_file
from image_similarity_search.collection.interchange.layout import ExportFile, Part
from image_similarity_search.collection.interchange.taking_over import take_over
from image_similarity_search.collection.queries import checked_path, index_folder
from image_similarity_search.collection.sharing import shared_url
from image_similarity_search.errors import ConfigError, ImportSourceError, reason_of
from image_similarity_search.types import (
    FloatArray,
    HalfArray,
    IdArray,
    ImageRecord,
    Metric,
    Progress,
    ProgressCallback,
)


@dataclass(frozen=True, slots=True)
class Export:
    """An export in memory: row ``i`` of each is of the same image.

    Attributes:
        encoder: the name of the encoder that made the embeddings.
        fingerprint: its fingerprint; empty where that was not known.
        dim: length of an embedding.
        metric: how the collection measures distance.
        index: its kind of store.
        roots: the folders that were indexed.
        ids: ``(n,)`` int64.
        records: what is known of the images.
        embeddings: ``(n, dim)`` float32, as the encoder gave them.
        norms: ``(n,)`` float32, the length of each.
    """

    encoder: str
    fingerprint: str
    dim: int
    metric: Metric
    index: str
    roots: list[str]
    ids: IdArray
    records: list[ImageRecord]
    embeddings: FloatArray
    norms: FloatArray


def read_export(file: str | os.PathLike[str]) -> Export:
    """Read what ``export_collection`` wrote: ``X.parquet``, or ``X.npy`` with ``X.json``.

    Raises:
        ImportSourceError: it is missing, damaged or no export, or Parquet can't be read here.
        ConfigError: the name of the file says no format.
    """
    with _opened(file) as export:
        header = export.header
        identity = header.identity
        embeddings = np.empty((header.count, identity.dim), dtype=np.float32)
        norms = np.empty(header.count, dtype=np.float32)
        records: list[ImageRecord] = []
        for part in export.parts():
            place = slice(len(records), len(records) + len(part.records))
            embeddings[place], norms[place] = part.embeddings, part.norms
            records += part.records
    return Export(
        encoder=identity.encoder,
        fingerprint=identity.fingerprint,
        dim=identity.dim,
        metric=identity.metric,
        index=identity.index,
        roots=list(header.roots),
        ids=np.array([record.id for record in records], dtype=np.int64),
        records=records,
        embeddings=embeddings,
        norms=norms,
    )


def import_collection(
    file: str | os.PathLike[str],
    index_dir: str | os.PathLike[str],
    *,
    catalog: str | None = None,
    progress: ProgressCallback | None = None,
) -> int:
    """Make a collection of an export; returns how many images it has.

    It has the same ids, records and embeddings as the one that was exported, to the bit, and
    remembers its encoder, which is not needed for this. The next sync of an unchanged folder
    encodes nothing.

    Args:
        file: ``X.parquet``, or ``X.npy`` with ``X.json`` beside it.
        index_dir: where the collection is to be; there must be none.
        catalog: the URL of a catalog that computers share, as for ``Collection.open``, to make it
            there; there must be none, either.
        progress: called now and then.

    Raises:
        ImportSourceError: the file is missing, damaged or no export.
        CollectionExistsError: there is a collection in ``index_dir``.
        CollectionError: it can't be made there; see ``take_over``.
        ConfigError: the name of the file says no format; ``catalog`` is no URL of one, or
            ``index_dir`` no path.
    """
    folder = index_folder(index_dir)
    shared_url(folder, catalog)  # refuses what it can before the work
    with _opened(file) as export:
        header = export.header
        try:
            rows = _rows(export, progress)
            take_over(
                folder, header.identity, header.roots, rows, header.forgotten, catalog=catalog
            )
        except ConfigError as error:  # of what the file says
            raise ImportSourceError(file, str(error)) from error
    return header.count


def _rows(export: ExportFile, progress: ProgressCallback | None) -> Iterator[ImageBatch]:
    done = 0
    for part in export.parts():
        yield ImageBatch(part.records, _units(part), part.norms)
        done += len(part.records)
        if progress:
            progress(Progress("importing", done, export.header.count))


def _units(part: Part) -> HalfArray:
    """The unit vectors that these embeddings were made of."""
    with np.errstate(all="ignore"):  # damaged ones may be anything
        units = vectors.unit_vectors(part.embeddings, part.norms)
        same = (vectors.unpack(units, part.norms, "l2") == part.embeddings).all(axis=1)
    same &= np.isfinite(part.norms) & (part.norms >= 0)
    if not same.all():
        row = int(np.argmin(same))
        raise ValueError(
            f"the embedding of image {part.records[row].id} was not exported by iss: it does"
            " not match its norm"
        )
    return units


@contextmanager
def _opened(file: str | os.PathLike[str]) -> Iterator[ExportFile]:
    path = checked_path(file)
    export: ExportFile | None = None
    try:
        if path.endswith(exporting.PARQUET):
            export = parquet_file.ParquetExport(path)
        elif path.endswith((".npy", ".json")):
            export = npy_files.NpyExport(path)
        else:
            raise ConfigError("file", path, exporting.EXPECTED)
        yield export
    except ValueError as error:
        raise ImportSourceError(path, str(error)) from error
    except OSError as error:
        reason = reason_of(error)
        raise ImportSourceError(error.filename or path, reason) from error
    finally:
        if export is not None:
            export.close()
