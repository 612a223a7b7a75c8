"""Searches by several pictures, parts of them, and pictures that are in no file."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from command_line import Iss, lines
from conftest import draw
from PIL import ImageOps

from image_similarity_search.cli import exits
from image_similarity_search.collection import Collection
from image_similarity_search.collection.examples import Example
from image_similarity_search.search_options import SearchOptions
from image_similarity_search.types import Region


@pytest.fixture
def iss(place: Path) -> Iss:
    """An ``iss`` beside ``photos`` that are indexed."""
    (place / "index").rename(place / "index_data")
    return Iss(place)


def test_pictures_are_combined(iss: Iss) -> None:
    photos = iss.folder / "photos"
    one, two, three = (photos / f"picture {number}.jpg" for number in (0, 2, 4))
    done = json.loads(
        iss(
            "search", one, "--like", two, "--unlike", three, "--weighted", "2", three,
            "--id", "3", "--region", "0,0,0.5,1", "--json",
        ).stdout
    )  # fmt: skip
    assert done["query"] == [str(one), 3, str(two), str(three), str(three)]
    with Collection.open(iss.folder / "index_data") as collection:
        examples = [
            Example(one, region=Region(0, 0, 0.5, 1)),
            Example(3),
            Example(two),
            Example(three, 2.0),
            Example(three, -0.5),
        ]
        expected = collection.search_by_examples(examples)
    assert [hit["path"] for hit in done["hits"]] == [hit.path for hit in expected]


def test_images_of_the_collection_are_given_wherever_pictures_are(iss: Iss) -> None:
    given = ["id:1", "--like", "id:2", "--unlike", "id:3", "--weighted", "2", "id:4"]
    done = json.loads(iss("search", *given, "--html", "page.html", "--json").stdout)
    assert done["query"] == [1, 2, 4, 3]
    with Collection.open(iss.folder / "index_data") as collection:
        examples = [Example(1), Example(2), Example(4, 2.0), Example(3, -0.5)]
        expected = collection.search_by_examples(examples)
    assert [hit["id"] for hit in done["hits"]] == [hit.id for hit in expected]


def test_what_else_a_search_is_to_do(iss: Iss) -> None:
    photos = iss.folder / "photos"
    ImageOps.mirror(draw(0)).save(photos / "holiday" / "mirrored.png")
    shutil.copy(photos / "picture 0.jpg", photos / "copy.jpg")
    iss("index", photos)
    query = photos / "picture 0.jpg"
    first, *_ = lines(iss("search", query, "--fold", "--diverse", "--mirrored", "--turned"))
    assert first.endswith("(and 2 copies)")
    (hit, *_) = json.loads(iss("search", query, "--fold", "--json").stdout)["hits"]
    assert {Path(path).name for path in hit["folded"]} == {"copy.jpg", "mirrored.png"}
    judged = lines(iss("search", query, "--liked", "3", "--disliked", "4", "--paths", "-k", "50"))
    assert len(judged) == 13
    found = lines(iss("search", query, "--exclude-same-folder", "--paths", "-k", "50"))
    assert {Path(path).parent.name for path in found} == {"holiday"}
    with Collection.open(iss.folder / "index_data") as collection:
        options = SearchOptions(mirrored=True)
        expected = [hit.path for hit in collection.search(query, options=options)]
    assert lines(iss("search", query, "--mirrored", "--paths")) == expected


def test_what_makes_no_sense_is_refused(iss: Iss) -> None:
    for arguments in (
        ["--unlike", "photos/picture 0.jpg"],
        ["-", "--like", "-"],
        ["--like", "photos/picture 0.jpg", "--region", "0,0,1,1"],
        ["photos/picture 0.jpg", "--region", "0,0,2,1"],
        ["https://example.org/a.jpg"],
    ):
        iss("search", *arguments, status=exits.USAGE)
    iss("search", "--like", "nowhere.jpg", status=exits.BAD_IMAGE)
    data = (iss.folder / "photos" / "picture 0.jpg").read_bytes()
    iss("search", "-", "--exclude-same-folder", status=exits.USAGE, stdin=data)


@pytest.mark.skipif(sys.platform != "linux", reason="a clipboard of its own is put in place")
def test_by_the_clipboard(iss: Iss, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = iss.folder / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    refused = iss("search", "--clipboard", status=exits.BAD_IMAGE)
    assert b"xclip" in refused.stderr
    picture = iss.folder / "photos" / "holiday" / "picture 3.png"
    program = programs / "xclip"
    program.write_text(f"#!/bin/sh\nexec {shutil.which('cat', path=os.defpath)} '{picture}'\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("DISPLAY", ":0")
    found = json.loads(iss("search", "--clipboard", "--json", "--html", "page.html").stdout)
    assert found["query"] == "clipboard"
    assert found["hits"][0]["path"] == str(picture)
    assert found["hits"][0]["score"] == 1.0
    assert (iss.folder / "page.html").read_text(encoding="utf-8").count("<img") == 11


def test_by_an_address(iss: Iss) -> None:
    serve = partial(SimpleHTTPRequestHandler, directory=str(iss.folder / "photos"))
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/holiday/picture%203.png"
        refused = iss("search", url, status=exits.USAGE)
        assert b"--allow-url" in refused.stderr
        private = iss("search", url, "--allow-url", status=exits.USAGE).stderr
        assert b"a public address, not 127.0.0.1; --allow-private-url (" in private
        found = lines(iss("search", url, "--allow-private-url", "-k", "1"))
        gone = url.replace("picture", "nothing")
        iss("search", gone, "--allow-private-url", status=exits.BAD_IMAGE)
        server.shutdown()
    assert found[0].startswith("1.0000")


def test_tags(iss: Iss) -> None:
    photos = iss.folder / "photos"
    assert lines(iss("tag", "add", "Beach", photos / "picture 0.jpg", "--id", "3")) == ["changed 2"]
    listed = "\0".join(map(str, (photos / "holiday").iterdir())).encode()
    iss("tag", "add", "holiday", "-0", "--files-from", "-", stdin=listed)
    assert lines(iss("tag", "list")) == ["      2  beach", "      6  holiday"]
    found = lines(iss("search", "--id", "2", "--tag", "beach", "--paths"))
    assert len(found) == 2
    listed = (
        b"\xef\xbb\xbf" + os.fsencode(photos / "picture 0.jpg") + b"\r\n"
    )  # as Windows writes it
    iss("tag", "add", "listed", "--files-from", "-", stdin=listed)
    iss("tag", "remove", "listed", "--files-from", "-", stdin=listed)
    iss("tag", "remove", "beach", "--id", "3")
    assert iss.json("tag", "list") == {"tags": {"beach": 1, "holiday": 6}}
    for wrong in (["add"], ["add", "beach"], ["list", "beach"], ["add", " ", "--id", "1"]):
        iss("tag", *wrong, status=exits.USAGE)
    iss("tag", "add", "beach", "nowhere.jpg", status=exits.BAD_IMAGE)
