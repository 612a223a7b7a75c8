"""Searching by all the ways there are, each done as a person does it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import draw, until
from PIL import Image

from browser.looks import example_count, names, scores, wait_for_search

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

    from browser.conftest import Site, Visitor

_GIVE = """async ([how, name, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const given = new DataTransfer();
  given.items.add(new File([bytes], name, { type: "image/jpeg" }));
  const tell = (event) => document.body.dispatchEvent(event);
  if (how === "paste") {
    return tell(new ClipboardEvent("paste", { clipboardData: given, bubbles: true }));
  }
  for (const type of ["dragenter", "dragover", "drop"]) {
    tell(new DragEvent(type, { dataTransfer: given, bubbles: true, cancelable: true }));
    if (type === "dragenter" && document.getElementById("drop").hidden) throw new Error("no veil");
  }
}"""


def give(page: Page, how: str, file: Path) -> None:
    page.evaluate(_GIVE, [how, file.name, base64.b64encode(file.read_bytes()).decode()])


@pytest.mark.parametrize("how", ["drop", "paste", "choose"])
def test_a_picture_is_given(site: Site, visitor: Visitor, how: str) -> None:
    page = visitor.visit(site.url)
    file = site.queries / "Sailing boat.jpg"
    if how == "choose":
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Search by picture").click()
        chooser.value.set_files(file)
    else:
        give(page, how, file)
    wait_for_search(page)
    assert all(name.startswith("sailing boat") for name in names(page, 4))
    assert page.locator("#drop").is_hidden()
    assert scores(page) == sorted(scores(page), reverse=True)


def test_what_the_browser_does_not_show_is_shown_by_the_server(
    site: Site, visitor: Visitor, tmp_path: Path
) -> None:
    """Also a file whose name says nothing is one that may be searched by."""
    turned = Image.Exif()
    turned[0x0112] = 6
    draw(1, (60, 40)).save(tmp_path / "turned.webp", exif=turned)
    draw(1, (60, 40)).save(tmp_path / "scan", "TIFF")
    page = visitor.visit(site.url)
    for name, width in (("turned.webp", 40), ("scan", 60)):
        page.locator("#file").set_input_files(tmp_path / name)
        wait_for_search(page)
        page.get_by_role("button", name=f"View {name}").wait_for()
        page.wait_for_function(
            "w => document.querySelector('.example img')?.naturalWidth === w", arg=width
        )


def test_it_is_said_that_an_answer_takes_a_while(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(site.url)
    held: list[Route] = []
    page.route("**/search", lambda route: held.append(route))
    page.locator("#file").set_input_files(site.queries / "Fish.jpg")
    page.locator("#status", has_text="Searching…").wait_for()
    assert "kB to send" in page.locator("#status-note").inner_text()
    assert page.locator("#announce").inner_text() == "Searching…"
    page.locator("#pictures.waiting[aria-busy=true]").wait_for()
    held[0].continue_()
    wait_for_search(page)
    page.locator("#pictures:not(.waiting)").wait_for()
    page.locator(".cell > a").first.click()
    page.locator("#status", has_text="Searching…").wait_for()
    visitor.allowed = ["status of 500"]
    held[1].fulfill(status=500, json={"type": "urn:iss:problem:failed", "detail": "no"})
    wait_for_search(page)


def test_what_is_no_picture_is_refused_kindly(site: Site, visitor: Visitor, tmp_path: Path) -> None:
    visitor.allowed = ["status of 4"]
    page = visitor.visit(site.url)
    (tmp_path / "notes.txt").write_text("no picture")
    page.locator("#file").set_input_files(tmp_path / "notes.txt")
    page.get_by_text("That is not a picture.").wait_for()
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    page.locator("#file").set_input_files(tmp_path / "broken.jpg")
    page.get_by_text("Can't search by this").wait_for()
    page.get_by_role("button", name="Clear search").click()
    page.locator("#status", has_text="64 pictures").wait_for()


def test_a_condition_that_can_not_be_met_is_not_the_picture_s_fault(
    site: Site, visitor: Visitor
) -> None:
    visitor.allowed = ["status of 4"]
    page = visitor.visit(f"{site.url}?like=1&modified_after=yesterday")
    page.get_by_role("heading", name="Invalid search").wait_for()


def test_a_click_searches_on(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(site.url)
    page.get_by_role("link", name="Search by flower 3.png").click()
    wait_for_search(page)
    assert "flower 3.png" not in names(page, 64)  # itself is left out
    second = names(page, 1)[0]
    assert second.startswith("flower")
    page.locator(".cell > a").first.click()
    page.get_by_role("button", name=f"Remove {second}").wait_for()
    page.go_back()
    page.get_by_role("button", name="Remove flower 3.png").wait_for()
    wait_for_search(page)
    assert names(page, 1) == [second]
    page.go_back()
    page.locator("#status", has_text="64 pictures").wait_for()


def test_an_address_shows_the_same_to_others(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(site.url)
    page.get_by_role("link", name="Search by fish 2.jpg").click()
    wait_for_search(page)
    page.get_by_label("Minimum score").fill("0.6")
    page.wait_for_url("**/*least=0.6*")
    shown = names(page, 64)
    other = visitor.visit(page.url)
    wait_for_search(other)
    assert names(other, 64) == shown
    assert other.get_by_label("Minimum score").input_value() == "0.6"


def test_the_threshold_hides_at_once(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(f"{site.url}/?like=1")
    wait_for_search(page)
    before = scores(page)
    middle = before[len(before) // 2]
    page.get_by_label("Minimum score").fill(f"{middle:.2f}")
    until(lambda: len(scores(page)) < len(before))
    assert all(score >= round(middle, 2) - 0.0005 for score in scores(page))
    page.get_by_label("Minimum score").fill("1")
    page.get_by_role("heading", name="No picture is that similar").wait_for()
    page.get_by_label("Minimum score").fill("0")
    page.get_by_role("heading", name="No picture is that similar").wait_for(state="hidden")


def test_more_like_this_less_like_that(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(f"{site.url}/?like=1")
    wait_for_search(page)
    cell = page.locator(".cell").nth(20)
    unlike, before = names(page, 64)[20], scores(page)
    cell.hover()
    cell.get_by_role("button", name="Less like this").click()
    page.locator(".example.less").wait_for()
    wait_for_search(page)
    until(lambda: unlike not in names(page, 64))
    assert scores(page)[0] < before[0]  # a part of what it is like is taken away
    page.locator(".cell").nth(2).hover()
    page.locator(".cell").nth(2).get_by_role("button", name="More like this").click()
    page.wait_for_url("**/?like=1&less=*&like=*")
    assert example_count(page) == 3
    page.get_by_role("button", name=f"like {unlike}").click()  # turned around
    page.locator(".example.less").wait_for(state="detached")
    page.get_by_role("button", name=f"Remove {unlike}").click()
    until(lambda: example_count(page) == 2)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Add picture").click()
    chooser.value.set_files(site.queries / "Fish.jpg")
    until(lambda: example_count(page) == 3)
    wait_for_search(page)


def test_an_address_says_what_to_be_less_like(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(f"{site.url}/?like=1&less=9")
    wait_for_search(page)
    assert (page.locator(".example.less").count(), example_count(page)) == (1, 2)


def test_only_less_waits_for_what_it_should_be_like(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(f"{site.url}/?like=1")
    wait_for_search(page)
    page.locator(".example .sign").click()
    page.locator("#status-note", has_text="Add a picture to find more like it").wait_for()
    page.locator("#status", has_text="64 pictures").wait_for()


def test_a_picture_of_the_page_alone_is_missed_after_a_reload(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(site.url)
    page.locator("#file").set_input_files(site.queries / "Fish.jpg")
    wait_for_search(page)
    page.reload()
    page.get_by_text("drop it again").wait_for()
    page.locator("#status", has_text="64 pictures").wait_for()


def test_an_address_never_names_a_picture_of_another_load(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(site.url)
    page.locator("#file").set_input_files(site.queries / "Fish.jpg")
    wait_for_search(page)
    former = page.url
    page.reload()
    page.locator("#status", has_text="64 pictures").wait_for()
    page.locator("#file").set_input_files(site.queries / "Flower.jpg")
    page.wait_for_url(lambda url: "like=" in url and url != former)
    wait_for_search(page)
    page.go_back()
    page.wait_for_url(former)
    page.locator("#status", has_text="64 pictures").wait_for()
    assert page.locator(".example:not(.add)").count() == 0


def test_filters(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(site.url)
    page.get_by_role("button", name="Filter").click()
    page.get_by_label("Kind").select_option("png")
    page.wait_for_url("**/?formats=png")
    page.locator("#status", has_text="16 pictures").wait_for()
    page.get_by_label("Name").fill("fish*")
    page.locator("#status", has_text="2 pictures").wait_for()
    assert all(name.endswith(".png") for name in names(page))
    page.get_by_label("Name").fill("nothing at all")
    page.get_by_role("heading", name="No picture matches the filter").wait_for()
    page.get_by_role("button", name="Clear filters").click()
    page.locator("#status", has_text="64 pictures").wait_for()
    page.get_by_label("Name").fill("flower*")
    page.locator("#status", has_text="8 pictures").wait_for()
    page.locator("#file").set_input_files(site.queries / "Fish.jpg")  # searches within the filter
    wait_for_search(page)
    assert {name.split()[0] for name in names(page, 64)} == {"flower"}
    page.get_by_label("Name").fill("LOWER 1.")  # a part of it will do
    until(lambda: len(names(page, 64)) == 1)
    page.get_by_label("Name").fill("flower*")
    until(lambda: len(names(page, 64)) == 8)
    page.get_by_label("Folder", exact=True).fill("drawings/Fish")
    page.get_by_role("heading", name="No picture matches the filter").wait_for()
