"""With the keys alone, by a screen reader, on a phone, in the dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import until

from browser.conftest import DESKTOP, PHONE
from browser.looks import example_count, names, wait_for_search

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from browser.conftest import Site, Visitor


def focused(page: Page) -> str:
    return str(
        page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent")
    )


def test_by_the_keys_alone(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(site.url)
    shown = names(page, 20)
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the pictures"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert shown[0] in focused(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert shown[2] in focused(page)
    page.keyboard.press("End")
    until(lambda: "flower 8" not in focused(page) and shown[2] not in focused(page))
    page.keyboard.press("Home")
    assert shown[0] in focused(page)
    page.keyboard.press("Tab")  # to what else can be done with it
    assert focused(page) == "More like this"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("v")
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert shown[0] in focused(page)  # where one was
    page.keyboard.press("Enter")
    wait_for_search(page)
    until(lambda: names(page, 1)[0] in focused(page))  # the first hit
    page.keyboard.press("ArrowRight")
    page.keyboard.press("+")
    until(lambda: example_count(page) == 2)
    wait_for_search(page)


def test_the_focus_is_seen(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(f"{site.url}/?like=1")
    wait_for_search(page)
    for _ in range(14):
        page.keyboard.press("Tab")
        outline = page.evaluate(
            "(() => { const style = getComputedStyle(document.activeElement);"
            " return style.outlineStyle + ' ' + style.outlineWidth; })()"
        )
        assert outline == "solid 2px", focused(page)


def test_places_are_said(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(site.url)
    cell = page.locator(".cell").nth(3)
    assert (cell.get_attribute("aria-posinset"), cell.get_attribute("aria-setsize")) == ("4", "64")
    page.locator(".cell > a").first.click()
    wait_for_search(page)
    until(lambda: "Most similar" in page.locator("#announce").inner_text())


STATES = {
    "library": "/",
    "hits": "/?like=1~0.1,0.1,0.5,0.5&like=9&less=30&least=0.4",
    "viewer": "/?like=1&view=2",
    "filters": "/?formats=png",
    "nothing": "/?like=1&least=1",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_no_serious_violation(
    site: Site, visitor: Visitor, scheme: str, size: tuple[int, int]
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    for name, address in STATES.items():
        page = visitor.visit(site.url + address, size, scheme=scheme)
        if name == "filters":
            page.get_by_role("button", name="Filter").click()
        if name == "viewer":
            page.get_by_role("dialog").get_by_role("button", name="Region").click()
        page.wait_for_timeout(300)
        found = Axe().run(page).response["violations"]
        serious = [
            (each["id"], each["nodes"][0]["html"][:200], each["nodes"][0].get("failureSummary"))
            for each in found
            if each["impact"] in ("serious", "critical")
        ]
        assert serious == [], name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        page.close()


def test_on_a_phone(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(site.url, PHONE)
    page.locator(".cell > a").nth(1).tap()
    wait_for_search(page)
    page.locator(".cell").first.get_by_role("button", name="View").tap()
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    query, hit = (dialog.locator(name).bounding_box() for name in ("#query-image", "#viewer-image"))
    assert query
    assert hit
    assert query["y"] + query["height"] <= hit["y"]  # one below the other
    for button in dialog.locator(".actions > :visible").all():
        box = button.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE[0]
        assert box["y"] + box["height"] <= PHONE[1]
    dialog.get_by_role("button", name="More like this").tap()
    until(lambda: example_count(page) == 2)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_hits_are_judged_by_fingers(site: Site, visitor: Visitor, scheme: str) -> None:
    page = visitor.visit(f"{site.url}/?like=1", PHONE, scheme=scheme)
    wait_for_search(page)
    cell = page.locator(".cell").nth(5)
    meant, other = names(page, 6)[5], names(page, 6)[3]
    picture, name = (cell.locator(part).bounding_box() for part in ("a", ".name"))
    assert picture
    assert name
    for label in ("Relevant", "Not relevant"):
        box = cell.get_by_role("button", name=label, exact=True).bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= 44
        assert box["y"] >= picture["y"] + picture["height"]  # nothing of the picture is covered
        assert box["x"] >= name["x"] + name["width"]
        assert box["x"] + box["width"] <= PHONE[0]
    cell.get_by_role("button", name="Relevant", exact=True).tap()
    page.wait_for_url("**/?like=1&liked=*")
    wait_for_search(page)
    pressed = page.locator(".cell", has=page.locator("[data-act=like][aria-pressed=true]"))
    assert pressed.get_by_role("link", name=f"Search by {meant}").count() == pressed.count() == 1
    unlike = page.locator(".cell", has=page.get_by_role("link", name=f"Search by {other},"))
    unlike.get_by_role("button", name="Not relevant").tap()
    page.wait_for_url("**/?like=1&liked=*&disliked=*")
    until(lambda: other not in names(page, 64))
