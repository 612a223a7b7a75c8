"""The map in a real Chromium, from a file: found, zoomed, hovered, chosen, by keys too."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import draw, until

from image_similarity_search.cli.map_page.page import write_map
from image_similarity_search.images.thumbnail import thumbnail_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_COUNT = 30_000  # points; that of a page that people make may be several times as much


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("map")
    pictures = [thumbnail_of(draw(seed)) for seed in range(4)]
    rng, out = np.random.default_rng(0), StringIO()
    positions = rng.normal(0.5, 0.12, (_COUNT, 2)).clip(0, 1).astype(np.float32)
    positions[0] = (0.02, 0.02)
    paths = [f"{folder}/photos/{number}.jpg" for number in range(_COUNT)]
    write_map(
        out, np.arange(_COUNT), positions, paths, lambda id_: pictures[id_ % 4], title="A map"
    )
    page = folder / "map.html"
    page.write_text(out.getvalue(), "utf-8")
    return page


@pytest.fixture
def page(browser: Browser, file: Path) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1000, "height": 700}, offline=True)
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("requestfailed", lambda request: problems.append(request.url))
    opened.goto(file.as_uri())
    opened.wait_for_function("document.getElementById('map').dataset.tile !== undefined")
    yield opened
    context.close()
    assert problems == []


def at(page: Page, point: int) -> tuple[float, float]:
    """Where a point of this name is on the screen."""
    x, y = page.evaluate(
        """name => { const at = data.names.indexOf(name);
        const [x, y] = positions.slice(2 * at, 2 * at + 2);
        return [(x - view.x) * view.scale, (y - view.y) * view.scale]; }""",
        f"{point}.jpg",
    )
    return x, y


def test_points_become_pictures(page: Page) -> None:
    assert page.locator("#map").get_attribute("data-tile") == "0"
    page.mouse.move(500, 350)
    for _ in range(12):
        page.mouse.wheel(0, -120)
    until(lambda: float(page.locator("#map").get_attribute("data-tile") or 0) > 16)
    painted = "Array.from(pen.getImageData(0, 0, 1000, 700).data).some((value) => value > 0)"
    until(lambda: page.evaluate(painted) is True)
    page.get_by_role("button", name="Show all").click()
    until(lambda: page.locator("#map").get_attribute("data-tile") == "0")


def test_a_picture_is_hovered_and_chosen(page: Page) -> None:
    x, y = at(page, 0)
    page.mouse.move(x, y)
    page.locator("#hover", has_text="0.jpg").wait_for()
    page.mouse.click(x, y)
    chosen = page.locator("#chosen")
    chosen.get_by_role("heading", name="0.jpg", exact=True).wait_for()
    assert chosen.locator(".path").inner_text().endswith("/photos")
    link = chosen.get_by_role("link", name="Open the file").get_attribute("href")
    assert link is not None
    assert link.startswith("file:///")
    assert link.endswith("/photos/0.jpg")
    page.get_by_role("button", name="Close").click()
    chosen.wait_for(state="hidden")


def test_it_is_dragged_and_moved_by_the_keys(page: Page) -> None:
    x, y = at(page, 0)
    page.mouse.move(300, 300)
    page.mouse.down()
    page.mouse.move(360, 340, steps=3)
    page.mouse.up()
    assert at(page, 0) == pytest.approx((x + 60, y + 40), abs=1)
    assert page.locator("#chosen").is_hidden(), "it was dragged, not clicked"
    page.locator("#map").focus()
    page.keyboard.press("ArrowRight")
    assert at(page, 0) == pytest.approx((x - 20, y + 40), abs=1)
    page.keyboard.press("+")
    page.keyboard.press("Enter")
    page.locator("#chosen h2").wait_for()
    page.keyboard.press("Escape")
    page.locator("#chosen").wait_for(state="hidden")
    page.keyboard.press("0")
    assert at(page, 0) == pytest.approx((x, y), abs=1)


_PAINTED = """() => { const canvas = document.getElementById("points");
  const gl = canvas.getContext("webgl"), { width, height } = canvas;
  let pixels = new Uint8Array(4 * width * height);
  draw();
  if (gl) gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  else pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const alphas = pixels.filter((_, at) => at % 4 === 3);
  return [Boolean(gl), alphas.filter((alpha) => alpha > 0).length]; }"""


@pytest.mark.parametrize("quick", [True, False])
def test_points_are_painted_by_webgl_and_without(browser: Browser, file: Path, quick: bool) -> None:
    """Chromium has one by software here, which the page does without unless it can't tell."""
    context = browser.new_context(viewport={"width": 1000, "height": 700})
    opened = context.new_page()
    if quick:
        opened.add_init_script("WebGLRenderingContext.prototype.getExtension = () => null")
    opened.goto(file.as_uri())
    opened.wait_for_function("document.getElementById('map').dataset.tile !== undefined")
    by_webgl, painted = opened.evaluate(_PAINTED)
    assert by_webgl == quick
    assert painted > 10_000
    context.close()
