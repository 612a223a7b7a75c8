"""Making a collection of embeddings that any program made, and of the paths that they are of."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.collection.identity import check_metric
from image_similarity_search.collection.interchange.embedding_files import (
    PARQUET,
    ArrayEmbeddings,
    EmbeddingFile,
    NpyEmbeddings,
    ParquetEmbeddings,
)
from image_similarity_search.collection.interchange.made_with import identity_made_with
from image_similarity_search.collection.interchange.path_lists import checked_paths, read_path_list
from image_similarity_search.collection.interchange.pictures import (
    Taking,
    canonical_paths,
    look_at,
)
from image_similarity_search.collection.interchange.taking_over import refuse_existing, take_over
from image_similarity_search.collection.queries import checked_path, index_folder
from image_similarity_search.collection.sharing import shared_url
from image_similarity_search.encoders import registry
from image_similarity_search.encoders.base import Encoder
from image_similarity_search.encoders.spec import EncoderSpec
from image_similarity_search.errors import ConfigError, ImportSourceError
from image_similarity_search.reports import ImportReport
from image_similarity_search.types import Metric, Progress, ProgressCallback

_OTHERWISE = "omit it if the model has no name here"


def import_embeddings(
    embeddings: str | os.PathLike[str] | NDArray[np.floating[Any]],
    index_dir: str | os.PathLike[str],
    *,
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
    model: str | EncoderSpec | Encoder | None = None,
    metric: Metric | None = None,
    relative_to: str | os.PathLike[str] | None = None,
    catalog: str | None = None,
    progress: ProgressCallback | None = None,
) -> ImportReport:
    """Make a collection of embeddings of your own, whole or not at all; nothing is encoded.

    Row ``i`` becomes the image with the id ``i + 1``. Files are read once, for their size, time,
    content and dimensions, and an embedding is believed to be of its picture as it lies there. A
    picture that is missing is kept until a sync of its folder; a row that holds something that is
    no number is left out, which the log says.

    Without a model the collection can do all that needs no encoder: searches by id, clusters,
    outliers, duplicates, evaluations. An encoder may be given to ``Collection.open`` at any time.
    The first that is used encodes up to eight of the pictures and is refused unless that gives
    what was imported.

    Args:
        embeddings: a ``.npy`` file with an array ``(n, dim)`` of float32 or float16, which is read
            some rows at a time; such an array; or a Parquet file with the columns ``path`` and
            ``embedding``.
        index_dir: where the collection is to be; there must be none.
        paths: of the pictures, in the same order, or a file that lists them: text with one a line,
            ``.json``, ``.csv`` or ``.parquet``. None for a Parquet file of embeddings.
        model: what made the embeddings: a name, a spec or an encoder; None where it is none of
            these, or not known.
        metric: how distance is measured; ``cosine`` by default.
        relative_to: the folder that relative paths start from; by default that of the file that
            lists them, or else the current one.
        catalog: the URL of a catalog that computers share, as for ``Collection.open``.
        progress: called now and then.

    Raises:
        ImportSourceError: something is missing, damaged or of another form; embeddings and paths
            are not as many; a path is there twice; or the model's embeddings have another
            dimension.
        UnknownEncoderError: no model has this name.
        CollectionExistsError: there is a collection in ``index_dir``.
        CollectionError: it can't be made there; see ``take_over``.
        ConfigError: an argument has a value that is not allowed.
    """
    started, tell = time.perf_counter(), progress or (lambda _: None)
    check_metric(metric)
    made_by = _checked_model(model)
    folder = index_folder(index_dir)
    shared_url(folder, catalog)  # refuses what it can before the work
    refuse_existing(folder)
    source = "embeddings" if isinstance(embeddings, np.ndarray) else checked_path(embeddings)
    listed, listing = _listed(source, paths)
    rows = _opened(embeddings, source)
    if rows.count != len(listed):
        reason = f"there are {len(listed):,} paths, and {rows.count:,} embeddings in {source}"
        raise ImportSourceError(listing, reason)
    known = canonical_paths(listed, _base(listing, relative_to), listing)
    _refuse_repeated(known, listing)
    identity = identity_made_with(made_by, rows.dim, metric or "cosine", source, _OTHERWISE)
    report = ImportReport(metric=identity.metric)
    taking = Taking(
        known,
        rows.blocks(),
        report,
        look=look_at,
        told=lambda row: tell(Progress("importing", row, len(known))),
    )
    with closing(taking.parts()) as parts:
        take_over(folder, identity, (), parts, catalog=catalog)
    report.seconds = time.perf_counter() - started
    return report


def _checked_model(model: str | EncoderSpec | Encoder | None) -> EncoderSpec | Encoder | None:
    if isinstance(model, str):
        model = EncoderSpec(model)
    if isinstance(model, EncoderSpec):
        if model.model is None:
            said = "details of the model are given, but not the model: add --model NAME (model=)"
            raise ConfigError("model", model.model, "its name", said)
        registry.refuse_unknown(model.model)
    return model


def _opened(embeddings: object, source: str) -> EmbeddingFile:
    if isinstance(embeddings, np.ndarray):
        return ArrayEmbeddings(embeddings, source)
    if source.endswith(PARQUET):
        return ParquetEmbeddings(source)
    if source.endswith(".npy"):
        return NpyEmbeddings(source)
    expected = "a name that ends in .npy (written by numpy.save) or .parquet"
    raise ConfigError("file", source, expected)


def _listed(
    source: str, paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None
) -> tuple[list[str], str]:
    """The paths of the pictures, and the file that they are listed in, or a word for none."""
    if source.endswith(PARQUET):
        if paths is not None:
            raise ConfigError("paths", paths, f"none: {source} has a column of them")
        return read_path_list(source), source
    if paths is None:
        expected = f"a list of the paths that the rows of {source} are of, or a file with one"
        raise ConfigError("paths", paths, expected)
    if isinstance(paths, str | os.PathLike):
        file = checked_path(paths)
        return read_path_list(file), file
    given = [os.fspath(path) if isinstance(path, os.PathLike) else path for path in paths]
    return checked_paths(given, "paths"), "paths"


def _base(listing: str, relative_to: str | os.PathLike[str] | None) -> str:
    """The folder that relative paths start from."""
    if relative_to is not None:
        return os.path.abspath(checked_path(relative_to))
    return os.path.dirname(os.path.abspath(listing))


def _refuse_repeated(paths: Sequence[str], listing: str) -> None:
    rows: dict[str, int] = {}
    for row, path in enumerate(paths):
        first = rows.setdefault(path, row)
        if first != row:
            reason = f"rows {first} and {row} are both of {path}: an image has one embedding"
            raise ImportSourceError(listing, reason)
