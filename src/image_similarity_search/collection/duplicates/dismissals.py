"""Pairs that somebody said are no duplicates, remembered for good.

A file of lines beside the catalog, each a JSON list of two hashes of content, and its checksum:
what was dismissed stays so when the files are moved or renamed, and when all is indexed anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import combinations_with_replacement
from typing import Any

from image_similarity_search.collection.duplicates.json_lines import JsonLines

FILE_NAME = "dismissed.jsonl"


class Dismissals:
    """The pairs that were dismissed in the collection in ``folder``.

    Raises:
        CollectionUnavailableError: they can't be read.
    """

    def __init__(self, folder: str) -> None:
        self._lines = lines_of(folder)
        self._pairs = {(one, other) for one, other in self._lines}

    def __len__(self) -> int:
        return len(self._pairs)

    def __contains__(self, pair: tuple[str | None, str | None]) -> bool:
        if not self._pairs:
            return False
        one, other = sorted(part or "" for part in pair)
        return (one, other) in self._pairs

    def add(self, hashes: Iterable[str]) -> int:
        """Remember that no two of these are duplicates, nor two files of one of them.

        Returns how many pairs are new. The caller holds the writer lock.

        Raises:
            CollectionUnwritableError: the file can't be written.
        """
        given = sorted(hashes)
        pairs = {
            pair
            for pair in combinations_with_replacement(sorted(set(given)), 2)
            if pair[0] != pair[1] or given.count(pair[0]) > 1
        }
        new = sorted(pairs - self._pairs)
        if new:
            self._lines.add(*new)
        self._pairs.update(new)
        return len(new)


def lines_of(folder: str) -> JsonLines:
    """The lines that say what was dismissed in the collection in ``folder``."""
    return JsonLines(os.path.join(folder, FILE_NAME), _is_pair)


def _is_pair(value: Any) -> bool:
    match value:
        case [str(), str()]:
            return True
    return False
