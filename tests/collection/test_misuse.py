"""What a program may do wrong with a collection is said in its words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from image_similarity_search.collection import Collection
from image_similarity_search.errors import CollectionClosedError, ConfigError


@pytest.mark.parametrize(
    "use",
    [
        lambda one: one.search(1),
        lambda one: one.sync("photos"),
        lambda one: one.remove(1),
        lambda one: one.add_tags([1], "beach"),
        list,
        len,
    ],
)
def test_a_closed_collection_says_that_it_is(
    tmp_path: Path, use: Callable[[Collection], Any]
) -> None:
    made = Collection.open(tmp_path / "index", encoder="colour-texture", create=True)
    made.close()
    made.close()
    with pytest.raises(CollectionClosedError, match="was closed: open it again"):
        use(made)


def test_closing_waits_for_what_another_thread_asks(tmp_path: Path) -> None:
    made = Collection.open(tmp_path / "index", encoder="colour-texture", create=True)
    catalog = made._catalog
    closing = Thread(target=made.close)
    with catalog.snapshot():
        closing.start()
        closing.join(0.1)
        assert catalog.counts().indexed == 0
    closing.join()
    with pytest.raises(CollectionClosedError), catalog.transaction():
        pass


def test_truth_is_no_id(collection: Collection, make_picture: Callable[..., Path]) -> None:
    collection.add(make_picture(Path(collection.info().index_dir).parent / "one.png", 1))
    assert collection.get(1).id == 1
    for use in (collection.search, collection.get, collection.remove):
        with pytest.raises(ConfigError):
            use(True)
    assert len(collection) == 1
