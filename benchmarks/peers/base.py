"""What a peer is: it builds an index in a folder, opens it, and searches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from image_similarity_search.types import FloatArray, IdArray

PART = 16384  # rows added at a time


class Searching(ABC):
    """An open index."""

    @abstractmethod
    def set(self, value: int) -> None:
        """Choose how thorough the searches that follow are."""

    @abstractmethod
    def search(self, query: FloatArray, k: int) -> IdArray:
        """The positions of the ``k`` rows found nearest to a unit vector ``(dim,)``."""


class Peer(ABC):
    """One kind of index of one library.

    Attributes:
        name: for people and files.
        module: what must be importable.
        package: whose version is told.
        knob: what ``values`` are values of, "" where there is nothing to set.
        values: settings to search with, the quickest first.
    """

    name: ClassVar[str]
    module: ClassVar[str]
    package: ClassVar[str]
    knob: ClassVar[str] = ""
    values: ClassVar[tuple[int, ...]] = (0,)

    @abstractmethod
    def build(self, rows: FloatArray, folder: Path) -> dict[str, float]:
        """Index unit vectors ``(n, dim)`` in an empty folder.

        Returns figures that go beside ``build_s`` (the seconds this took), or in its place.
        """

    @abstractmethod
    def open(self, folder: Path) -> Searching:
        """Open what ``build`` made, as a program does that only searches."""
