"""Pages and pictures that commands write: what they replace, and what they never do."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from command_line import Iss, lines

from image_similarity_search.cli import exits, targets
from image_similarity_search.cli.targets import written


@pytest.fixture
def indexed(index_data: Path) -> Iss:
    """An ``iss`` in a folder where the photos are indexed without a neural network."""
    return Iss(index_data.parent)


WRITING = [
    ("search", "--id", "1", "--html"),
    ("explain", "id:1", "id:2", "--html"),
    ("explain", "id:1", "id:2", "--to"),
    ("duplicates", "--level", "similar", "--score", "0.5", "--html"),
    ("clusters", "--html"),
    ("outliers", "--html"),
    ("map", "--html"),
    ("evaluate", "--truth", "folders", "--html"),
    ("evaluate", "--truth", "folders", "--table"),
]


@pytest.mark.parametrize("command", WRITING, ids=lambda command: f"{command[0]} {command[-1]}")
def test_no_file_is_destroyed(indexed: Iss, photos: Path, command: tuple[str, ...]) -> None:
    image, catalog, other = photos / "picture 0.jpg", "index_data/faiss.index", "other.jpg"
    if command[-1] == "--to":
        catalog = "index_data/why.png"
    (indexed.folder / other).write_bytes(image.read_bytes())
    before = {path: path.read_bytes() for path in indexed.folder.rglob("*.*") if path.is_file()}
    for target, force, why in (
        (image, (), "it is an image of the collection"),
        (image, ("--force",), "it is an image of the collection"),
        (catalog, ("--force",), "in the index folder"),
        (other, (), "use --force to overwrite it"),
        ("nowhere/page.png", (), "nowhere does not exist"),
        (".", (), "expected a file name" if command[-1] == "--to" else "it is a folder"),
    ):
        wrong = exits.USAGE if "expected" in why else exits.BAD_IMAGE
        done = indexed(*command, target, *force, status=wrong)
        assert why in done.err
        assert not done.out
    assert before == {
        path: path.read_bytes() for path in indexed.folder.rglob("*.*") if path.is_file()
    }
    with sqlite3.connect(indexed.folder / "index_data/catalog.sqlite") as kept:
        assert kept.execute("PRAGMA quick_check").fetchone() == ("ok",)


def test_what_is_replaced(indexed: Iss) -> None:
    page, why = indexed.folder / "page.html", indexed.folder / "why.png"
    page.touch()
    for _ in range(2):  # an empty file, then a page of ours
        indexed("clusters", "--html", page)
    assert page.read_bytes().startswith(b"<!doctype html>")
    page.write_text("<!doctype html>\n<title>My own</title>")
    indexed("clusters", "--html", page, status=exits.BAD_IMAGE)
    indexed("clusters", "--html", page, "--force")
    assert "Clusters" in page.read_text("utf-8")
    drawn = ("explain", "id:1", "id:2", "--to", why)
    indexed(*drawn)
    assert "--force" in indexed(*drawn, status=exits.BAD_IMAGE).err
    indexed(*drawn, "--force")


def test_the_page_of_a_map_is_known(indexed: Iss) -> None:
    template = Path(targets.__file__).parent / "map_page" / "page.html"
    (indexed.folder / "map.html").write_bytes(template.read_bytes())
    indexed("clusters", "--html", "map.html")


@pytest.mark.parametrize("command", WRITING, ids=lambda command: f"{command[0]} {command[-1]}")
def test_a_page_that_can_not_be_written_in_the_end_takes_no_answer_away(
    indexed: Iss, command: tuple[str, ...]
) -> None:
    if command[0] == "map":
        pytest.skip("it answers with the page alone")
    suffix = "csv" if command[-1] == "--table" else "png"
    name = f"{'x' * 250}.{suffix}"  # too long, once it is written aside
    as_json = ("--json",) if command[0] == "explain" else ()
    done = indexed(*command, name, *as_json, status=exits.BAD_IMAGE)
    assert "can't be written: file name too long" in done.err
    assert lines(done)


@pytest.mark.unix
def test_a_page_goes_through_a_pipe() -> None:
    ours, theirs = os.pipe()
    with open(ours, "rb") as page:
        with open(theirs, "wb"), written(f"/dev/fd/{theirs}") as out:
            out.write(b"page")
        assert page.read() == b"page"
