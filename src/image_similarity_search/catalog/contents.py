"""The contents of image files, whichever images have them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice

from image_similarity_search.catalog import lacking
from image_similarity_search.catalog.any_database import AnyDatabase

_AT_ONCE = 4096
_ORDERED = (
    "SELECT DISTINCT content_hash FROM images WHERE content_hash > ? ORDER BY content_hash LIMIT ?"
)


class Contents:
    """The content hashes (hex) of the files in one catalog."""

    def __init__(self, database: AnyDatabase) -> None:
        self._database = database

    def __iter__(self) -> Iterator[str]:
        """Each of them once, in order, those of bad files too."""
        last = b""
        while rows := self._database.rows(_ORDERED, (last, _AT_ONCE)):
            yield from (digest.hex() for (digest,) in rows)
            last = rows[-1][0]

    def of(self, ids: Iterable[int]) -> set[str]:
        """Those of images, by the hashes that were recorded: their rows are not checked."""
        sought = iter(ids)
        found: set[str] = set()
        sql = f"SELECT content_hash FROM images WHERE id {self._database.sql.in_ids}"  # noqa: S608 - constants
        while part := list(islice(sought, _AT_ONCE)):
            rows = self._database.rows(sql, (json.dumps(part),))
            found.update(digest.hex() for (digest,) in rows if digest)
        return found

    def not_among(self, content_hashes: Iterable[str]) -> list[str]:
        """Those of ``content_hashes`` that no indexed image has."""
        sought, found = iter(content_hashes), []
        while part := list(islice(sought, _AT_ONCE)):
            digests = [bytes.fromhex(content) for content in part]
            none = lacking.contents(self._database, digests)
            found += [
                content for content, digest in zip(part, digests, strict=True) if digest in none
            ]
        return found
