"""The gallery page: self-contained, safe whatever the file names are, and well structured."""

from __future__ import annotations

import base64
import hashlib
import os
from html.parser import HTMLParser
from typing import Any

import pytest

from image_similarity_search.cli.gallery import GalleryQuery, render_gallery
from image_similarity_search.types import Hit, ImageRecord

JPEG = b"\xff\xd8\xff\xe0 a picture"
PNG = b"\x89PNG\r\n\x1a\n a picture"
WEBP = b"RIFF\x10\x00\x00\x00WEBP a picture"
VOID = {"meta", "img", "wbr", "br"}


class Page(HTMLParser):
    """What a test asks of a page; a tag that is not closed in order is an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return "".join(self.texts)


def hit(path: str = "/pictures/a.jpg", score: float = 0.5, width: int | None = 640) -> Hit:
    record = ImageRecord(1, path, 1, 1, None, width, 480, "indexed")
    return Hit(record, distance=1 / score - 1 if score else 1.0, score=score)


def render(*queries: GalleryQuery, thumbnail: bytes | None = JPEG, **more: Any) -> str:
    return render_gallery(queries, thumbnail=lambda path: thumbnail, **{"title": "Found", **more})


def one(*hits: Hit, thumbnail: bytes | None = JPEG) -> Page:
    return Page(render(GalleryQuery("q.jpg", hits, JPEG, "/q.jpg"), thumbnail=thumbnail))


def test_nothing_is_requested_from_anywhere() -> None:
    html = render(GalleryQuery("q.jpg", [hit(), hit("/b.png")], JPEG, "/q.jpg"), footer="The end")
    page = Page(html)
    sources = [a["src"] for _, a in page.tags if "src" in a]
    assert len(sources) == 3
    assert all(str(source).startswith("data:image/") for source in sources)
    assert all(str(a["href"]).startswith("file:///") for _, a in page.tags if "href" in a)
    assert not page.all("link")
    assert not page.all("script")
    assert "http://" not in html
    assert "https://" not in html
    assert "url(" not in html


def test_the_policy_allows_embedded_pictures_and_this_very_style_only() -> None:
    html = render(GalleryQuery("q.jpg", [hit()]))
    policy = next(
        a["content"]
        for a in Page(html).all("meta")
        if a.get("http-equiv") == "Content-Security-Policy"
    )
    style = html.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert not any("style" in a for _, a in Page(html).tags)  # the policy would ignore it


def test_sections_headings_and_landmarks() -> None:
    first = GalleryQuery("one.jpg", [hit(), hit("/pictures/b.jpg")], JPEG, "/q/one.jpg", "3 ms")
    page = Page(render(first, GalleryQuery("two.jpg", [hit()]), footer="Made by hand"))
    names = [tag for tag, _ in page.tags]
    assert [n for n in names if n in {"h1", "h2", "h3"}] == ["h1", "h2", "h3", "h2", "h3"]
    for landmark in ("header", "main", "footer"):
        assert names.count(landmark) == 1
    labels = [a["aria-labelledby"] for a in page.all("section")]
    assert labels == [a["id"] for a in page.all("h2")]
    assert len(page.all("ol")) == 2
    assert len(page.all("li")) == 3
    assert page.all("html")[0]["lang"] == "en"
    assert "2 queries, 3 pictures found" in page.text
    for text in ("Found", "one.jpg", "/q/one.jpg", "3 ms", "Made by hand"):
        assert text in page.text


def test_a_hit_shows_rank_score_name_path_and_size() -> None:
    page = one(hit("/pictures/sea side/boat.jpg", 0.87654))
    assert "Rank 1" in page.text
    assert "Score 0.8765" in page.text
    assert "/pictures/sea side/boat.jpg" in page.text
    assert "640 × 480" in page.text  # noqa: RUF001
    assert [a["alt"] for a in page.all("img")] == ["Query picture: q.jpg", "boat.jpg"]
    assert page.all("a")[0]["href"] == "file:///pictures/sea%20side/boat.jpg"
    assert page.all("rect")[1]["width"] == "87.65%"


@pytest.mark.parametrize(("score", "width"), [(1.0, "100.00%"), (7.5, "100.00%"), (-2.0, "0.00%")])
def test_the_bar_stays_in_its_bounds_for_inner_products(score: float, width: str) -> None:
    page = one(hit(score=score))
    assert page.all("rect")[1]["width"] == width
    assert f"Score {score:.4f}" in page.text


def test_names_are_escaped_everywhere() -> None:
    nasty = "<script>alert(\"1\")<b>&amp;'x'$title.jpg"
    query = GalleryQuery(nasty, [hit(f"/p/{nasty}")], JPEG, f"/q/{nasty}", nasty)
    page = Page(render_gallery([query], thumbnail=lambda path: JPEG, title=nasty, footer=nasty))
    assert not page.all("script")
    assert page.all("img")[0]["alt"] == f"Query picture: {nasty}"
    assert f"/p/{nasty}" in page.text
    assert page.text.count(nasty) == 8  # title twice, query, path, note, name, path, footer


def test_undecodable_names_become_valid_utf8() -> None:
    name = os.fsdecode("Bücher ".encode() + b"\xfe\xff\n\x00 \xe5\x86\x99.jpg")
    html = render(GalleryQuery(name, [hit(f"/p/{name}")], JPEG, name, name), footer=name)
    page = Page(html.encode("utf-8").decode("utf-8"))
    assert "Bücher \ufffd\ufffd\ufffd\ufffd 写.jpg" in page.text
    assert "\x00" not in html
    if os.name == "posix":  # the address still names the very bytes of the file
        assert "%FE%FF" in str(page.all("a")[0]["href"])


def test_a_vanished_picture_gets_a_placeholder_and_no_link() -> None:
    page = one(hit("/gone.jpg", width=None), thumbnail=None)
    assert "Picture not available" in page.text
    assert "/gone.jpg" in page.text
    assert len(page.all("img")) == 1
    assert not page.all("a")
    assert "×" not in page.text  # noqa: RUF001


def test_a_query_without_a_picture_or_answers_says_so() -> None:
    page = Page(render(GalleryQuery("q.jpg", [])))
    assert "Picture not available" in page.text
    assert "Nothing was found." in page.text
    assert "1 query, 0 pictures found" in page.text
    assert not page.all("ol")


def test_a_relative_path_is_shown_without_a_link() -> None:
    page = one(hit("pictures/a.jpg"))
    assert "pictures/a.jpg" in page.text
    assert not page.all("a")


@pytest.mark.parametrize(
    ("data", "kind"), [(JPEG, "image/jpeg"), (PNG, "image/png"), (WEBP, "image/webp")]
)
def test_pictures_are_embedded_as_what_they_are(data: bytes, kind: str) -> None:
    source = str(one(hit(), thumbnail=data).all("img")[1]["src"])
    assert source == f"data:{kind};base64,{base64.b64encode(data).decode()}"


def test_each_thumbnail_is_asked_for_once_by_path() -> None:
    asked: list[str] = []

    def thumbnail(path: str) -> bytes:
        asked.append(path)
        return JPEG

    query = GalleryQuery("q", [hit("/a.jpg"), hit("/b.jpg")])
    assert render_gallery([query], thumbnail=thumbnail, title="t") == render(query, title="t")
    assert asked == ["/a.jpg", "/b.jpg"]
