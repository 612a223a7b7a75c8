"""One thing where several may be given is that one thing, or refused: text is never its letters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from image_similarity_search.collection import Collection
from image_similarity_search.collection.examples import Example
from image_similarity_search.errors import ConfigError
from image_similarity_search.search_options import SearchOptions
from image_similarity_search.types import Text

_GREY = np.zeros((8, 3, 3), np.uint8)


@pytest.fixture
def indexed(collection: Collection, photos: Path) -> Collection:
    collection.sync(photos)
    return collection


@pytest.mark.parametrize("patterns", ["*.png", ["*.png"], ("*.png",), (p for p in ["*.png"])])
def test_a_pattern_may_be_given_alone(collection: Collection, photos: Path, patterns: Any) -> None:
    assert collection.sync(photos, include=patterns).indexed == 4


@pytest.mark.parametrize("wrong", [5, b"*.png", Path("a"), ["*.png", 5]])
def test_what_is_no_pattern_is_refused(collection: Collection, photos: Path, wrong: Any) -> None:
    for use in (collection.sync, collection.watch):
        for name in ("include", "exclude"):
            with pytest.raises(ConfigError, match=rf"^{name} is .*; expected a pattern"):
                use(photos, **{name: wrong})


def test_an_image_may_be_given_alone(indexed: Collection, photos: Path) -> None:
    image = photos / "picture 0.jpg"
    id_ = indexed.get(image).id
    given: list[Any] = [image, str(image), id_, np.int64(id_)]
    for alone in given:
        assert indexed.add_tags(alone, "beach") == 1
        assert indexed.tags() == {"beach": 1}
        assert indexed.remove_tags(alone, "beach") == 1
    assert indexed.add_tags(np.array([1, 2]), "sea") == 2
    report = indexed.duplicates(references=photos)
    assert report.groups == indexed.duplicates(references=[photos]).groups
    assert "P@3" in indexed.evaluate("folders", k=3).figures


_REFUSED: list[tuple[str, Callable[[Collection, Any], object], list[Any]]] = [
    ("images", lambda one, it: one.add_tags(it, "x"), [None, 2.5, b"a.jpg", [None], ["a", 2.5]]),
    ("queries", Collection.search_many, ["a.jpg", b"a", Path("a"), 1, _GREY, None, Text("a")]),
    ("pictures", Collection.embed, ["a.jpg", b"a", Path("a"), 1, _GREY, Image.new("RGB", (9, 9))]),
    ("texts", Collection.embed_texts, ["a boat", None]),
    ("examples", Collection.search_by_examples, ["a.jpg", Example(1), ["a.jpg"]]),
    (
        "leave_out",
        lambda one, it: one.search_by_examples([Example(1)], leave_out=it),
        ["12", 1, None],
    ),
    ("liked", lambda one, it: one.search(1, options=SearchOptions(liked=it)), ["12", 1, [True]]),
    ("references", lambda one, it: one.duplicates(references=it), [5, None, [5]]),
    ("between", lambda one, it: one.duplicates(between=it), ["ab", 5, ["a", 5], ["a"]]),
    ("groups", lambda one, it: one.resolve_duplicates(it, "trash"), ["a", None, [1]]),
    ("k", lambda one, it: one.evaluate("folders", k=it), ["15", None, 0, [1.5]]),
]


@pytest.mark.parametrize(
    ("name", "use", "wrong"),
    [(name, use, wrong) for name, use, every in _REFUSED for wrong in every],
)
def test_what_is_not_several_is_refused(
    indexed: Collection, name: str, use: Callable[[Collection, Any], object], wrong: Any
) -> None:
    with pytest.raises(ConfigError, match=rf"^{name} is .*; expected "):
        use(indexed, wrong)


def test_ids_of_numpy_are_ids(indexed: Collection) -> None:
    some = np.array([1, 2])
    assert len(indexed.search(3, options=SearchOptions(liked=some))) == 10  # type: ignore[arg-type]  # which is no Sequence to a type checker
    assert [len(hits) for hits in indexed.search_many(some, 3)] == [3, 3]  # the same
