"""What a keeper of a store is: of one in a file, or of one in an engine."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from image_similarity_search.stores.base import KeptStore


class MovedOn(Exception):  # noqa: N818 - it is no error, and never leaves this package
    """The store is not of the moment that a search looks at: the search begins anew."""


class Keeper(Protocol):
    """Keeps the store of one collection in step with its catalog."""

    @property
    def path(self) -> str:
        """Where the store is kept."""
        ...

    @property
    def is_left(self) -> bool:
        """Whether it was noticed that the embeddings were moved away from it."""
        ...

    @property
    def holds_still(self) -> bool:
        """Whether the catalog is of one moment while ``current`` gives the store."""
        ...

    def begin_to_load(self, after: str) -> None:
        """Begin to load the store on another thread, once the module ``after`` is imported.

        For who imports that module, and waits for it to do what leaves Python free. What goes
        wrong is told by ``current``.
        """
        ...

    def current(self) -> AbstractContextManager[KeptStore]:
        """The store, which reflects the catalog.

        Of one in a file, to this thread alone, and with the catalog of one moment. Of one in an
        engine, the catalog may go on meanwhile, and other threads use both.

        Raises:
            CollectionCorruptError: the catalog is damaged.
            StoreUnavailableError: the store can't be used.
        """
        ...

    def made_anew(self, why: str) -> KeptStore:
        """Another store instead of the current one, which contradicts the catalog.

        Raises:
            MovedOn: it may be that only the moment is over; ``current`` will tell.
        """
        ...

    def check_place(self) -> None:
        """Before a change: raise where the store can't be found.

        Raises:
            StoreMismatchError, StoreUnavailableError: what is in an engine's place, or that none is
                to be reached.
        """
        ...

    def refresh(self) -> None:
        """Bring the store up to date after a change, as far as can be."""
        ...

    def rebuild(self, kind: str | None) -> None:
        """Make the store anew from the catalog, of another ``kind`` if one is given."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...
