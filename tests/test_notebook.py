"""Galleries in notebooks: lists to code, pictures to a person."""

from __future__ import annotations

import ast
import copy
import json
import os
import pickle
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import MakePicture
from test_docs import furnish

from image_similarity_search import ImageSimilaritySearch
from image_similarity_search.collection import Collection
from image_similarity_search.galleries import MOST_SHOWN, Gallery
from image_similarity_search.types import Hit, ImageRecord

NOTEBOOK = Path(__file__).parent.parent / "examples" / "notebook.ipynb"


class Shown(HTMLParser):
    """The pictures and the text of a piece of HTML, in which every tag is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.pictures: list[dict[str, str | None]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.pictures.append(dict(attrs))
        elif tag != "wbr":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(thing: object) -> Shown:
    """What a notebook shows of it."""
    show = thing._repr_html_  # type: ignore[attr-defined]  # it is that which is tested
    return Shown(show())


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # a cell may leave closing to a later one
def test_the_example_works(
    tmp_path: Path, make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(tmp_path / "place", make_picture)
    monkeypatch.chdir(tmp_path / "place")
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    names: dict[str, object] = {}
    galleries = []
    for cell in notebook["cells"]:
        assert not cell.get("outputs")
        if cell["cell_type"] != "code":
            continue
        value = _run("".join(cell["source"]), names)
        if hasattr(value, "_repr_html_"):
            galleries.append(shown(value))
    assert [len(gallery.pictures) for gallery in galleries] == [6, 6, 6 - 2, 6]


def _run(source: str, names: dict[str, object]) -> object:
    """Run a cell; the value of its last line, as a notebook takes it."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, str(NOTEBOOK), "exec"), names)
    if last is None:
        return None
    assert isinstance(last, ast.Expr)
    return eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names)


def test_an_answer_is_a_list_to_code(collection: Collection, photos: Path) -> None:
    collection.sync(photos)
    hits = collection.search(photos / "picture 0.jpg", k=5)
    plain = list(hits)
    assert type(plain) is list
    assert hits == plain
    assert plain == hits
    assert hits[:2] == plain[:2]
    assert hits + [] == plain  # noqa: RUF005 - the sum is what is tested
    assert repr(hits) == repr(plain)
    assert sorted(hits, key=lambda hit: hit.id) == sorted(plain, key=lambda hit: hit.id)
    for twin in (copy.copy(hits), copy.deepcopy(hits), pickle.loads(pickle.dumps(hits))):
        assert type(twin) is list
        assert twin == plain
    assert len(shown(hits[1:3]).pictures) == 2


def test_a_gallery_shows_each_hit_with_its_score(collection: Collection, photos: Path) -> None:
    collection.sync(photos)
    hits = collection.search(photos / "picture 0.jpg", k=3)
    seen = shown(hits)
    assert [picture["alt"] for picture in seen.pictures] == [Path(hit.path).name for hit in hits]
    assert all(str(one["src"]).startswith("data:image/jpeg;base64,/9j/") for one in seen.pictures)
    assert "1.0000 · 96 × 72" in seen.text  # noqa: RUF001 - a sign of multiplication
    assert "nothing" not in seen.text
    assert "12 images" in shown(collection).text
    assert len(shown(collection.images(limit=4)).pictures) == 4
    assert len(shown(collection.search_many([1, 2], k=2)[1]).pictures) == 2
    assert shown(collection.search(1, threshold=1)).text == "no pictures"


def test_a_gallery_is_bounded_and_survives_what_is_gone(
    collection: Collection, photos: Path
) -> None:
    collection.sync(photos)
    hits = collection.search(1, k=12)
    collection.close()
    assert len(shown(hits).pictures) == 11  # kept thumbnails can be read on
    if sys.platform == "linux":
        opened = [os.path.realpath(file) for file in Path("/proc/self/fd").iterdir()]
        assert not [file for file in opened if file.startswith(f"{photos.parent}/index")]
    record = ImageRecord(1, str(photos / "gone.jpg"), 1, 1, None, 1, 1, "indexed")
    lost = Gallery([Hit(record, 0.0, 1.0)] * (MOST_SHOWN + 5), hits.tile)  # type: ignore[attr-defined]
    seen = shown(lost)
    assert seen.pictures == []
    assert seen.text.count("no picture") == MOST_SHOWN
    assert "and 5 more" in seen.text


def test_names_are_escaped(tmp_path: Path, make_picture: MakePicture) -> None:
    evil = "<img src=x onerror='alert(1)'>\" &amp; \udce9.jpg"
    make_picture(tmp_path / "photos" / evil, 1)
    with Collection.open(tmp_path / "index", encoder="colour-texture", create=True) as collection:
        collection.sync(tmp_path / "photos")
        seen = shown(collection.search(tmp_path / "photos" / evil))
    (picture,) = seen.pictures
    assert picture["alt"] == evil.replace("\udce9", "\ufffd")
    assert set(picture) == {"style", "alt", "src"}
    assert str(picture["src"]).startswith("data:")


def test_the_class_of_the_recipe_shows_galleries_too(
    tmp_path: Path, make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(tmp_path, make_picture)
    monkeypatch.chdir(tmp_path)
    with ImageSimilaritySearch("images", model="colour-texture") as searcher:
        results = searcher.find_similar("query_image.jpg", k=2)
    assert results == [{"path": "images/a.jpg", "score": 1.0}, results[1]]
    assert json.loads(json.dumps(results)) == results
    assert shown(results).pictures[0]["alt"] == "a.jpg"
    results[1]["path"] = "elsewhere.jpg"
    results.append({"path": "images/a.jpg", "score": 0.5})
    results.append({"path": "none.jpg", "score": 0.5})
    seen = shown(results)
    assert [picture["alt"] for picture in seen.pictures] == ["a.jpg", "a.jpg"]
    assert seen.text.count("no picture") == 2
