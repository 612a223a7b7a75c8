"""What the page shows when something goes on, is empty or goes wrong."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from conftest import draw, until

from browser.conftest import serve
from browser.looks import names, wait_for_search
from image_similarity_search.collection import Collection

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from browser.conftest import Site, Visitor


def test_an_update_is_watched_live(own_site: Site, visitor: Visitor) -> None:
    page = visitor.visit(own_site.url)
    page.locator("#status", has_text="16 pictures").wait_for()
    seen: list[str] = []
    page.expose_function("tell", lambda text: seen.append(text))
    page.evaluate(
        "new MutationObserver(() => tell(document.getElementById('job-text').textContent))"
        ".observe(document.getElementById('job-text'), { childList: true })"
    )
    page.get_by_role("button", name="Update").click()
    page.get_by_role("status").get_by_text("Up to date: 48 new").wait_for(timeout=90_000)
    page.locator("#status", has_text="64 pictures").wait_for()
    assert any(text.startswith("Indexing ") for text in seen)
    assert page.get_by_role("button", name="Update").is_enabled()
    assert page.locator("#job").is_hidden()
    (own_site.pictures / "Fish" / "fish 1.jpg").unlink()
    page.get_by_role("button", name="Update").click()
    page.get_by_text("Up to date: 1 removed").wait_for(timeout=90_000)
    page.locator("#status", has_text="63 pictures").wait_for()


def add_many(folder: Path) -> None:
    """So many pictures that to index them takes a while."""
    draw(1, (2400, 1800)).save(folder / "0.jpg")
    data = (folder / "0.jpg").read_bytes()
    for number in range(1, 300):  # the same picture, in files that differ
        (folder / f"{number}.jpg").write_bytes(data + b"%d" % number)


def test_an_update_is_stopped_and_seen_by_others(own_site: Site, visitor: Visitor) -> None:
    add_many(own_site.pictures)
    page = visitor.visit(own_site.url)
    page.get_by_role("button", name="Update").click()
    page.locator("#job-text", has_text="Indexing").wait_for(timeout=90_000)
    other = visitor.visit(own_site.url)
    other.locator("#job-text", has_text="Indexing").wait_for(timeout=90_000)
    other.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped. Finished work is kept").wait_for(timeout=90_000)
    other.get_by_text("Stopped. Finished work is kept").wait_for()


def test_the_work_of_others_is_no_update_of_this(
    furnished: Path, tmp_path: Path, visitor: Visitor
) -> None:
    """Neither the update of another collection, nor another kind of work on this one."""
    (tmp_path / "many").mkdir()
    add_many(tmp_path / "many")
    with Collection.open(tmp_path / "index", create=True) as collection:
        collection.sync(tmp_path / "many", include=["0.jpg"])
    both = (("few", str(furnished / "index")), ("many", str(tmp_path / "index")))
    with ExitStack() as stack:
        url = serve(furnished, stack, collections=both).url
        page = visitor.visit(url)
        job = page.request.post(f"{url}/v1/collections/many/sync", data={}).json()

        def looking_for_duplicates(route: Route) -> None:
            jobs = [{**job, "kind": "duplicates", "collection": "few"}, job]
            route.fulfill(json={"jobs": jobs})

        page.route("**/v1/jobs", looking_for_duplicates)
        with page.expect_response("**/v1/jobs"):
            page.reload()
        page.locator("#status", has_text="64 pictures").wait_for()
        assert page.locator("#job").is_hidden()
        assert page.get_by_role("button", name="Update").is_enabled()
        page.get_by_label("Collection").select_option("many")
        page.locator("#job-text", has_text="Indexing").wait_for(timeout=90_000)
        page.get_by_label("Collection").select_option("few")
        page.locator("#job").wait_for(state="hidden")
        assert page.get_by_role("button", name="Update").is_enabled()
        page.get_by_label("Collection").select_option("many")
        page.get_by_role("button", name="Stop").click()
        page.get_by_text("Stopped. Finished work is kept").wait_for(timeout=90_000)


def test_no_larger_picture_is_taken_than_the_server_takes(
    furnished: Path, tmp_path: Path, visitor: Visitor
) -> None:
    from image_similarity_search.service.settings import Limits

    draw(1).save(tmp_path / "small.bmp")
    size = (tmp_path / "small.bmp").stat().st_size
    draw(1, (97, 72)).save(tmp_path / "large.bmp")
    with ExitStack() as stack:
        site = serve(furnished, stack, limits=Limits(upload_bytes=size))
        page = visitor.visit(site.url)
        page.locator("#file").set_input_files(tmp_path / "large.bmp")
        page.get_by_text("too large: the limit is 21 kB").wait_for()
        given = [tmp_path / "large.bmp", tmp_path / "small.bmp", Path(__file__)]
        page.locator("#file").set_input_files(given)
        page.get_by_text("large.bmp is too large: the limit is 21 kB").wait_for()
        page.get_by_text("Not a picture: test_states.py.").wait_for()
        wait_for_search(page)
        page.locator("#file").set_input_files(tmp_path / "small.bmp")
        wait_for_search(page)


def test_a_picture_that_can_not_be_had_is_said_to_be_so_wherever_it_is_shown(
    own_site: Site, visitor: Visitor
) -> None:
    """As an example, and large on both sides: no broken picture."""
    visitor.allowed = ["status of 404"]
    with Collection.open(own_site.place / "index") as collection:
        collection.keep_thumbnails(False)
        one, two, *_ = (record for record in collection)
    Path(one.path).unlink()
    Path(two.path).unlink()
    page = visitor.visit(f"{own_site.url}/?like={one.id}&view={two.id}")
    dialog = page.get_by_role("dialog")
    until(lambda: dialog.get_by_text("Not available").count() == 2)
    assert dialog.locator("img").filter(visible=True).count() == 0
    assert not page.get_by_text("No browser shows this format").is_visible()
    page.keyboard.press("Escape")
    page.locator(".example").get_by_text("Not available").wait_for()
    assert page.locator(".example img").count() == 0
    page.goto(f"{own_site.url}/?like={one.id}&view={two.id + 1}")  # one that is there
    until(lambda: dialog.locator("#viewer-image").evaluate("it => it.naturalWidth") > 0)
    assert dialog.locator("#side-hit").get_by_text("Not available").count() == 0


def test_of_a_file_that_is_gone_its_small_picture_is_shown_and_that_it_is_gone(
    own_site: Site, visitor: Visitor
) -> None:
    visitor.allowed = ["status of 404"]
    with Collection.open(own_site.place / "index") as collection:
        record, other, *_ = collection
    Path(record.path).unlink()
    page = visitor.visit(f"{own_site.url}/?view={record.id}")
    dialog = page.get_by_role("dialog")
    said = dialog.locator("#viewer-why", has_text="Its file is not there any more")
    said.wait_for()
    assert dialog.locator("#viewer-image").is_visible()
    assert dialog.get_by_role("link", name="Open").is_hidden()
    assert dialog.get_by_role("link", name="Download").is_hidden()
    page.keyboard.press("ArrowRight")
    dialog.get_by_role("heading", name=Path(other.path).name).wait_for()
    assert said.count() == 0
    assert dialog.get_by_role("link", name="Open").is_visible()


def test_a_file_that_is_gone_has_its_place(own_site: Site, visitor: Visitor) -> None:
    visitor.allowed = ["status of 404"]
    shutil.rmtree(own_site.pictures / "Fish")
    (own_site.place / "index" / "thumbnails.sqlite").unlink()
    page = visitor.visit(own_site.url)
    until(lambda: page.get_by_text("Not available").count() == 8)


def test_one_that_is_not_there_at_first_is_asked_for_again(site: Site, visitor: Visitor) -> None:
    visitor.allowed = ["status of 429"]
    page = visitor.visit("about:blank", ready=False)
    asked: list[str] = []

    def refuse_once(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=429) if len(asked) == 1 else route.continue_()

    page.route("**/images/1/thumbnail", refuse_once)
    page.goto(site.url)
    page.get_by_text("Not available").wait_for()
    page.get_by_text("Not available").wait_for(state="detached")
    assert len(asked) == 2


def test_an_update_leaves_one_where_one_was(own_site: Site, visitor: Visitor) -> None:
    page = visitor.visit(own_site.url, (700, 500))
    page.locator(".cell > a").last.focus()
    focused = names(page, 16)[-1]
    before = page.evaluate("scrollY")
    assert before > 0
    draw(1).save(own_site.pictures / "new.jpg")
    page.get_by_role("button", name="Update").evaluate("button => button.click()")
    page.locator("#status", has_text="65 pictures").wait_for(timeout=90_000)
    page.locator("#job").wait_for(state="hidden")  # which is above the pictures
    until(lambda: page.evaluate("scrollY") == before)
    label = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert label == f"Search by {focused}"


def test_an_empty_collection(tmp_path: Path, visitor: Visitor) -> None:
    Collection.open(tmp_path / "index", encoder="colour-texture", create=True).close()
    with ExitStack() as stack:
        page = visitor.visit(serve(tmp_path, stack).url)
        page.get_by_role("heading", name="No pictures yet").wait_for()
        assert page.get_by_text("iss index ~/Pictures").is_visible()
        assert page.get_by_text("pick one below").is_hidden()
        (tmp_path / "pictures").mkdir()
        draw(1).save(tmp_path / "pictures" / "new.jpg")
        with Collection.open(tmp_path / "index") as collection:
            collection.sync(tmp_path / "pictures")
        page.locator("#status", has_text="1 picture").wait_for(timeout=10_000)
        assert page.get_by_text("pick one below").is_visible()


def test_the_server_goes_and_comes_back(furnished: Path, visitor: Visitor) -> None:
    visitor.allowed = ["ERR_", "Failed to load"]
    with ExitStack() as stack:
        site = serve(furnished, stack)
        page = visitor.visit(site.url)
        page.context.set_offline(True)
        page.locator(".cell > a").first.click()
        page.get_by_text("The server can't be reached").wait_for()
        page.context.set_offline(False)
        page.get_by_text("The server can't be reached").wait_for(state="hidden")
        wait_for_search(page)


def test_a_key_is_asked_for(furnished: Path, visitor: Visitor) -> None:
    visitor.allowed = ["status of 401"]
    with ExitStack() as stack:
        site = serve(furnished, stack, keys=("open sesame, please",))
        page = visitor.visit(site.url, ready=False)
        page.get_by_role("textbox", name="Access key").fill("wrong")
        page.get_by_role("button", name="Continue").click()
        page.get_by_text("Wrong key.").wait_for()
        page.get_by_role("textbox", name="Access key").fill("open sesame, please")
        page.get_by_role("button", name="Continue").click()
        page.locator("#status", has_text="64 pictures").wait_for()
        until(lambda: page.locator(".cell img.there").count() > 10)  # these come by the cookie


def test_what_can_only_be_read(furnished: Path, visitor: Visitor) -> None:
    with ExitStack() as stack:
        page = visitor.visit(serve(furnished, stack, read_only=True).url)
        page.locator("#status", has_text="64 pictures").wait_for()
        assert page.get_by_role("button", name="Update").count() == 0


def test_colours_are_chosen_and_kept(site: Site, visitor: Visitor) -> None:
    page = visitor.visit(site.url, scheme="dark")

    def background() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    dark = background()
    page.get_by_role("button", name="Theme: system").click()
    light = background()
    assert light != dark
    page.reload()
    assert background() == light
    page.get_by_role("button", name="Theme: light").click()
    assert background() == dark
    page.get_by_role("button", name="Theme: dark").click()
    page.get_by_role("button", name="Theme: system").wait_for()


def test_two_collections(furnished: Path, tmp_path: Path, visitor: Visitor) -> None:
    from dataclasses import replace

    from running import running

    from image_similarity_search.service.settings import Settings

    shutil.copytree(furnished / "queries", tmp_path / "few")
    with Collection.open(tmp_path / "index", create=True) as collection:
        collection.sync(tmp_path / "few")
    both = (("many", str(furnished / "index")), ("few", str(tmp_path / "index")))
    (tmp_path / "state").mkdir()
    with running(replace(Settings(both, str(tmp_path / "state")))) as url:
        page = visitor.visit(url)
        page.locator("#status", has_text="64 pictures").wait_for()
        page.get_by_label("Collection").select_option("few")
        page.locator("#status", has_text="3 pictures").wait_for()
        assert page.url.endswith("/?c=few")
        page.get_by_role("link", name="Search by Fish.jpg").click()
        wait_for_search(page)
        assert sorted(names(page)) == ["Flower.jpg", "Sailing boat.jpg"]
        page.reload()
        wait_for_search(page)
        assert page.get_by_label("Collection").input_value() == "few"
        page.goto(f"{url}/?c=former&like=1")
        page.get_by_text("There is no collection former.").wait_for()
        page.locator("#status", has_text="64 pictures").wait_for()


def test_the_answer_of_a_page_cannot_be_run(site: Site, visitor: Visitor) -> None:
    """The policy holds in a real browser: nothing inline, nothing from elsewhere."""
    visitor.allowed = ["Content Security Policy"]
    page = visitor.visit(site.url)
    page.evaluate(
        "() => { const script = document.createElement('script'); script.textContent ="
        " 'document.title = \"run\"'; document.body.append(script); }"
    )
    assert page.title() != "run"
    assert visitor.complaints


def test_a_collection_that_is_gone_is_said(visitor: Visitor, own_site: Site) -> None:
    visitor.allowed += ["503"]
    page = visitor.visit(own_site.url)
    (own_site.place / "index").rename(own_site.place / "unplugged")
    page.locator(".cell > a").first.click()
    gone = page.get_by_role("heading", name="The collection no longer exists: pictures")
    gone.wait_for(timeout=8_000)
    page.reload()
    page.get_by_text("Its index folder is missing; it will be opened when that is back.").wait_for()
    with page.expect_response("**/v1/collections/pictures/search") as answered:
        page.locator("#file").set_input_files(own_site.queries / "Fish.jpg")
    assert answered.value.status == 503
    gone.wait_for()
    (own_site.place / "unplugged").rename(own_site.place / "index")
    wait_for_search(page)  # by the picture that was dropped: nothing is loaded anew
    page.get_by_role("button", name="Update").wait_for()


def test_one_of_two_collections_is_gone(visitor: Visitor, own_site: Site) -> None:
    visitor.allowed += ["503"]
    places = tuple((name, str(own_site.place / name)) for name in ("others", "index"))
    with ExitStack() as stack:
        page = visitor.visit(serve(own_site.place, stack, collections=places).url)
        page.locator(".cell").first.wait_for()
        page.get_by_label("Collection").select_option("others")
        page.get_by_role("heading", name="The collection no longer exists: others").wait_for()
        page.reload()
        page.get_by_role("heading", name="The collection no longer exists: others").wait_for()
        page.get_by_label("Collection").select_option("index")
        page.locator(".cell").first.wait_for()


def test_a_damaged_collection_is_not_said_to_be_gone(visitor: Visitor, own_site: Site) -> None:
    visitor.allowed += ["500"]
    shutil.copytree(own_site.place / "index", own_site.place / "copy")
    (own_site.place / "copy" / "catalog.sqlite").write_bytes(b"no database" * 1000)
    (own_site.place / "index").rename(own_site.place / "before")
    (own_site.place / "copy").rename(own_site.place / "index")
    page = visitor.visit(own_site.url)
    page.get_by_role("heading", name="The collection is damaged: pictures").wait_for()
    page.get_by_text("See the log of the server.").wait_for()
