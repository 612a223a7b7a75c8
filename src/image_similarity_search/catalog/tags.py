"""Words that the user put to images: a list under ``tags`` in the image's metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.rows import Rows
from image_similarity_search.catalog.values import NOTES

TAGS = "tags"
"""Under this key the metadata of an image has them, sorted."""


class Tags:
    """The tags of one catalog."""

    def __init__(self, database: AnyDatabase, rows: Rows) -> None:
        self._database = database
        self._rows = rows

    def counts(self) -> dict[str, int]:
        """How many indexed images have each tag, in order of the tags."""
        return dict(self._database.rows(self._database.sql.tag_counts))

    def change(self, ids: Iterable[int], add: Iterable[str], remove: Iterable[str]) -> int:
        """Put tags to images and take others away; call within a transaction.

        Bad files get none. Returns how many images have other tags than before.
        """
        added, removed = set(add), set(remove)
        changed = 0
        for image in self._rows.images_of(ids):
            metadata = json.loads(image.metadata)
            known, before = set(tags_in(metadata)), metadata.pop(TAGS, [])
            new = added if image.state == "indexed" else set()
            after = sorted((known | new) - removed)
            if after != before:
                if after:
                    metadata[TAGS] = after
                self._rows.update_image(image._replace(metadata=json.dumps(metadata)), NOTES)
                changed += 1
        return changed


def tags_in(metadata: Mapping[str, Any]) -> list[str]:
    """The tags in the metadata of an image."""
    found = metadata.get(TAGS)
    return [tag for tag in found if isinstance(tag, str)] if isinstance(found, list) else []
