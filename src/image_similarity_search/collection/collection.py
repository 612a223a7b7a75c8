"""The collection: where encoder, catalog and store meet."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Self

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.deduplicating import DeduplicatedCollection
from image_similarity_search.collection.identity import (
    check_encoder,
    check_metric,
    created,
    identity_of,
    matching_encoder,
    refuse_lost,
    refuse_other,
    refuse_other_runtime,
    refuse_other_thumbnails,
    refuse_taken,
)
from image_similarity_search.collection.pipeline import Decoders
from image_similarity_search.collection.queries import checked_path, index_folder
from image_similarity_search.collection.reading import ReadableCollection
from image_similarity_search.collection.searching import SearchableCollection
from image_similarity_search.collection.sharing import joined, shared_url
from image_similarity_search.collection.surveying import SurveyableCollection
from image_similarity_search.collection.watching import WatchingCollection
from image_similarity_search.encoders import registry
from image_similarity_search.encoders.base import Encoder
from image_similarity_search.encoders.devices import Device, check_device
from image_similarity_search.encoders.spec import EncoderSpec
from image_similarity_search.errors import CollectionNotFoundError, ConfigError
from image_similarity_search.reports import RepairReport
from image_similarity_search.types import Metric, number

DEFAULT_INDEX_DIR = "index_data"


class Collection(
    SearchableCollection,
    ReadableCollection,
    SurveyableCollection,
    WatchingCollection,
    DeduplicatedCollection,
):
    """Pictures that can be searched by example, kept in a folder.

    Make one with ``open``; use it as a context manager, or ``close`` it. Threads may share it:
    they search at once, also while one changes it. Who changes it is alone: another thread waits
    for that as long as ``open`` was told to ``wait``, as another process does, and raises
    CollectionLockedError then. A process that was forked while it was open may not use it.

    Example:
        >>> with Collection.open("index_data", create=True) as collection:  # doctest: +SKIP
        ...     collection.sync("photos")
        ...     for hit in collection.search("query.jpg", k=5):
        ...         print(hit.score, hit.path)
    """

    @classmethod
    def open(
        cls,
        index_dir: str | os.PathLike[str] = DEFAULT_INDEX_DIR,
        *,
        encoder: str | EncoderSpec | Encoder | None = None,
        metric: Metric | None = None,
        index: str | None = None,
        store: str | None = None,
        catalog: str | None = None,
        device: Device = "auto",
        thumbnails: bool | None = None,
        create: bool = False,
        wait: float = 0.0,
    ) -> Self:
        """Open the collection in ``index_dir``; with ``create``, make it if there is none.

        ``encoder``, ``metric``, ``index``, ``store`` and ``thumbnails`` are settings of a new
        collection. An existing one remembers its own, and can be opened without them.

        Args:
            index_dir: folder of the collection.
            encoder: the model: a name of ``iss models``, the path of an ``.onnx`` file,
                ``timm:NAME``, an ``EncoderSpec`` (with weights and preprocessing) or an encoder
                object.
            metric: distance measure: ``cosine`` (default), ``l2``, ``l1`` or ``ip``.
            index: kind of search index: ``auto`` (default), ``exact``, ``hnsw``, ``ivf``,
                ``ivf-pq``, ``ivf-rabitq`` or a FAISS factory string. Kinds that need training
                search exactly until there are enough images.
            store: URL of a vector database for the embeddings, ``milvus://HOST:PORT/NAME``; by
                default they are in a file.
            catalog: URL of a catalog that several computers share,
                ``postgresql://USER@HOST/DATABASE``; by default it is a file. The folder remembers
                the URL.
            device: where the encoder runs: ``auto`` (a GPU if one can be used), ``cpu`` or
                ``cuda``; ``openvino`` is a setting of a new collection, which always uses it.
            thumbnails: whether the collection stores thumbnails (default: True).
            create: make the collection if there is none.
            wait: seconds that changes wait for another process or thread that is writing;
                ``math.inf`` waits without limit.

        Raises:
            CollectionNotFoundError: there is none, and ``create`` is False.
            CollectionMismatchError: it was made with another encoder, metric, index, store or
                thumbnails setting, or the folder belongs to another catalog.
            CollectionUnavailableError: its database can't be reached or read.
            StoreMismatchError: the vector database has another collection under this name.
            StoreUnavailableError: the vector database can't be reached.
            LegacyIndexError: the folder has no collection, but an index of another program.
            CollectionNewerError: it was made by a newer version.
            CollectionCorruptError: it is damaged.
            ConfigError: an argument is not valid.
            UnknownEncoderError: there is no such encoder.
            EncoderUnavailableError: something that a new encoder needs is missing.
        """
        check_metric(metric)
        check_device(device)
        _check_wait(wait)
        check_encoder("encoder", encoder)
        folder = index_folder(index_dir)
        url = shared_url(folder, catalog)
        with ExitStack() as begun:  # what ends again where the rest can't be had
            decoders = Decoders()
            begun.callback(decoders.close)
            try:
                found = Catalog(folder, url)
            except CollectionNotFoundError:
                from image_similarity_search.collection.interchange.legacy_files import (
                    refuse_to_overwrite,
                )

                refuse_to_overwrite(folder)
                refuse_lost(folder, create=create)
                if not create:
                    raise
                if encoder is None or isinstance(encoder, str | EncoderSpec):
                    decoders.prepare()
                    encoder = registry.create(encoder, device)
                identity = identity_of(encoder, metric, index, store)
                refuse_taken(identity)
                found = created(folder, identity, url, thumbnails=thumbnails is not False)
            begun.callback(found.close)
            refuse_other(found.identity, metric, index, store)
            refuse_other_runtime(found.identity, device)
            refuse_other_thumbnails(found, thumbnails)
            made = matching_encoder(found.identity, encoder, device)
            if url:
                joined(folder, url)
            opened = cls(folder, found, made, device, decoders, wait)
            begun.pop_all()
        return opened

    def backup(self, folder: str | os.PathLike[str]) -> int:
        """Back up what can't be rebuilt into ``folder``, which must be new or empty.

        Every row is checked. The backup is a collection itself. Returns its generation.

        Raises:
            CollectionUnavailableError: the catalog is shared: its database has backups of its own.
            CollectionCorruptError: it is damaged.
            CollectionExistsError: ``folder`` is a file, or a folder that is not empty.
            CollectionLockedError: another process is making it.
            CollectionUnwritableError: it can't be written there.
            ConfigError: that is no path.
        """
        from image_similarity_search.collection.backups import backed_up

        self._check_open()
        return backed_up(self._folder, checked_path(folder))

    @staticmethod
    def restore(
        backup: str | os.PathLike[str],
        index_dir: str | os.PathLike[str] = DEFAULT_INDEX_DIR,
        *,
        wait: float = 0.0,
    ) -> str:
        """Restore the collection in ``index_dir`` from ``backup``.

        Processes that have it open see the restored state from then on. Returns the path under
        which the former catalog is kept; empty if there was none.

        Raises:
            CollectionNotFoundError: ``backup`` is none.
            CollectionNewerError: it was made by a newer version.
            CollectionCorruptError: it is damaged; nothing was changed.
            CollectionUnavailableError: the catalog is shared: its database restores it.
            CollectionExistsError: another collection is there.
            CollectionLockedError: another process is writing.
            CollectionUnwritableError: it can't be written there.
            ConfigError: ``wait`` is no time, or one is no path.
        """
        _check_wait(wait)
        from image_similarity_search.collection.backups import restored

        return restored(checked_path(backup), index_folder(index_dir), wait=wait)

    @staticmethod
    def repair(
        index_dir: str | os.PathLike[str] = DEFAULT_INDEX_DIR, *, wait: float = 0.0
    ) -> RepairReport:
        """Make a damaged collection whole, with all that can be saved of it.

        A damaged catalog is copied aside, and never changed. This process must not have the
        collection open.

        Raises:
            CollectionNotFoundError: there is none.
            CollectionCorruptError: nothing can be saved; all is left as it was.
            CollectionLockedError: another process is writing, or has the damaged catalog open.
            CollectionUnwritableError: there is no room for it, or it is read-only.
            ConfigError: ``wait`` is no time, or ``index_dir`` no path.
        """
        _check_wait(wait)
        from image_similarity_search.collection.repair import repaired

        return repaired(index_folder(index_dir), wait=wait)


def _check_wait(wait: float) -> None:
    if not number(wait) >= 0:
        raise ConfigError(
            "wait", wait, "a number of seconds, 0 or more, or inf to wait without limit"
        )
