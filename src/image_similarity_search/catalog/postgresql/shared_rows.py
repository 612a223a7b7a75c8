"""Rows of images in a shared catalog."""

from __future__ import annotations

from image_similarity_search.catalog.rows import ImageRow, Rows
from image_similarity_search.catalog.values import PLACES


class SharedRows(Rows):
    """As ``Rows``, of which PostgreSQL takes every text."""

    def update_image(self, image: ImageRow, edited: str = PLACES) -> None:
        """As in ``Rows``; no text here holds a NUL, which a library may put into a reason."""
        reason = image.reason and image.reason.replace("\0", "\ufffd")
        super().update_image(image._replace(reason=reason), edited)
