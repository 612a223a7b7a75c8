"""A real Chromium on a real server; ``make test-browser`` installs what is needed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from image_similarity_search.cli.demo.drawings import drawings
from image_similarity_search.cli.demo.picture_set import write_missing
from image_similarity_search.collection import Collection

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("ISS_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = (1280, 800)
PHONE = (390, 844)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these are for ``make test-browser``."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@dataclass(frozen=True, slots=True)
class Site:
    """A server, and the folders of what it shows."""

    url: str
    place: Path

    @property
    def queries(self) -> Path:
        """Pictures that are not in the collection."""
        return self.place / "queries"

    @property
    def pictures(self) -> Path:
        """Those that are."""
        return self.place / "drawings"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not os.path.exists(CHROMIUM):
        missing = f"there is no {CHROMIUM}: set ISS_CHROMIUM"
        pytest.fail(missing) if os.environ.get("ISS_BROWSER_NEEDED") else pytest.skip(missing)
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


def furnish(place: Path) -> None:
    """The demo's drawings, their index, and pictures to search by."""
    made = drawings()
    write_missing(str(place / "drawings"), made.pictures)
    write_missing(str(place / "queries"), made.queries)
    with Collection.open(place / "index", create=True) as collection:
        collection.sync(place / "drawings")


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    furnish(place)
    return place


@pytest.fixture(scope="session")
def site(furnished: Path) -> Iterator[Site]:
    """A server that no test changes."""
    with ExitStack() as stack:
        yield serve(furnished, stack)


@pytest.fixture
def own_site(furnished: Path, tmp_path: Path) -> Iterator[Site]:
    """A server of the test's own, to be changed; its pictures lie at a path of their own."""
    place = tmp_path / "own"
    place.mkdir()
    shutil.copytree(furnished / "drawings", place / "drawings")
    shutil.copytree(furnished / "queries", place / "queries")
    with Collection.open(place / "index", create=True) as collection:
        collection.sync(place / "drawings", include=["*fish*", "*flower*"])
    with ExitStack() as stack:
        yield serve(place, stack)


def serve(place: Path, stack: ExitStack, **changes: object) -> Site:
    """Serve the index in ``place`` until the end of ``stack``."""
    from running import running

    from image_similarity_search.service.settings import Settings

    state = place / f"state{len(list(place.glob('state*')))}"
    state.mkdir()
    settings = Settings((("pictures", str(place / "index")),), str(state))
    url = stack.enter_context(running(replace(settings, **changes)))  # type: ignore[arg-type]  # of any field
    return Site(url, place)


class Visitor:
    """Opens pages as people do; whatever a page complains of, the test fails."""

    def __init__(self, browser: Browser, stack: ExitStack) -> None:
        self._browser = browser
        self._stack = stack
        self.complaints: list[str] = []
        self.allowed: list[str] = []

    def visit(
        self,
        url: str,
        size: tuple[int, int] = DESKTOP,
        *,
        scheme: str = "light",
        ready: bool = True,
    ) -> Page:
        """A page of a browser that nobody has used before; ``ready`` when pictures are shown."""
        options: dict[str, Any] = {
            "viewport": {"width": size[0], "height": size[1]},
            "color_scheme": scheme,
            "has_touch": size == PHONE,
            "is_mobile": size == PHONE,
            "reduced_motion": "reduce",
        }
        context = self._browser.new_context(**options)
        self._stack.callback(context.close)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                self.complaints.append(message.text)
                if message.type in ("error", "warning")
                else None
            ),
        )
        page.goto(url)
        if ready:
            page.locator("#pictures[aria-busy=false]").wait_for(state="attached")
        return page

    def check(self) -> None:
        """Nothing was complained of, but for what the test allows."""
        left = [text for text in self.complaints if not any(it in text for it in self.allowed)]
        assert left == []


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    with ExitStack() as stack:
        made = Visitor(browser, stack)
        yield made
        made.check()
