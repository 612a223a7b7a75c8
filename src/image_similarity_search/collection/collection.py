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
        """Open the collection kept in ``index_dir``; with ``create``, make it when there is none.

        ``encoder``, ``metric`` and ``index`` (the kind of store: ``auto``, ``exact``, ``hnsw``,
        ``ivf``, ``ivf-pq``, ``ivf-rabitq`` or a FAISS factory string) say what a new collection is
        made with; one that exists remembers, and may be opened without them. Kinds that must be
        trained are exact until there are enough images. ``store`` is the URL of an engine that
        holds the embeddings, ``milvus://HOST:PORT/NAME``; without one, a file does. ``catalog`` is
        the URL of a catalog that several computers share, ``postgresql://USER@HOST/DATABASE``: the
        folder remembers it, and keeps what this computer needs besides. What changes
        the collection waits ``wait`` seconds for another process, or thread, that is writing
        (``math.inf``: for ever).

        An encoder is given by name, as the path of an ``.onnx`` file, as ``timm:NAME``, as an
        ``EncoderSpec`` (which can name weights and another preprocessing) or as an object.
        ``device`` says where it runs: ``auto`` (a GPU where one can be used), ``cpu``, ``cuda``;
        ``openvino`` is for a new collection, which will always be encoded by it.
        ``thumbnails`` says whether a new collection keeps them; it does by default.

        Raises:
            CollectionNotFoundError: there is none, and ``create`` was not said.
            CollectionMismatchError: it was made with another encoder, metric, index or store, or
                does otherwise with thumbnails; or the folder is of another catalog.
            CollectionUnavailableError: the database that it is in can't be reached, or read.
            StoreMismatchError: a new one is to be put where in the engine another is.
            StoreUnavailableError: a new one is to be put into an engine that can't be reached.
            LegacyIndexError: there is none, but an index that another program made.
            CollectionNewerError: it was made by a newer version.
            CollectionCorruptError: it is damaged.
            ConfigError: no such metric, index, store, catalog or device, ``encoder`` is none,
                ``index_dir`` no path, or ``wait`` no time.
            UnknownEncoderError: no such encoder.
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
        """Copy all that can't be made anew into ``folder``, which is not there yet, or empty.

        Every row is checked. It is a collection itself. Returns the generation it is of.

        Raises:
            CollectionUnavailableError: the catalog is shared: its database has backups of its own.
            CollectionCorruptError: it is damaged.
            CollectionExistsError: something is at ``folder``.
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
        """Have the collection in ``index_dir`` be as when ``backup`` was made of it.

        Who has it open finds that from then on. Returns the path that the former catalog is kept
        as; empty where there was none.

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
        raise ConfigError("wait", wait, "a number of seconds, 0 or more, or inf to wait for ever")
