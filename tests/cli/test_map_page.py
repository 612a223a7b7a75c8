"""The page of a map: whole, safe whatever names there are, each picture where it belongs."""

from __future__ import annotations

import base64
import json
import re
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from test_gallery import Page

from image_similarity_search.cli.map_page.page import write_map
from image_similarity_search.cli.map_page.sheets import Sheets, along_curve, tile_side
from image_similarity_search.types import FloatArray

_COLOURS = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (240, 240, 20)]


def plain(colour: tuple[int, int, int]) -> bytes:
    out = BytesIO()
    Image.new("RGB", (256, 128), colour).save(out, "JPEG")
    return out.getvalue()


def thumbnail(id_: int) -> bytes | None:
    return None if id_ == 99 else plain(_COLOURS[id_ % 4])


def corners(count: int) -> FloatArray:
    """Places of images: each at the corner of its colour."""
    of_colour = np.array([(0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9)], dtype=np.float32)
    near = np.random.default_rng(1).normal(0, 0.01, (count, 2))
    return np.asarray(of_colour[np.arange(count) % 4] + near, dtype=np.float32).clip(0, 1)


def page_of(count: int, paths: list[str] | None = None) -> str:
    out = StringIO()
    named = paths or [f"/photos/{number // 100}/{number}.jpg" for number in range(count)]
    write_map(out, np.arange(count), corners(count), named, thumbnail, title="Mine & yours")
    return out.getvalue()


def data_of(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_each_picture_is_where_it_belongs() -> None:
    html = page_of(200)
    data = data_of(html)
    positions = np.frombuffer(base64.b64decode(data["positions"]), "<u2").reshape(-1, 2)
    colours = np.frombuffer(base64.b64decode(data["colours"]), np.uint8).reshape(-1, 3)
    sheets = [
        Image.open(BytesIO(base64.b64decode(text)))
        for text in re.findall(r'id="sheet-\d+">([^<]*)</script>', html)
    ]
    assert len(sheets) == 2
    per = data["across"] ** 2
    for at, name in enumerate(data["names"]):
        number = int(name.removesuffix(".jpg"))
        folder = data["folders"][data["folder"][at]]
        assert folder == {
            "path": f"/photos/{number // 100}",
            "url": f"file:///photos/{number // 100}/",
        }
        assert np.allclose(positions[at] / 65535, corners(200)[number], atol=1e-4)
        if number == 99:
            continue
        assert np.abs(colours[at].astype(int) - _COLOURS[number % 4]).max() < 20
        row, column = divmod(at % per, data["across"])
        middle = ((column + 0.5) * data["tile"], (row + 0.5) * data["tile"])
        shown = sheets[at // per].convert("RGB").getpixel((int(middle[0]), int(middle[1])))
        assert np.abs(np.array(shown) - _COLOURS[number % 4]).max() < 30


def test_nothing_is_asked_for_and_names_are_but_names() -> None:
    paths = ["/a/</script><script>alert(1)</script>.jpg", "/a/\udcff.jpg", "s3://b/c.jpg"]
    html = page_of(3, paths)
    html.encode("utf-8")
    assert "<script>alert" not in html
    assert sorted(data_of(html)["names"]) == ["c.jpg", "script>.jpg", "\ufffd.jpg"]
    shown = [folder["path"] for folder in data_of(html)["folders"]]
    assert "/a/<script>alert(1)<" in [path.replace("</script>", "") for path in shown]
    page = Page(html)
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data: file:;")
    assert not re.findall(r'(?:src|href)="(?!data:)', html)
    assert "Mine &amp; yours" in html


def test_what_is_near_is_on_one_sheet() -> None:
    order = along_curve(corners(400))
    for quarter in np.split(order, 4):
        assert len({number % 4 for number in quarter.tolist()}) == 1


@pytest.mark.parametrize(("count", "side"), [(10, 96), (2_001, 64), (50_000, 48), (100_000, 32)])
def test_more_pictures_are_smaller(count: int, side: int) -> None:
    assert tile_side(count) == side
    assert Sheets(count).across == 1024 // side


def test_an_empty_map() -> None:
    out = StringIO()
    write_map(out, np.arange(0), np.empty((0, 2), np.float32), [], thumbnail, title="None")
    assert data_of(out.getvalue())["names"] == []


def test_the_assets_are_in_the_package() -> None:
    here = Path(__file__).parents[2] / "src" / "image_similarity_search" / "cli" / "map_page"
    assert {path.suffix for path in here.iterdir()} >= {".html", ".css", ".js", ".py"}
