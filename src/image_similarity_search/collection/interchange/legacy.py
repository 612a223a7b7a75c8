"""Taking over an index of the well-known recipe without encoding a picture."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.values import FileStat, Identity, Rows
from image_similarity_search.collection import DEFAULT_INDEX_DIR
from image_similarity_search.collection.identity import check_encoder, check_metric, spec_text
from image_similarity_search.collection.interchange import legacy_files
from image_similarity_search.collection.interchange.legacy_files import LegacyFiles, read_legacy
from image_similarity_search.collection.interchange.taking_over import refuse_existing, take_over
from image_similarity_search.collection.queries import checked_path, index_folder
from image_similarity_search.encoders import registry
from image_similarity_search.encoders.base import Encoder
from image_similarity_search.encoders.spec import EncoderSpec
from image_similarity_search.encoders.table import ENCODERS
from image_similarity_search.errors import CollectionMismatchError, ImageError
from image_similarity_search.images import decode
from image_similarity_search.images.plain import header_of
from image_similarity_search.processors import available_processors
from image_similarity_search.reports import LegacyImportReport
from image_similarity_search.types import (
    FloatArray,
    ImageRecord,
    Metric,
    Progress,
    ProgressCallback,
)

RECIPE_MODEL = "resnet50"

_NAMED_AT_MOST = 10  # rows that are left out
_ROUNDING = 1e-3  # of the length of an embedding that was normalised
_NOTHING_SEEN = FileStat(0, 0)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _File:
    """What is to be recorded of a picture file.

    ``as_it_was`` ones are unchanged for the next sync. The others are recorded as never seen, so
    that it looks at them: ``missing`` ones, and those that it must ``encode`` again.
    """

    fate: Literal["as_it_was", "missing", "encode"]
    stat: FileStat = _NOTHING_SEEN
    content_hash: str | None = None
    width: int | None = None
    height: int | None = None

    def to_encode(self) -> _File:
        """The same, if its old embedding says nothing of it."""
        if self.fate == "missing":
            return self
        return _File("encode", width=self.width, height=self.height)


def import_legacy(
    old_dir: str | os.PathLike[str],
    index_dir: str | os.PathLike[str] = DEFAULT_INDEX_DIR,
    *,
    model: str | EncoderSpec | Encoder = RECIPE_MODEL,
    metric: Metric | None = None,
    relative_to: str | os.PathLike[str] = ".",
    progress: ProgressCallback | None = None,
) -> LegacyImportReport:
    """Make a collection of an index in the layout of the well-known recipe.

    That is a folder with ``faiss.index`` (an ``IndexFlatL2`` or ``IndexFlatIP``) and
    ``image_paths.pkl`` (a pickled list of paths, which is read as data and never run). Row ``i``
    becomes the image with the id ``i + 1``. Nothing is encoded, and the model is not needed; when
    it is first used, its embeddings are compared with those that were taken over.

    Of a picture that is as it was, size, time, content and dimensions are recorded, so that the
    next sync has nothing to do. One that changed since the index was written, and one that the
    recipe does not see as it is (turned by EXIF, transparent) or has only zeros of, is searched by
    its old embedding until the next sync encodes it anew. One that is gone is kept until the next
    sync of its folder.

    The old files stay as they are; in ``index_dir`` itself they are renamed, ``.legacy`` behind
    their names, when all is done.

    Args:
        old_dir: the folder of the old index.
        index_dir: where the collection is to be; may be the same.
        model: the encoder that made the embeddings, its name, or a spec of it.
        metric: how distance is measured; by default as the old index did: ``l2`` or ``ip``, or
            ``cosine`` if its embeddings are normalised, which gives the same order.
        relative_to: the folder that relative paths start from.
        progress: called now and then.

    Raises:
        ImportSourceError: there is no such index, it is damaged, or of another kind.
        CollectionMismatchError: the model's embeddings have another dimension.
        CollectionExistsError: there is a collection in ``index_dir``.
        CollectionError: it can't be made there; see ``take_over``.
        ConfigError: that is no path, no metric, or no encoder.
    """
    started = time.perf_counter()
    check_metric(metric)
    check_encoder("model", model)
    old_folder, folder = os.path.realpath(checked_path(old_dir)), index_folder(index_dir)
    refuse_existing(folder)  # it is said at once, and not what else may be wrong there
    files = read_legacy(old_folder)
    identity = _identity(files, model, metric)
    report = LegacyImportReport(metric=identity.metric)
    in_place = folder == old_folder and not files.paths_path.endswith(legacy_files.KEPT)
    if in_place:
        legacy_files.refuse_to_keep_twice(files)
    paths = _canonical(files.paths, os.path.abspath(checked_path(relative_to)))
    taking = _Taking(files, paths, report, progress or (lambda _: None))
    with closing(taking.parts()) as parts:
        make_room = partial(legacy_files.keep_aside, files) if in_place else None
        take_over(folder, identity, (), parts, make_room=make_room)
    report.seconds = time.perf_counter() - started
    return report


def _identity(
    files: LegacyFiles, model: str | EncoderSpec | Encoder, metric: Metric | None
) -> Identity:
    if isinstance(model, str | EncoderSpec):
        spec = registry.resolved(model).filled_from(EncoderSpec(RECIPE_MODEL))
        name, text = str(spec.model), spec.to_json()
        dim = ENCODERS[name].dim if name in ENCODERS else files.dim
    else:
        name, text, dim = model.name, spec_text(model), model.dim
    if dim != files.dim:
        remedy = f"{name} did not make it: name the model that did (--model NAME)."
        raise CollectionMismatchError("dimension", files.dim, dim, remedy)
    if metric is None:
        # the order is the same, and pictures that are indexed later come with lengths of their own
        metric = "cosine" if _normalised(files) else files.metric
    # no fingerprint: what the embeddings really were made with is found out when it is there
    return Identity(name, "", files.dim, metric, "auto", encoder_spec=text)


def _normalised(files: LegacyFiles) -> bool:
    """Whether the embeddings all have length 1, as far as the first of them tell."""
    first = next(files.rows(), None)
    if first is None:
        return False
    with np.errstate(all="ignore"):
        return bool((np.abs(np.linalg.norm(first, axis=1) - 1) < _ROUNDING).all())


def _canonical(paths: Sequence[str], base: str) -> list[str]:
    """The paths under which a catalog knows these files, as ``places.canonical`` has them."""
    real: dict[str, str] = {}  # folders, of which there are fewer than files
    found = []
    for path in paths:
        folder, name = os.path.split(os.path.normpath(os.path.join(base, path)))
        if folder not in real:
            real[folder] = os.path.realpath(folder)
        found.append(os.path.join(real[folder], name))
    return found


class _Taking:
    """The images of an old index, of which ``report`` counts what became of them."""

    def __init__(
        self,
        files: LegacyFiles,
        paths: Sequence[str],
        report: LegacyImportReport,
        progress: ProgressCallback,
    ) -> None:
        self._files = files
        self._paths = paths
        self._last = {path: row for row, path in enumerate(paths)}
        self._report = report
        self._progress = progress
        report.repeated = len(paths) - len(self._last)

    def parts(self) -> Generator[Rows]:
        """The images, some at a time; their files are read in a thread a processor."""
        pool = ThreadPoolExecutor(available_processors(), thread_name_prefix="read")
        first = 0
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", module=r"PIL\.")
                for block in self._files.rows():
                    yield self._part(first, block, pool)
                    first += len(block)
        finally:
            pool.shutdown(cancel_futures=True)

    def _part(self, first: int, block: FloatArray, pool: ThreadPoolExecutor) -> Rows:
        with np.errstate(over="ignore"):  # lengths that float32 can't hold are left out
            numbers = np.isfinite(block)
            units, norms = vectors.pack(np.where(numbers, block, 0))
        finite = numbers.all(axis=1) & np.isfinite(norms)
        taken = []
        for at, path in enumerate(self._paths[first : first + len(block)]):
            if self._last[path] != first + at:
                continue
            if finite[at]:
                taken.append(at)
            else:
                self._leave_out(first + at)
        paths = [self._paths[first + at] for at in taken]
        files = pool.map(partial(_look_at, written_ns=self._files.mtime_ns), paths)
        records = [
            self._record(first + at, path, file if norms[at] else file.to_encode())
            for at, path, file in zip(taken, paths, files, strict=True)
        ]
        return Rows(records, units[taken], norms[taken])

    def _leave_out(self, row: int) -> None:
        self._report.not_finite += 1
        if self._report.not_finite <= _NAMED_AT_MOST:
            _log.warning("row %d has no finite embedding: %s is left out", row, self._paths[row])

    def _record(self, row: int, path: str, file: _File) -> ImageRecord:
        report = self._report
        report.taken_over += 1
        report.missing += file.fate == "missing"
        report.to_encode += file.fate == "encode"
        self._progress(Progress("taking over", row + 1, len(self._paths)))
        return ImageRecord(
            id=row + 1,
            path=path,
            size=file.stat.size,
            mtime_ns=file.stat.mtime_ns,
            content_hash=file.content_hash,
            width=file.width,
            height=file.height,
            state="indexed",
        )


def _look_at(path: str, written_ns: int) -> _File:
    """What is at ``path``, of an index that was written at ``written_ns``."""
    try:
        status = os.stat(path)
        data = decode.read_file(path)
    except (OSError, ImageError):
        return _File("missing")
    header = header_of(data)
    if header is None:
        return _File("missing")
    if status.st_mtime_ns > written_ns or not header.plain:
        return _File("encode", width=header.width, height=header.height)
    stat = FileStat(status.st_size, status.st_mtime_ns)
    return _File("as_it_was", stat, decode.content_hash(data), header.width, header.height)
