"""What is to be seen on the page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


def names(page: Page, count: int = 8) -> list[str]:
    """The file names of the first pictures of the grid, in order."""
    labels: list[str] = page.locator(".cell > a").evaluate_all(
        "links => links.map(link => link.getAttribute('aria-label'))"
    )
    found = [re.fullmatch(r"Search by (.*?)(, score .*)?", label) for label in labels]
    return [match[1] for match in found if match][:count]


def scores(page: Page) -> list[float]:
    """The scores in the grid, in order."""
    return [float(text) for text in page.locator(".cell .score").all_text_contents() if text]


def wait_for_search(page: Page) -> None:
    """Until hits are shown."""
    page.locator("#status", has_text="Most similar").wait_for()
    page.locator("#pictures[aria-busy=false]").wait_for(state="attached")


def is_on_top(element: Locator) -> bool:
    """Whether it is what one sees at its middle, and nothing that lies above it."""
    on_top: bool = element.evaluate(
        """element => { const box = element.getBoundingClientRect();
        const seen = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
        return element.contains(seen); }"""
    )
    return on_top


def example_count(page: Page) -> int:
    """How many pictures are searched by."""
    return len(page.locator(".example:not(.add)").all())
