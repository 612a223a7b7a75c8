"""Looking at one picture: beside the other, a region of it, and taking it away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from camera_files import exif
from conftest import draw, until

from browser.looks import is_on_top, names, wait_for_search
from image_similarity_search.collection import Collection

if TYPE_CHECKING:
    from browser.conftest import Site, Visitor


def test_side_by_side(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(f"{site.url}/?like=1")
    wait_for_search(page)
    first, second = names(page, 2)
    page.locator(".cell").first.hover()
    page.locator(".cell").first.get_by_role("button", name="View").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("heading", name=first).wait_for()
    assert dialog.get_by_text("1 of 63").is_visible()
    boxes = [dialog.locator(name).bounding_box() for name in ("#query-image", "#viewer-image")]
    assert boxes[0]
    assert boxes[1]
    assert boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"]
    dialog.get_by_role("button", name="Next picture").click()
    dialog.get_by_role("heading", name=second).wait_for()
    page.keyboard.press("ArrowLeft")
    dialog.get_by_role("heading", name=first).wait_for()
    assert dialog.get_by_role("button", name="Previous picture").is_hidden()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    page.wait_for_url(lambda url: "view=" not in url)  # by the browser's history, a moment later
    length = page.evaluate("history.length")
    page.locator(".cell a").first.click()
    page.wait_for_url(lambda url: "like=1" not in url)
    page.go_back()
    page.wait_for_url("**/?like=1")
    page.go_back()
    assert page.evaluate("location.href") == "about:blank", "a look leaves nothing behind"
    assert length == page.evaluate("history.length")


@pytest.mark.parametrize("size", [(640, 400), (844, 390), (1280, 500)])
def test_pictures_are_large_where_there_is_little_height(
    site: Site, visitor: Visitor, size: tuple[int, int]
) -> None:
    """A page at 200 %, a phone on its side: what can be done with them is scrolled to."""
    page = visitor.visit(f"{site.url}/?like=1&view=2", size)
    dialog = page.get_by_role("dialog")
    for name in ("#query-image", "#viewer-image"):
        until(lambda name=name: dialog.locator(name).evaluate("it => it.naturalWidth") > 0)  # type: ignore[misc]
        box = dialog.locator(name).bounding_box()
        assert box
        assert box["height"] > size[1] / 2
        assert box["y"] + box["height"] < size[1]
    download = dialog.get_by_role("link", name="Download")
    download.scroll_into_view_if_needed()
    assert is_on_top(download)


def test_why_they_are_alike(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(f"{site.url}/?like=1&view=2")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Why").click()
    dialog.locator("#viewer-why", has_text="Bright: without it they are less").wait_for()
    for picture in ("#query-image", "#viewer-image"):
        image, heat = (dialog.locator(name) for name in (picture, f"{picture} ~ .heat"))
        assert heat.bounding_box() == image.bounding_box()
        shades = heat.evaluate(_ALPHAS)
        assert min(shades) < 60, "somewhere it is as bright as it was"
        assert max(shades) > 120, "and dark elsewhere"
    with page.expect_response("**/explanation?query=1"):
        dialog.get_by_role("button", name="Next picture").click()
    dialog.locator("#viewer-why", has_text="Bright: without it they are less").wait_for()
    dialog.get_by_role("button", name="Why").click()
    assert dialog.locator(".heat:visible").count() == 0


_ALPHAS = """canvas => Array.from(canvas.getContext("2d")
  .getImageData(0, 0, canvas.width, canvas.height).data).filter((_, at) => at % 4 === 3)"""


def test_why_an_upload_is_alike(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(site.url)
    page.locator("#file").set_input_files(site.queries / "Flower.jpg")
    wait_for_search(page)
    page.locator(".cell").first.hover()
    page.locator(".cell").first.get_by_role("button", name="View").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Why").click()
    dialog.locator("#viewer-why", has_text="Bright: without it they are less").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="View Flower.jpg").click()
    assert dialog.get_by_role("button", name="Why").is_hidden(), "there is nothing beside it"


def test_an_address_of_one_picture(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(f"{site.url}/?view=5")
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    assert dialog.get_by_text("pixels").is_visible()
    assert dialog.locator("#side-query").is_hidden()
    page.go_back()  # to the empty page before it


def test_a_region_is_dragged(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(f"{site.url}/?view=5")
    dialog = page.get_by_role("dialog")
    image = dialog.locator("#viewer-image")
    until(lambda: image.evaluate("image => image.naturalWidth") > 0)
    dialog.get_by_role("button", name="Region").click()
    until(lambda: dialog.locator("#mask").bounding_box() == image.bounding_box())
    box = image.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + box["height"] * 0.1)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.3)
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.5)
    page.mouse.up()
    dialog.get_by_role("button", name="Search by this region").click()
    wait_for_search(page)
    page.wait_for_url("**/?like=5~*")
    x, y, w, h = map(float, page.url.split("~")[1].split(","))
    assert (round(x, 1), round(y, 1), round(w, 1), round(h, 1)) == (0.1, 0.1, 0.5, 0.4)
    assert page.locator(".example svg.part rect").count() == 1


def test_a_region_by_the_keys_and_of_an_upload(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(site.url)
    page.locator("#file").set_input_files(site.queries / "Flower.jpg")
    wait_for_search(page)
    whole = names(page, 20)
    page.get_by_role("button", name="View Flower.jpg").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Region").click()
    for _ in range(8):
        page.keyboard.press("Shift+ArrowLeft")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")  # gives up the region alone
    assert dialog.is_visible()
    assert dialog.get_by_role("application").is_hidden()
    assert page.evaluate("document.activeElement.dataset.act") == "region"
    dialog.get_by_role("button", name="Region").click()
    for _ in range(8):
        page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Enter")
    dialog.wait_for(state="hidden")
    wait_for_search(page)
    assert page.locator(".example svg.part rect").count() == 1
    assert names(page, 20) != whole


def test_what_browsers_show_not_or_sideways_is_shown_as_a_preview(
    own_site: Site, visitor: Visitor
) -> None:
    says = exif(taken="2023:06:01 12:05:00")
    says[0x0112] = 6
    draw(1, (1600, 1200)).save(own_site.pictures / "scan.tif")
    draw(2, (60, 40)).save(own_site.pictures / "turned.webp", exif=says)
    draw(3, (900, 90)).save(own_site.pictures / "wide.png")
    with Collection.open(own_site.place / "index") as collection:
        names = ("scan.tif", "turned.webp", "wide.png")
        scan, turned, wide = collection.add(*(own_site.pictures / name for name in names))
    page = visitor.visit(f"{own_site.url}/?view={scan.id}")
    dialog = page.get_by_role("dialog")
    image = dialog.locator("#viewer-image")
    dialog.get_by_text("A preview of 1,440 × 1,080 pixels").wait_for()  # noqa: RUF001 - as it is said
    assert image.evaluate(_SIZE) == [1440, 1080]
    assert dialog.get_by_role("link", name="Download").is_visible()
    page.goto(f"{own_site.url}/?like={wide.id}&view={turned.id}")
    until(lambda: image.evaluate(_SIZE) == [40, 60])
    dialog.get_by_text("taken Jun 1, 2023, 12:05 · Canon EOS 5D · file modified ").wait_for()
    page.keyboard.press("Escape")
    page.locator(".example img.whole").wait_for()
    page.locator(".cell img.there").first.wait_for()
    assert page.locator(".cell img.whole").count() == 0, "the others fill their squares"


_SIZE = "image => [image.naturalWidth, image.naturalHeight]"


def test_path_file_and_download(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(f"{site.url}/?view=5")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    dialog = page.get_by_role("dialog")
    path = dialog.locator("#viewer-path").inner_text()
    assert path.startswith("drawings/")
    dialog.get_by_role("button", name="Copy path").click()
    copied = dialog.get_by_role("status").get_by_text("Path copied")
    copied.wait_for()
    assert is_on_top(copied)
    assert page.evaluate("navigator.clipboard.readText()") == str(site.place / path)
    page.route("**/images/5/path", lambda route: route.fulfill(json={"path": None}))  # elsewhere
    dialog.get_by_role("button", name="Copy path").click()
    dialog.get_by_text(f"Path copied: {path}", exact=True).wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == path
    with page.expect_download() as download:
        dialog.get_by_role("link", name="Download").click()
    on_disk = site.place / path
    assert download.value.suggested_filename == on_disk.name
    assert download.value.path().read_bytes() == on_disk.read_bytes()
    with page.context.expect_page() as opened:
        dialog.get_by_role("link", name="Open").click()
    assert opened.value.url.endswith("/images/5/file")


def test_a_file_is_dragged_over_it(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(f"{site.url}/?view=5")
    page.get_by_role("dialog").wait_for()
    given = page.evaluate_handle(
        """() => { const given = new DataTransfer();
        given.items.add(new File(["x"], "a.jpg", { type: "image/jpeg" })); return given; }"""
    )
    page.locator("#stage").dispatch_event("dragenter", {"dataTransfer": given})
    assert is_on_top(page.locator("#drop"))
    page.locator("#stage").dispatch_event("dragleave", {"dataTransfer": given})
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    page.locator("#file").set_input_files(
        {"name": "a.txt", "mimeType": "text/plain", "buffer": b"no picture"}
    )
    said = page.get_by_text("That is not a picture.")
    said.wait_for()
    assert is_on_top(said)


def test_more_and_less_from_there(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(f"{site.url}/?like=1&view=9")
    page.get_by_role("dialog").get_by_role("button", name="Less like this").click()
    page.wait_for_url("**/?like=1&less=9")
    wait_for_search(page)
    assert page.get_by_role("dialog").is_hidden()
    page.goto(f"{site.url}/?like=1&view=9")
    page.get_by_role("dialog").get_by_role("button", name="Search by this").click()
    page.wait_for_url("**/?like=9")
