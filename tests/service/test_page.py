"""The page: complete, on its own, and with nothing in it that its policy forbids."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from running import Starter, make_collection

from image_similarity_search.service.page import STATIC

_FILES = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.*"))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    place = tmp_path_factory.mktemp("page")
    make_collection(place, 2)
    with ExitStack() as stack:
        yield Starter(place, stack)(keys=("a long enough secret",))


def test_it_is_served_to_all_and_holds_no_data(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert client.get("/v1/collections").status_code == 401


@pytest.mark.parametrize("name", _FILES)
def test_every_file_is_served_as_what_it_is(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/static/{name}")
    kinds = {"js": "text/javascript", "css": "text/css", "html": "text/html"}
    kinds |= {"svg": "image/svg+xml", "webmanifest": "application/manifest+json"}
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == kinds[name.rsplit(".", 1)[1]]
    assert answer.content == (STATIC / name).read_bytes()
    again = client.get(f"/static/{name}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["nothing.js", "..%2fpage.py", "%2e%2e/page.py", ""])
def test_nothing_else_is_served(client: httpx.Client, path: str) -> None:
    assert client.get(f"/static/{path}").status_code == 404


def test_what_it_refers_to_is_there_and_nowhere_else() -> None:
    for name in _FILES:
        text = (STATIC / name).read_text("utf-8")
        for target in re.findall(r'(?:src|href)="(/static/[^"]+)"|"src": "(/static/[^"]+)"', text):
            path = next(filter(None, target)).removeprefix("/static/")
            assert (STATIC / path).is_file(), (name, path)
        for module in re.findall(r'from "\./([^"]+)"', text):
            assert (STATIC / "js" / module).is_file(), (name, module)
        elsewhere = set(re.findall(r"https?://[^\s\"'`]+", text)) - {"http://www.w3.org/2000/svg"}
        assert not elsewhere, name


def test_nothing_is_inline() -> None:
    page = (STATIC / "index.html").read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))


def test_every_icon_and_element_that_is_named_exists() -> None:
    page = (STATIC / "index.html").read_text("utf-8")
    there = set(re.findall(r'id="([\w-]+)"', page))
    text = "".join(path.read_text("utf-8") for path in Path(STATIC / "js").glob("*.js"))
    icons = set(re.findall(r'href="#(i-[\w-]+)"', page))
    icons |= {f"i-{name}" for name in re.findall(r'icon\("([\w-]+)"\)', text)}
    wanted = set(re.findall(r'byId\("([\w-]+)"\)', text)) | icons
    wanted |= set(re.findall(r'aria-(?:controls|labelledby)="([\w-]+)"|\sfor="([\w-]+)"', page)[0])
    assert wanted - there - {""} == set()
