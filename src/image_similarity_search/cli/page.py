"""Writing a page of search results."""

from __future__ import annotations

from collections.abc import Sequence

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
        with open(file, "w", encoding="utf-8") as out:
            out.write(page)
    except OSError as error:
        raise ImageError(file, f"the page can't be written: {error.strerror}") from error
