"""Pages that are files, as they are seen."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from conftest import draw

from browser.conftest import DESKTOP, PHONE
from image_similarity_search.cli.gallery import GalleryQuery, render_gallery
from image_similarity_search.types import Hit, ImageRecord

if TYPE_CHECKING:
    from pathlib import Path

    from browser.conftest import Visitor


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_compact_page_has_a_row_of_equal_pictures_for_each_section(
    visitor: Visitor, tmp_path: Path, size: tuple[int, int]
) -> None:
    file = BytesIO()
    draw(1, (320, 240)).save(file, "JPEG")
    jpeg = file.getvalue()
    copy = Hit(ImageRecord(1, "/pictures/copy.jpg", 1, 1, None, 320, 240, "indexed"), 0.1, 0.9)
    sections = [
        GalleryQuery(f"/pictures/{number}.jpg", [copy], jpeg, f"/pictures/{number}.jpg")
        for number in range(20)
    ]
    page_file = tmp_path / "page.html"
    page = render_gallery(sections, thumbnail=lambda _: jpeg, title="Rows", compact=True)
    page_file.write_text(page, encoding="utf-8")
    seen = visitor.visit(page_file.as_uri(), size, ready=False)
    first = seen.locator("section").first
    kept, beside = first.locator(".query img"), first.locator("li .frame")
    boxes = [kept.bounding_box(), beside.bounding_box()]
    assert boxes[0]
    assert boxes[1]
    for what in ("y", "width", "height"):
        assert boxes[0][what] == pytest.approx(boxes[1][what], abs=1), what
    assert boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"]
    section = first.bounding_box()
    assert section
    assert section["height"] < 480
    seen.evaluate("scrollTo(0, 2000)")
    header = seen.locator("body > header")
    box = header.bounding_box()
    assert box
    assert box["y"] == 0
    assert seen.evaluate("scrollY") > 1000
