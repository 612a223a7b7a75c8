"""Rows of images in a shared catalog: what is not there is asked for many at a time."""

from __future__ import annotations

from collections.abc import Sequence

from image_similarity_search.catalog.rows import ImageRow, Rows

_CONTENTS = (
    "SELECT DISTINCT content_hash FROM images"
    " WHERE content_hash = ANY (?::bytea[]) AND state = 'indexed'"
)
_FORGOTTEN = "SELECT content_hash FROM forgotten WHERE content_hash = ANY (?::bytea[])"
_PLACES = (
    "SELECT folder_id, name FROM images"
    " WHERE (folder_id, name) IN (SELECT * FROM unnest(?::bigint[], ?::bytea[]))"
)


class SharedRows(Rows):
    """As ``Rows``. Each question costs a way to the server and back, while others wait."""

    _contents: frozenset[bytes] | set[bytes] = frozenset()
    _unforgotten: frozenset[bytes] | set[bytes] = frozenset()
    _places: frozenset[tuple[int, bytes]] | set[tuple[int, bytes]] = frozenset()

    def look_ahead(self, contents: Sequence[bytes], places: Sequence[tuple[int, bytes]]) -> None:
        """Ask which of these are not there; it is remembered to the end of the transaction."""
        there = {content for (content,) in self._database.rows(_CONTENTS, (list(contents),))}
        self._contents = set(contents) - there
        self._unforgotten = set(contents) - {
            content for (content,) in self._database.rows(_FORGOTTEN, (list(contents),))
        }
        ids, names = [id_ for id_, _ in places], [name for _, name in places]
        self._places = set(places) - set(self._database.rows(_PLACES, (ids, names)))

    def look_no_further(self) -> None:
        """What was asked ahead counts no more, as when others may have changed it."""
        self._contents, self._unforgotten, self._places = set(), set(), set()

    def lacks(self, content: bytes) -> bool:
        """Whether it is known that no indexed image has this content."""
        return content in self._contents

    def was_never_forgotten(self, content: bytes) -> bool:
        """As in ``Rows``."""
        return content in self._unforgotten

    def image_at(self, folder_id: int, name: bytes) -> ImageRow | None:
        """As in ``Rows``."""
        return None if (folder_id, name) in self._places else super().image_at(folder_id, name)

    def insert_image(self, image: ImageRow) -> int:
        """As in ``Rows``."""
        self._is_there(image)
        return super().insert_image(image)

    def update_image(self, image: ImageRow) -> None:
        """As in ``Rows``; no text here holds a NUL, which a library may put into a reason."""
        self._is_there(image)
        reason = image.reason and image.reason.replace("\0", "\ufffd")
        super().update_image(image._replace(reason=reason))

    def _is_there(self, image: ImageRow) -> None:
        self._places -= {(image.folder_id, image.name)}
        if image.content_hash:
            self._contents -= {image.content_hash}
