"""What a store is."""

from __future__ import annotations

from typing import Protocol

from image_similarity_search.types import FloatArray, IdArray, Moment


class Store(Protocol):
    """Finds the nearest embeddings. Derived from the catalog: it can always be made anew.

    Vectors are *comparable* (``vectors.comparable``): unit length for ``cosine``, as they are
    for the other metrics. What a store returns are candidates; the collection computes the
    distances that a user sees from the catalog's own embeddings: ask for ``candidates(k)``,
    re-rank them exactly, keep ``k``.

    Searches may run at the same time; a change (``upsert``, ``delete``) must run alone.
    ``testing.check_store`` tells whether an object keeps these promises.

    Attributes:
        moment: of the catalog, that the store reflects; ``NEW`` at first.
    """

    moment: Moment

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def __len__(self) -> int:
        """How many vectors it holds."""
        ...

    def upsert(self, ids: IdArray, rows: FloatArray) -> None:
        """Put ``rows`` ``(n, dim)`` under ``ids`` ``(n,)``; an id that is there is replaced.

        Ids are 0 or more. Of an id given twice the last row counts. ``n`` may be 0.

        Raises:
            StoreDimensionError: the rows have another dimension.
            ConfigError: not one id per row, or a negative id.
        """
        ...

    def delete(self, ids: IdArray) -> int:
        """Take ``ids`` out; those not there are passed over. Returns how many were there."""
        ...

    def search(self, queries: FloatArray, k: int, allowed: IdArray | None = None) -> list[IdArray]:
        """The ids of the ``k`` nearest to each of ``queries`` ``(q, dim)``, nearest first.

        With ``allowed``, only among these ids. Fewer than ``k`` come back only where there are
        fewer. An inexact store may err in order and miss some. An exact one does not, but for
        ties: which of the equally distant ones (to float32 rounding) come back at the border,
        and in which order, is arbitrary.

        Raises:
            StoreDimensionError: the queries have another dimension.
            ConfigError: ``k`` is less than 1.
        """
        ...

    def candidates(self, k: int) -> int:
        """How many to search for so that an exact re-rank of them finds the ``k`` nearest.

        A little over ``k`` for an exact store (rounding may swap near ties), as many as its
        errors demand for an inexact one. May be more than it holds.
        """
        ...


class KeptStore(Store, Protocol):
    """A store that describes itself and has an adjustable search depth."""

    @property
    def is_exact(self) -> bool:
        """Whether every vector is compared in full now."""
        ...

    @property
    def lists(self) -> int:
        """Number of inverted lists, of which a search probes a share; 0 if there are none."""
        ...

    def look_at(self, probed: float | None, depth: float) -> None:
        """Set the share of lists to probe (None: default) and the multiplier of candidates."""
        ...

    def describe(self) -> str:
        """A short description for people."""
        ...

    def memory_bytes(self) -> int:
        """Approximate memory use in this process, in bytes."""
        ...
