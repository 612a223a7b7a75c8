"""What else a search is asked for on the page: other ways to see a picture, thumbs, tags, words."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from conftest import draw, until
from PIL import Image
from text_towers import write_pair

from browser.conftest import PHONE, serve
from browser.looks import names, wait_for_search
from image_similarity_search.collection import Collection

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from browser.conftest import Site, Visitor


def test_boxes_say_what_else_to_do(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(f"{site.url}/?like=1")
    wait_for_search(page)
    page.get_by_role("button", name="Filter").click()
    for box in ("Include mirrored", "Fold copies", "Diverse"):
        page.get_by_label(box).check()
    page.wait_for_url("**/?like=1&mirrored=&diverse=&fold=")
    wait_for_search(page)
    assert page.locator("#filters-count").text_content() == "3"
    other = visitor.visit(page.url)
    wait_for_search(other)
    until(lambda: names(page, 20) == names(other, 20))
    other.get_by_role("button", name="Filter").click()
    assert other.get_by_label("Include mirrored").is_checked()
    other.get_by_role("button", name="Clear filters").click()
    other.wait_for_url("**/?like=1")


def test_thumbs_move_the_search(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(f"{site.url}/?like=1")
    wait_for_search(page)
    liked, disliked = names(page, 12)[8], names(page, 12)[0]

    def judge(name: str, label: str) -> None:
        cell = page.locator(".cell", has=page.get_by_role("link", name=f"Search by {name}"))
        cell.hover()
        cell.get_by_role("button", name=label, exact=True).click()

    judge(liked, "Relevant")
    page.wait_for_url("**/?like=1&liked=*")
    wait_for_search(page)
    until(lambda: names(page, 64).index(liked) < 8)  # it stays, and is nearer
    meant = page.locator(".cell", has=page.locator("[data-act=like][aria-pressed=true]"))
    assert meant.get_by_role("link", name=f"Search by {liked}").count() == meant.count() == 1
    judge(disliked, "Not relevant")
    page.wait_for_url("**/?like=1&liked=*&disliked=*")
    until(lambda: disliked not in names(page, 64))
    assert page.locator("#judged-text").text_content() == "1 relevant, 1 not relevant"
    page.get_by_role("button", name="Clear", exact=True).click()
    page.wait_for_url("**/?like=1")
    until(lambda: disliked in names(page, 64))
    assert meant.count() == 0
    judge(liked, "Relevant")
    meant.wait_for()
    judge(liked, "Relevant")  # said twice, it is taken back
    page.wait_for_url("**/?like=1")
    meant.wait_for(state="detached")


def test_thumbs_are_for_hits_and_for_what_was_searched_by_then(
    site: Site, visitor: Visitor
) -> None:
    page = visitor.visit(site.url)
    page.locator(".cell").first.hover()
    assert page.get_by_role("button", name="More like this").first.is_visible()
    assert page.locator("[data-act=like], [data-act=dislike]").filter(visible=True).count() == 0
    page.goto(f"{site.url}/?like=1&liked=3")
    wait_for_search(page)
    page.locator(".cell").nth(4).hover()
    page.locator(".cell").nth(4).get_by_role("button", name="More like this").click()
    page.wait_for_url(lambda url: url.count("like=") == 2 and "liked" not in url)


def test_no_more_than_eight_examples(site: Site, visitor: Visitor) -> None:
    address = f"{site.url}/?" + "&".join(f"like={number}" for number in range(1, 9))
    page = visitor.visit(address)
    wait_for_search(page)
    page.locator(".cell").first.hover()
    page.locator(".cell").first.get_by_role("button", name="More like this").click()
    page.get_by_text("At most 8 pictures at once.").wait_for()
    assert page.url == address
    page.goto(address.removesuffix("&like=8"))
    wait_for_search(page)
    files = [site.queries / "Fish.jpg", site.queries / "Flower.jpg"]
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Add picture").click()
    chooser.value.set_files(files)
    page.get_by_text("No more than 8 pictures at once: 1 of these are left out.").wait_for()
    page.wait_for_url(f"{address.removesuffix('&like=8')}&like=u*")


def test_one_bad_picture_of_several_is_named_and_left_out(site: Site, visitor: Visitor) -> None:
    visitor.allowed = ["status of 415", "status of 422"]
    page = visitor.visit(site.url)
    bad = {"name": "bad.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"}
    fish = (site.queries / "Fish.jpg").read_bytes()
    good = {"name": "Fish.jpg", "mimeType": "image/jpeg", "buffer": fish}
    page.locator("#file").set_input_files([good, bad])
    page.get_by_text("bad.jpg: ").wait_for()
    assert page.locator(".example.bad").get_by_text("View bad.jpg").count() == 1
    assert page.locator(".example.bad").count() == 1
    page.get_by_role("button", name="Search without it").click()
    wait_for_search(page)
    assert page.locator(".example:not(.add)").count() == 1
    assert names(page, 1)[0].startswith("fish")


def test_a_choice_that_is_given_up_adds_nothing_later(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(f"{site.url}/?like=1")
    wait_for_search(page)
    with page.expect_file_chooser():
        page.get_by_role("button", name="Add picture").click()
    page.locator("#file").dispatch_event("cancel")
    page.locator("#file").set_input_files(site.queries / "Fish.jpg")  # as a drop or a paste comes
    page.wait_for_url(lambda url: "like=u" in url and "like=1" not in url)


def test_a_folder_is_not_taken(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(site.url)
    page.evaluate(
        """() => { const webkitGetAsEntry = () => ({ isDirectory: true });
        const dataTransfer = { types: ["Files"], items: [{ kind: "file", webkitGetAsEntry }] };
        const dropped = new Event("drop", { bubbles: true, cancelable: true });
        document.body.dispatchEvent(Object.assign(dropped, { dataTransfer })); }"""
    )
    page.get_by_text("Drop pictures, not a folder of them.").wait_for()


def test_a_place_is_four_numbers(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(site.url)
    page.get_by_role("button", name="Filter").click()
    page.get_by_label("Place").fill("45.8, 5.9, 47.9, 10.5")
    page.wait_for_url("**/?gps_box=45.8&gps_box=5.9&gps_box=47.9&gps_box=10.5")
    page.get_by_role("heading", name="No picture matches the filter").wait_for()


def test_what_is_no_place_is_said_to_be_none(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(site.url)
    page.get_by_role("button", name="Filter").click()
    page.get_by_label("Place").fill("berlin")
    page.keyboard.press("Enter")
    wrong = page.locator("#filters").get_by_role("alert")
    wrong.get_by_text("Four numbers: south, west, north, east").wait_for()
    assert page.get_by_label("Place").get_attribute("aria-invalid") == "true"
    page.get_by_label("Name").fill("fish")
    page.wait_for_url("**/?name=fish")
    assert page.get_by_label("Place").input_value() == "berlin", "it can be mended"
    page.get_by_label("Place").fill("")
    wrong.wait_for(state="detached")


def test_a_folder_is_known_by_its_name(own_site: Site, visitor: Visitor) -> None:
    visitor.allowed = ["status of 404"]
    page = visitor.visit(own_site.url)
    page.get_by_role("button", name="Filter").click()
    folder = page.get_by_label("Folder", exact=True)
    for text in ("Fish", "drawings/Fish", str(own_site.pictures / "Fish")):
        folder.fill(text)
        page.wait_for_url("**/?folder=drawings%2FFish")
        page.locator("#status", has_text="8 pictures").wait_for()
        folder.fill("")
        page.locator("#status", has_text="16 pictures").wait_for()
    folder.focus()
    offered = page.locator("#folders option").evaluate_all("all => all.map(it => it.value)")
    assert offered[:2] == ["drawings", "drawings/Fish"]
    page.goto(f"{own_site.url}/?folder=elsewhere")
    page.get_by_role("heading", name="Invalid search").wait_for()
    page.get_by_text("known are: drawings.").wait_for()
    page.get_by_role("button", name="Filter").click()
    page.locator("#filters").get_by_text("There is no such folder").wait_for()
    assert page.get_by_role("heading", name="No picture matches the filter").count() == 0


def test_an_upload_lies_in_no_folder(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(f"{site.url}/?like=1&exclude_same_folder=")
    wait_for_search(page)
    page.locator("#file").set_input_files(site.queries / "Fish.jpg")
    page.wait_for_url(lambda url: "like=u" in url and "exclude_same_folder" in url)
    wait_for_search(page)
    until(lambda: "".join(names(page, 1)).startswith("fish"))


def test_copies_are_counted_where_they_are_folded(own_site: Site, visitor: Visitor) -> None:
    one = next(own_site.pictures.rglob("fish 1.*"))
    with Collection.open(own_site.place / "index") as collection:
        for number in (1, 2):
            copy = shutil.copy(one, one.with_stem(f"copy {number}"))
            collection.add(copy)
        query = collection.get(next(own_site.pictures.rglob("fish 2.*"))).id
    page = visitor.visit(f"{own_site.url}/?like={query}&fold=")
    wait_for_search(page)
    page.locator(".cell .name", has_text="+2").wait_for()


def test_words_where_the_model_understands_them(
    site: Site, visitor: Visitor, tmp_path: Path
) -> None:
    page = visitor.visit(site.url)
    assert page.get_by_label("Search by text").is_hidden()
    (tmp_path / "pictures").mkdir()
    for name, colour in (("red", (240, 20, 20)), ("blue", (10, 20, 240)), ("grey", (99, 99, 99))):
        Image.new("RGB", (64, 64), colour).save(tmp_path / "pictures" / f"{name}.png")
    draw(1).save(tmp_path / "pictures" / "else.png")
    model = str(write_pair(tmp_path / "models"))
    with Collection.open(tmp_path / "index", encoder=model, create=True) as collection:
        collection.sync(tmp_path / "pictures")
        collection.add_tags([1, 2], ["flag"])
    with ExitStack() as stack:
        names_of = ("pictures", "others")
        both = tuple((name, str(tmp_path / "index")) for name in names_of)
        url = serve(tmp_path, stack, collections=both).url
        _fits_a_phone(visitor.visit(url, PHONE))
        other = visitor.visit(url)
        other.get_by_label("Search by text").fill("A blue thing")
        other.keyboard.press("Enter")
        wait_for_search(other)
        assert names(other, 1) == ["blue.png"]
        other.locator(".example .said", has_text="A blue thing").wait_for()
        other.reload()
        wait_for_search(other)
        assert names(other, 1) == ["blue.png"]
        other.get_by_role("button", name="Remove “A blue thing”").click()
        other.get_by_role("button", name="Filter").click()
        other.get_by_label("Tags").fill("flag")
        other.wait_for_url("**/?tags=flag")
        other.locator("#status", has_text="2 pictures").wait_for()
    shutil.rmtree(tmp_path / "index")


def _fits_a_phone(page: Page) -> None:
    """All that the bar may have is beside or below one another."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown = page.locator(".bar :is(button, select, input)").filter(visible=True)
    boxes = [box for one in shown.all() if (box := one.bounding_box())]
    assert len(boxes) == 6
    for number, one in enumerate(boxes):
        for other in boxes[:number]:
            beside = (
                one["x"] >= other["x"] + other["width"] or other["x"] >= one["x"] + one["width"]
            )
            below = (
                one["y"] >= other["y"] + other["height"] or other["y"] >= one["y"] + one["height"]
            )
            assert beside or below
