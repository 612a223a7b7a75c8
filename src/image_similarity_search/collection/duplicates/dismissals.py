"""Pairs that somebody said are no duplicates, remembered for good.

A file of lines beside the catalog, each a JSON list of two hashes of content: what was dismissed
stays so when the files are moved or renamed, and when the collection is indexed anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from itertools import combinations_with_replacement

from image_similarity_search.errors import CollectionUnwritableError

FILE_NAME = "dismissed.jsonl"


class Dismissals:
    """The pairs that were dismissed in the collection in ``folder``."""

    def __init__(self, folder: str) -> None:
        self.path = os.path.join(folder, FILE_NAME)
        self._pairs = set(_read(self.path))

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
        try:
            with open(self.path, "a", encoding="ascii") as file:
                # a line that a full disk cut short ends here, and is passed over
                file.writelines(f"\n{json.dumps(pair)}" for pair in new)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise CollectionUnwritableError(self.path, error.strerror or str(error)) from error
        self._pairs.update(new)
        return len(new)


def _read(path: str) -> Iterable[tuple[str, str]]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            one, other = json.loads(line)
        except (ValueError, TypeError):
            continue
        if isinstance(one, str) and isinstance(other, str):
            yield one, other
