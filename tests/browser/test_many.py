"""The grid of 100,000 pictures: whatever is looked at is there, and moving is smooth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import pytest
from conftest import until

from browser.conftest import DESKTOP, PHONE, serve
from browser.looks import names, wait_for_search
from browser.many import COUNT, make_many

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from browser.conftest import Site, Visitor

# Scrolls for two seconds, an eighth of the sight each frame; the milliseconds of each frame.
_SCROLL = """() => new Promise((done) => {
  const frames = [];
  let before = performance.now();
  const end = before + 2000;
  const step = (now) => {
    frames.push(now - before);
    before = now;
    scrollBy(0, innerHeight / 8);
    now < end ? requestAnimationFrame(step) : done(frames.slice(1));
  };
  requestAnimationFrame(step);
})"""
_MOST_CELLS = 150


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    place = tmp_path_factory.mktemp("many")
    make_many(place)
    with ExitStack() as stack:
        yield serve(place, stack)


def _are_about(page: Page, part: float) -> bool:
    """Whether the pictures of this part of the collection are there, all of them and in order."""
    ids = [int(name.removeprefix("image ").removesuffix(".jpg")) for name in names(page, 150)]
    if not ids or len(ids) < page.locator(".cell").count():
        return False
    return (
        ids == list(range(ids[0], ids[0] + len(ids)))
        and abs(ids[len(ids) // 2] / COUNT - part) < 0.01
    )


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_scrolling_is_smooth(many: Site, visitor: Visitor, size: tuple[int, int]) -> None:
    page = visitor.visit(many.url, size)
    page.locator("#status", has_text="100,000 pictures").wait_for()
    page.evaluate(_SCROLL)  # once, so that all is compiled
    frames = sorted(page.evaluate(_SCROLL))
    median, slow = frames[len(frames) // 2], frames[len(frames) * 95 // 100]
    print(f"{size[0]} pixels wide: median {median:.1f} ms a frame, 95th percentile {slow:.1f} ms")
    assert page.locator(".cell").count() < _MOST_CELLS
    assert median < 50
    assert slow < 200
    until(lambda: len(names(page, _MOST_CELLS)) == page.locator(".cell").count())


def test_every_place_can_be_looked_at(many: Site, visitor: Visitor) -> None:
    page = visitor.visit(many.url)
    for part in (0.5, 0.9, 0.1, 1.0):
        page.evaluate("part => scrollTo(0, document.documentElement.scrollHeight * part)", part)
        until(partial(_are_about, page, part))
    assert names(page, 150)[-1] == f"image {COUNT}.jpg"
    until(lambda: page.locator(".cell img.there").count() > 20)


def test_the_keys_lead_everywhere(many: Site, visitor: Visitor) -> None:
    page = visitor.visit(many.url)
    page.locator(".cell > a").first.focus()
    page.keyboard.press("End")
    last = page.locator(f'.cell[aria-posinset="{COUNT}"] > a')
    until(lambda: bool(last.evaluate("link => link === document.activeElement")))
    until(lambda: last.get_attribute("aria-label") == f"Search by image {COUNT}.jpg")
    page.keyboard.press("Enter")
    wait_for_search(page)
    page.go_back()
    page.locator("#status", has_text="100,000 pictures").wait_for()
    until(lambda: f"image {COUNT}.jpg" in names(page, 150))  # where one was


def test_hits_go_on_where_the_end_is_looked_at(many: Site, visitor: Visitor) -> None:
    page = visitor.visit(f"{many.url}/?like=77")
    wait_for_search(page)
    page.locator("#status-note", has_text="100 and more").wait_for()
    for more in ("300 and more", "900 and more", "1,000 ·"):
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        page.locator("#status-note", has_text=more).wait_for()
    assert page.locator(".cell").count() < _MOST_CELLS
