"""The table ``meta``: what a collection was made with, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.checksums import checksum_of_meta
from image_similarity_search.catalog.parts import Row
from image_similarity_search.catalog.values import Identity
from image_similarity_search.errors import CollectionCorruptError

KEYS = ("id", "encoder", "fingerprint", "dim", "metric", "index", "generation")

MARK = "mark"
UNMARKED = "unmarked"
DROPPED = "removals_dropped"
TUNING = "tuning"
COSTS = "costs"
DISKS = "disks"
EDITED = "edited"
PROGRESS = ("generation", MARK, UNMARKED, DROPPED, TUNING, COSTS, DISKS, EDITED)
"""The keys that say how far a collection is, not what it was made with."""


class Meta:
    """The keys and values of one catalog, checked whenever they are read."""

    def __init__(self, database: AnyDatabase) -> None:
        self._database = database
        self._whole: list[Row] = []  # as read last: every search reads them

    def read(self) -> dict[str, str]:
        """All of it, but for the checksum.

        Raises:
            CollectionCorruptError: something is missing, or not as it was written.
        """
        rows = self._database.rows("SELECT key, value FROM meta")
        meta: dict[str, str] = dict(rows)
        if rows != self._whole:
            if problem := problem_of(meta):
                raise CollectionCorruptError(self._database.path, problem)
            self._whole = rows
        del meta["crc32"]
        return meta

    def identity(self) -> Identity:
        """What the collection was made with."""
        meta: Any = self.read()
        return Identity(
            encoder=meta["encoder"],
            fingerprint=meta["fingerprint"],
            dim=int(meta["dim"]),
            metric=meta["metric"],
            index=meta["index"],
            id=meta["id"],
            encoder_spec=meta.get("encoder_spec", ""),
            store=meta.get("store", ""),
        )

    def generation(self) -> int:
        """A number that grows with every change."""
        return int(self.read()["generation"])

    def write(self, changed: dict[str, str]) -> None:
        """Change values; call within a transaction."""
        crc32 = checksum_of_meta(self.read() | changed)
        self._database.write_many(
            "INSERT INTO meta (key, value) VALUES (?, ?)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            [*changed.items(), ("crc32", crc32)],
        )


def problem_of(meta: Mapping[str, str]) -> str | None:
    """What is wrong with the rows of ``meta``, or None."""
    if not all(isinstance(text, str) for item in meta.items() for text in item):
        return "meta has a value that is not text"
    missing = [key for key in (*KEYS, "crc32") if key not in meta]
    if missing:
        return f"meta lacks {', '.join(missing)}"
    if meta["crc32"] != checksum_of_meta(meta):
        return "meta has a wrong checksum"
    return None
