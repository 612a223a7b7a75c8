"""Words that the user put to images: a list under ``tags`` in the image's metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from image_similarity_search.catalog.database import Database
from image_similarity_search.catalog.rows import Rows

TAGS = "tags"
"""Under this key the metadata of an image has them, sorted."""

# metadata that came from elsewhere may have anything there; damage is named by whoever reads a row
TAGGED = (
    "metadata != '{}' AND CASE WHEN json_valid(metadata) THEN EXISTS"
    " (SELECT 1 FROM json_each(metadata, '$.tags') WHERE value = ?) ELSE 0 END"
)
"""Of a row of ``images``: whether it has the tag that is given."""

_COUNTED = (
    "SELECT value, count(*) FROM images, json_each("
    "CASE WHEN json_valid(metadata) THEN metadata ELSE '{}' END, '$.tags')"
    " WHERE metadata != '{}' AND state = 'indexed' AND typeof(value) = 'text'"
    " GROUP BY value ORDER BY value"
)


class Tags:
    """The tags of one catalog."""

    def __init__(self, database: Database, rows: Rows) -> None:
        self._database = database
        self._rows = rows

    def counts(self) -> dict[str, int]:
        """How many indexed images have each tag, in order of the tags."""
        return dict(self._database.rows(_COUNTED))

    def change(self, ids: Iterable[int], add: Iterable[str], remove: Iterable[str]) -> int:
        """Put tags to images and take others away; call within a transaction.

        Bad files get none. Returns how many images have other tags than before.
        """
        added, removed = set(add), set(remove)
        changed = 0
        for id_ in ids:
            image = self._rows.image_of(id_)
            if image is None:
                continue
            metadata = json.loads(image.metadata)
            known, before = set(tags_in(metadata)), metadata.pop(TAGS, [])
            new = added if image.state == "indexed" else set()
            after = sorted((known | new) - removed)
            if after != before:
                if after:
                    metadata[TAGS] = after
                self._rows.update_image(image._replace(metadata=json.dumps(metadata)))
                changed += 1
        return changed


def tags_in(metadata: Mapping[str, Any]) -> list[str]:
    """The tags in the metadata of an image."""
    found = metadata.get(TAGS)
    return [tag for tag in found if isinstance(tag, str)] if isinstance(found, list) else []
