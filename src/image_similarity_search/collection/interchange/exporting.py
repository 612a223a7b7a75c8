"""Writing what a collection holds to files that other programs read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice

import numpy as np

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.interchange import npy_files, parquet_file
from image_similarity_search.collection.interchange.layout import ROWS_AT_ONCE, Header, Part
from image_similarity_search.collection.queries import checked_path, index_folder
from image_similarity_search.errors import ConfigError, ExportError, reason_of
from image_similarity_search.replacing import replaced
from image_similarity_search.types import ProgressCallback, counted

PARQUET = ".parquet"
EXPECTED = "a name that ends in .parquet or .npy (which also writes a .json next to it)"


def export_collection(
    index_dir: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    force: bool = False,
    progress: ProgressCallback | None = None,
) -> int:
    """Write the indexed images of a collection and their embeddings; returns how many they are.

    ``X.parquet`` is one Parquet file; ``X.npy`` or ``X.json`` are both of these: an array and what
    its rows are of. The embeddings are those of the encoder, float32, as precisely as they are
    kept. Skipped files are not written, since there is nothing but a reason to say of them: the
    next sync meets them again. Memory is bounded, however many images there are.

    Args:
        index_dir: the collection.
        target: the file to write.
        force: overwrite what is there.
        progress: called now and then.

    Raises:
        ExportError: it can't be written, or is there already.
        CollectionNotFoundError: there is no collection.
        ConfigError: the name of the file says no format, pyarrow is missing, or ``index_dir`` is
            no path.
    """
    path = checked_path(target)
    paths = _files_of(path)
    if not force:
        _refuse_existing(paths)
    if path.endswith(PARQUET):
        parquet_file.arrow()
    with closing(Catalog(index_folder(index_dir))) as catalog, catalog.snapshot():
        roots = sorted(catalog.places.roots().values())
        forgotten = tuple(catalog.forgotten.all())
        header = Header(catalog.read_identity(), tuple(roots), catalog.count_found(), forgotten)
        parts = _parts(catalog, counted(progress, "exporting", header.count))
        with _written(paths, force) as asides:
            if path.endswith(PARQUET):
                with open(asides[0], "wb") as file:
                    parquet_file.write(file, header, parts)
            else:
                array_path, text_path = asides
                with (
                    open(array_path, "wb") as array,
                    open(text_path, "w", encoding="ascii") as text,
                ):
                    npy_files.write(array, text, header, parts)
    return header.count


def _files_of(path: str) -> tuple[str, ...]:
    if path.endswith(PARQUET):
        return (path,)
    if path.endswith((".npy", ".json")):
        return npy_files.paths_of(path)
    raise ConfigError("target", path, EXPECTED)


def _refuse_existing(paths: Sequence[str]) -> None:
    for path in paths:
        if os.path.lexists(path):
            raise ExportError(path, "it exists already; --force (force=True) overwrites it")


def _parts(catalog: Catalog, step: Callable[[int], None]) -> Iterator[Part]:
    """All indexed images, in order of id."""
    records = catalog.all_records()
    while page := list(islice(records, ROWS_AT_ONCE)):
        ids = np.array([record.id for record in page], dtype=np.int64)
        found = catalog.embeddings.in_order(ids)
        yield Part(page, found.comparable("l2"), found.norms)
        step(len(page))


@contextmanager
def _written(paths: Sequence[str], force: bool) -> Iterator[list[str]]:
    """Names of files to write, which then take the places of ``paths``, or are removed."""
    try:
        with replaced(*paths, ending=f".{os.getpid()}.tmp") as asides:
            yield asides
            if not force:
                _refuse_existing(paths)  # one may have come meanwhile
    except OSError as error:
        raise ExportError(paths[0], reason_of(error)) from error
