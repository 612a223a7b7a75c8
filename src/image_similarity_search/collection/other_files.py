"""Files that are passed over since they are no pictures that are read here, by their extensions."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable

_MOST_TOLD = 10
_MOST_KNOWN = 1_000  # names can have any ending: a folder of a million must not fill the memory
_EXTENSION = re.compile(r"\.[a-z0-9_+-]{1,12}", re.ASCII)  # others are parts of names: `v. 2`


class OtherFiles:
    """Counts them."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str) -> None:
        """Count a file of this name."""
        ending = os.path.splitext(name)[1].lower()
        extension = ending if _EXTENSION.fullmatch(ending) else ""
        if extension in self._counts or len(self._counts) < _MOST_KNOWN:
            self._counts[extension] += 1

    def most(self) -> dict[str, int]:
        """How many have each extension (``.cr3``; empty: none), the ten most of them first."""
        return most_of([self._counts])


def most_of(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    """Such counts added up, the ten most first; of equal ones in order of their names."""
    added: Counter[str] = Counter()
    for each in counts:
        added.update(each)
    ordered = sorted(added.items(), key=lambda item: (-item[1], item[0]))
    return dict(ordered[:_MOST_TOLD])
