"""Making a collection of images that are known already, with their embeddings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.lock import WRITER_LOCK, writer_lock
from image_similarity_search.catalog.new_catalog import NewCatalog
from image_similarity_search.catalog.values import Forgotten, Identity, ImageBatch
from image_similarity_search.catalog.whereabouts import url_of
from image_similarity_search.collection.costs import weigh_once
from image_similarity_search.collection.interchange.legacy_files import refuse_to_overwrite
from image_similarity_search.collection.sharing import shared_url
from image_similarity_search.collection.store_keeper import StoreKeeper
from image_similarity_search.errors import (
    CollectionExistsError,
    CollectionLockedError,
    CollectionNotFoundError,
    unwritable,
)
from image_similarity_search.stores.kinds import check_kind


def take_over(
    folder: str,
    identity: Identity,
    roots: Iterable[str],
    parts: Iterable[ImageBatch],
    forgotten: Sequence[Forgotten] = (),
    *,
    catalog: str | None = None,
    make_room: Callable[[], None] | None = None,
) -> None:
    """Make the collection in ``folder`` of ``parts``, whole or not at all.

    Args:
        folder: real path; made where there is none.
        identity: what the embeddings were made with.
        roots: the folders that were indexed.
        parts: the images, some at a time, in order of id; each part is kept before the next is
            asked for.
        forgotten: the tags of images that are gone.
        catalog: the URL of the shared catalog that it is to have, if the folder knows none.
        make_room: called just before the collection appears, where another program's index is in
            its place.

    Raises:
        CollectionExistsError: there is a collection.
        CollectionMismatchError: the folder is of another shared catalog.
        CollectionUnavailableError: that one's server can't be reached.
        LegacyIndexError: another program's index is there, and there is no ``make_room``.
        CollectionLockedError: another process makes one.
        CollectionUnwritableError: it can't be written.
        ConfigError: no such kind of index, or an id or path is there twice.
    """
    check_kind(identity.index, identity.dim, identity.metric)
    refuse_existing(folder)  # one of an older format can't be opened under the lock
    with _nothing_left(folder), writer_lock(folder):
        refuse_existing(folder)
        url = shared_url(folder, catalog) or url_of(folder)
        if make_room is None:
            refuse_to_overwrite(folder)
        with NewCatalog.begun(folder, identity) as new:
            new.put_roots(roots)
            new.put_forgotten(forgotten)
            for part in parts:
                new.put_rows(part)
            if make_room is not None:
                make_room()
            if url:
                new.put_at(url)
                return  # each computer makes a store of its own, when it searches
            new.put_in_place()
        # it is whole now: what is interrupted here is made when it is first searched
        with suppress(KeyboardInterrupt), closing(Catalog(folder)) as made:
            keeper = StoreKeeper(made, folder)
            keeper.rebuild(None)
            weigh_once(made, keeper)


@contextmanager
def _nothing_left(folder: str) -> Iterator[None]:
    """Make a folder where there is none; where what is inside fails, leave it as it was.

    Raises:
        CollectionUnwritableError: it can't be made.
    """
    lock, place, missing = os.path.join(folder, WRITER_LOCK), folder, []
    was_locked = os.path.lexists(lock)
    while not os.path.lexists(place):
        missing.append(place)
        place = os.path.dirname(place)
    with unwritable(folder):
        os.makedirs(folder, exist_ok=True)
    try:
        yield
    except CollectionLockedError:
        raise  # what is there is another process's
    except BaseException:
        with suppress(OSError):
            if not was_locked:
                os.remove(lock)
        with suppress(OSError):  # up to one that something else was put into
            for place in missing:
                os.rmdir(place)
        raise


def refuse_existing(folder: str) -> None:
    """Raise CollectionExistsError where there is a collection in ``folder``."""
    try:
        Catalog(folder).close()
    except CollectionNotFoundError:
        return
    raise CollectionExistsError(folder)
