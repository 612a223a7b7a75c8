"""At which folders another disk was mounted, kept in ``meta``."""

from __future__ import annotations

import json
from collections.abc import Iterable

from image_similarity_search.catalog.meta import DISKS, Meta


class Disks:
    """The folders with pictures at which another disk was mounted, by one catalog.

    A sync remembers them, to tell a disk that is not mounted from pictures that were deleted.
    """

    def __init__(self, meta: Meta) -> None:
        self._meta = meta

    def known(self) -> set[str]:
        """Their absolute paths."""
        return set(json.loads(self._meta.read().get(DISKS) or "[]"))

    def change(self, *, forget: Iterable[str] = (), remember: Iterable[str] = ()) -> None:
        """Know of some no more, and of others; call within a transaction."""
        known = self.known()
        paths = known.difference(forget).union(remember)
        if paths != known:
            self._meta.write({DISKS: json.dumps(sorted(paths))})
