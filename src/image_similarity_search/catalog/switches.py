"""What a user has switched off for a collection, kept in ``meta``."""

from __future__ import annotations

from image_similarity_search.catalog.meta import Meta

_THUMBNAILS = "thumbnails"


class Switches:
    """The switches of one catalog; each is on until it is switched off."""

    def __init__(self, meta: Meta) -> None:
        self._meta = meta

    @property
    def thumbnails(self) -> bool:
        """Whether thumbnails are kept."""
        return self._meta.read().get(_THUMBNAILS) != "off"

    def set_thumbnails(self, *, on: bool) -> None:
        """Switch it; call within a transaction."""
        self._meta.write({_THUMBNAILS: "on" if on else "off"})
