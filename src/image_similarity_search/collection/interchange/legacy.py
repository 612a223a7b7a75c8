"""Taking over an index of the well-known recipe without encoding a picture."""

from __future__ import annotations

import os
import time
from contextlib import closing
from functools import partial

import numpy as np

from image_similarity_search.catalog.values import Identity
from image_similarity_search.collection import DEFAULT_INDEX_DIR
from image_similarity_search.collection.identity import check_encoder, check_metric
from image_similarity_search.collection.interchange import legacy_files
from image_similarity_search.collection.interchange.legacy_files import LegacyFiles, read_legacy
from image_similarity_search.collection.interchange.made_with import identity_made_with
from image_similarity_search.collection.interchange.pictures import (
    Taking,
    canonical_paths,
    look_at,
)
from image_similarity_search.collection.interchange.taking_over import refuse_existing, take_over
from image_similarity_search.collection.queries import checked_path, index_folder
from image_similarity_search.encoders.base import Encoder
from image_similarity_search.encoders.spec import EncoderSpec
from image_similarity_search.reports import LegacyImportReport
from image_similarity_search.types import Metric, Progress, ProgressCallback

RECIPE_MODEL = "resnet50"

_OTHERWISE = f"{RECIPE_MODEL} is assumed if none is named; for a model of your own any name will do"
_ROUNDING = 1e-3  # of the length of an embedding that was normalised


def import_legacy(
    old_dir: str | os.PathLike[str],
    index_dir: str | os.PathLike[str] = DEFAULT_INDEX_DIR,
    *,
    model: str | EncoderSpec | Encoder = RECIPE_MODEL,
    metric: Metric | None = None,
    relative_to: str | os.PathLike[str] = ".",
    faiss_file: str | os.PathLike[str] | None = None,
    paths_file: str | os.PathLike[str] | None = None,
    progress: ProgressCallback | None = None,
) -> LegacyImportReport:
    """Make a collection of an index in the layout of the well-known recipe.

    That is a folder with ``faiss.index`` (an ``IndexFlatL2`` or ``IndexFlatIP``, alone, in an
    ``IndexIDMap`` with ids from 0 on, or below an ``IndexHNSWFlat``; or an ``IndexIVFFlat``) and
    ``image_paths.pkl`` (a pickled list of paths, which is read as data and never run); or with one
    such index and one list by other names: a pickle, an array of text, or as ``iss import`` takes
    them. Row ``i`` becomes the image with the id ``i + 1``. Nothing is encoded, and the model is
    not needed; when it is first used, its embeddings are compared with those that were taken over.

    Of a picture that is as it was, size, time, content and dimensions are recorded, so that the
    next sync has nothing to do. One that changed since the index was written, and one that the
    recipe does not see as it is (turned by EXIF, transparent) or has only zeros of, is searched by
    its old embedding until the next sync encodes it anew. One that is gone is kept until the next
    sync of its folder.

    The old files stay as they are; in ``index_dir`` itself those with the names above are renamed,
    ``.legacy`` behind them, when all is done.

    Args:
        old_dir: the folder of the old index.
        index_dir: where the collection is to be; may be the same.
        model: the encoder that made the embeddings, its name, or a spec of it.
        metric: how distance is measured; by default as the old index did: ``l2`` or ``ip``, or
            ``cosine`` if its embeddings are normalised, which gives the same order.
        relative_to: the folder that relative paths start from.
        faiss_file: the index, where it is not to be found in ``old_dir``.
        paths_file: the same of the list of paths.
        progress: called now and then.

    Raises:
        ImportSourceError: there is no such index, it is damaged, of another kind, or the model's
            embeddings have another dimension.
        CollectionExistsError: there is a collection in ``index_dir``.
        CollectionError: it can't be made there; see ``take_over``.
        ConfigError: that is no path, no metric, or no encoder.
    """
    started, tell = time.perf_counter(), progress or (lambda _: None)
    check_metric(metric)
    check_encoder("model", model)
    old_folder, folder = os.path.realpath(checked_path(old_dir)), index_folder(index_dir)
    refuse_existing(folder)  # it is said at once, and not what else may be wrong there
    named = ["" if one is None else checked_path(one) for one in (faiss_file, paths_file)]
    files = read_legacy(old_folder, *named)
    identity = _identity(files, model, metric)
    report = LegacyImportReport(metric=identity.metric)
    in_place = folder == old_folder and not files.paths_path.endswith(legacy_files.KEPT)
    if in_place:
        legacy_files.refuse_to_keep_twice(files)
    paths = canonical_paths(
        files.paths, os.path.abspath(checked_path(relative_to)), files.paths_path
    )
    report.repeated = len(paths) - len(set(paths))
    taking = Taking(
        paths,
        files.rows(),
        report,
        look=partial(look_at, written_ns=files.mtime_ns),
        told=lambda row: tell(Progress("taking over", row, len(paths))),
    )
    with closing(taking.parts()) as parts:
        make_room = partial(legacy_files.keep_aside, files) if in_place else None
        take_over(folder, identity, (), parts, make_room=make_room)
    report.seconds = time.perf_counter() - started
    return report


def _identity(
    files: LegacyFiles, model: str | EncoderSpec | Encoder, metric: Metric | None
) -> Identity:
    if isinstance(model, str):
        model = EncoderSpec(model)
    if isinstance(model, EncoderSpec):
        model = model.filled_from(EncoderSpec(RECIPE_MODEL))
    if metric is None:
        # the order is the same, and pictures that are indexed later come with lengths of their own
        metric = "cosine" if _normalised(files) else files.metric
    return identity_made_with(model, files.dim, metric, files.index_path, _OTHERWISE)


def _normalised(files: LegacyFiles) -> bool:
    """Whether the embeddings all have length 1, as far as the first of them tell."""
    first = next(files.rows(), None)
    if first is None:
        return False
    with np.errstate(all="ignore"):
        return bool((np.abs(np.linalg.norm(first, axis=1) - 1) < _ROUNDING).all())
