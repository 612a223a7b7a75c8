"""Writing a page of search results."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from image_similarity_search.cli.gallery import GalleryQuery, render_gallery
from image_similarity_search.cli.thumbnails import thumbnail
from image_similarity_search.errors import ImageError


def write_page(
    file: str,
    sections: Sequence[GalleryQuery],
    *,
    title: str,
    summary: str = "",
    footer: str = "",
) -> None:
    """Write the page of ``sections`` to ``file``.

    Raises:
        ImageError: it can't be written.
    """
    page = render_gallery(
        sections, thumbnail=thumbnail, title=title, summary=summary, footer=footer
    )
    try:
        _write(file, page)
    except OSError as error:
        raise ImageError(file, f"the page can't be written: {error.strerror}") from error


def _write(file: str, page: str) -> None:
    """Write all of it or, where a disk is full, nothing: the page that was there stays."""
    place = os.path.realpath(file)
    is_stream = os.path.exists(place) and not os.path.isfile(place)  # such as /dev/stdout
    aside = place if is_stream else f"{place}.tmp"
    try:
        with open(aside, "w", encoding="utf-8") as out:
            out.write(page)
        if not is_stream:
            os.replace(aside, place)
    except OSError:
        if not is_stream:
            with suppress(OSError):
                os.remove(aside)
        raise
