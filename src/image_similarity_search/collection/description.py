"""What a collection is made of."""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.costs import why
from image_similarity_search.collection.identity import has_text
from image_similarity_search.collection.keeping import Keeper
from image_similarity_search.collection.thresholds import thresholds_of
from image_similarity_search.errors import StoreUnavailableError
from image_similarity_search.reports import CollectionInfo
from image_similarity_search.thumbnails.thumbnail_file import FILE_NAME

_log = logging.getLogger(__name__)


def described(folder: str, catalog: Catalog, keeper: Keeper) -> CollectionInfo:
    """What the collection in ``folder`` is made of, at one moment; its engine may be away."""
    with ExitStack() as moment:
        try:
            store = moment.enter_context(keeper.current())
            words, memory, reason = store.describe(), store.memory_bytes(), why(catalog, store)
        except StoreUnavailableError as error:
            _log.warning("%s", error)
            words, memory, reason = f"{keeper.path} (can't be used now)", 0, ""
        identity, tuning = catalog.identity, catalog.measured.tuning()
        indexed, skipped = catalog.count_found(), catalog.counts().skipped
        roots, generation = sorted(catalog.places.roots().values()), catalog.generation
    thumbnails = os.path.join(folder, FILE_NAME)
    return CollectionInfo(
        index_dir=folder,
        encoder=identity.encoder,
        fingerprint=identity.fingerprint,
        dim=identity.dim,
        metric=identity.metric,
        index=identity.index,
        store=words,
        indexed=indexed,
        skipped=skipped,
        roots=roots,
        generation=generation,
        catalog_bytes=catalog.bytes_used(),
        store_bytes=_size(keeper.path),
        memory_bytes=memory,
        why=reason,
        tuning=tuning,
        text=has_text(identity),
        thumbnail_bytes=_size(thumbnails) + _size(f"{thumbnails}-wal"),
        thresholds=thresholds_of(identity),
        catalog=catalog.path if catalog.is_shared else "",
    )


def _size(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0
