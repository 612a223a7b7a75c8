"""What an engine is, and what a store in one can do that others need not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from image_similarity_search.stores.base import KeptStore
from image_similarity_search.types import FloatArray, IdArray, Metric, Moment


@dataclass(frozen=True, slots=True)
class Label:
    """Whose vectors a store in an engine holds, and of which kind it is.

    Attributes:
        identity: the id of the collection.
        encoder: the name of its encoder, for messages.
        dim: length of a vector.
        metric: how they are compared.
        kind: the kind of index, a name.
    """

    identity: str
    encoder: str
    dim: int
    metric: Metric
    kind: str


@dataclass(frozen=True, slots=True)
class Filled:
    """How far a store is that is being filled with all vectors of a catalog.

    Attributes:
        began: the catalog's moment when that began.
        last: the highest id that is in it; ids come in order.
    """

    began: Moment
    last: int = -1


class EngineStore(KeptStore, Protocol):
    """A store in an engine; what it is told is there for all who search it.

    Every method raises StoreUnavailableError where the engine can't be reached, or says no.
    """

    @property
    def label(self) -> Label:
        """Whose it is, and of which kind."""
        ...

    @property
    def filled(self) -> Filled | None:
        """How far it is, while it is being filled; None once it is of a moment."""
        ...

    @filled.setter
    def filled(self, value: Filled) -> None: ...

    def ids(self) -> Iterator[IdArray]:
        """All ids it holds, in order, a part at a time."""
        ...

    def vectors(self, ids: IdArray) -> tuple[IdArray, FloatArray]:
        """The vectors of some ids, those that there are, in order of id."""
        ...


class Engine(Protocol):
    """The place of one collection in a running engine."""

    def find(self) -> EngineStore | None:
        """The store that is in place, ready to be searched; None where there is none.

        Raises:
            StoreMismatchError: something is there that this package did not make.
            StoreUnavailableError: the engine can't be reached.
        """
        ...

    def begun(self, label: Label) -> EngineStore:
        """A store to be filled, beside the one in place: one begun before, or a new one."""
        ...

    def put_in_place(self, store: EngineStore) -> None:
        """Search ``store`` from now on, at once and for everybody; the former one is dropped."""
        ...

    def drop(self, identity: str) -> None:
        """Drop what is there of the collection ``identity``, in place or begun."""
        ...

    def close(self) -> None:
        """Leave the engine."""
        ...
