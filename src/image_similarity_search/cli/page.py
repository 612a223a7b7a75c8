"""Writing a page of search results."""

from __future__ import annotations

from collections.abc import Sequence

from image_similarity_search.cli.gallery import GalleryQuery, render_gallery
from image_similarity_search.cli.targets import written
from image_similarity_search.cli.thumbnails import thumbnail


def write_page(
    file: str,
    sections: Sequence[GalleryQuery],
    *,
    title: str,
    summary: str = "",
    footer: str = "",
    compact: bool = False,
) -> None:
    """Write the page of ``sections`` to ``file``, as ``render_gallery`` makes it.

    Raises:
        ImageError: it can't be written.
    """
    page = render_gallery(
        sections,
        thumbnail=thumbnail,
        title=title,
        summary=summary,
        footer=footer,
        compact=compact,
    )
    with written(file) as out:
        out.write(page.encode())
