"""What a program may do wrong with a collection is said in its words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from conftest import CountingEncoder

from image_similarity_search import export_collection, import_collection, import_legacy
from image_similarity_search.collection import Collection
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.errors import CollectionClosedError, ConfigError, ImageSearchError


@pytest.mark.parametrize(
    "use",
    [
        lambda one: one.search(1),
        lambda one: one.sync("photos"),
        lambda one: one.remove(1),
        lambda one: one.add_tags([1], "beach"),
        lambda one: one.verify(),
        lambda one: one.encoder,
        lambda one: one.embed([np.zeros((8, 8, 3), np.uint8)]),
        lambda one: one.embed_texts(["a boat"]),
        lambda one: one.__enter__(),
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
    with pytest.raises(CollectionClosedError, match="is closed: open it again"):
        use(made)


class Half:
    """An encoder that lacks what it is for."""

    name, fingerprint, dim = "half", "half;1", np.int64(3)
    preprocessing = Preprocessing()


@pytest.mark.parametrize(
    ("encoder", "flaw"),
    [
        (object(), "name is None, not a text"),
        (5, "name is None, not a text"),
        (Path("model.onnx"), "fingerprint is None, not a text"),
        (Half(), "there is no method encode"),
        (CountingEncoder, "it is a class, not an instance"),
    ],
)
def test_what_is_no_encoder_is_refused(tmp_path: Path, encoder: Any, flaw: str) -> None:
    for create in (True, False):
        with pytest.raises(ConfigError, match=f"^encoder is .*: {flaw}$"):
            Collection.open(tmp_path / "index", encoder=encoder, create=create)
    assert not (tmp_path / "index").exists()
    with pytest.raises(ConfigError, match=f"^model is .*: {flaw}$"):
        import_legacy(tmp_path, tmp_path / "index", model=encoder)


@pytest.mark.parametrize("wrong", ["", None, 5, b"index", "a\0b"])
def test_what_is_no_index_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    uses: list[Callable[[], object]] = [
        lambda: Collection.open(wrong, encoder="colour-texture", create=True),
        lambda: Collection.repair(wrong),
        lambda: import_legacy(".", wrong),
        lambda: import_collection("a.npy", wrong),
        lambda: export_collection(wrong, "a.npy"),
    ]
    for use in uses:
        with pytest.raises(ConfigError, match=r"^index_dir is .*; expected the path of a folder"):
            use()
    assert not list(tmp_path.iterdir())


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


def test_what_is_in_a_collection_is_asked_by_path_and_id(
    collection: Collection, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "bad.jpg").write_bytes(b"no picture")
    collection.sync(photos)
    monkeypatch.chdir(photos.parent)
    record = collection.get(photos / "picture 0.jpg")
    for there in (record.path, "photos/picture 0.jpg", Path(record.path), record.id, record):
        assert there in collection
    assert np.int64(record.id) in collection
    bad = collection.get(photos / "bad.jpg").id
    for wrong in (bad, "photos/bad.jpg", "photos/no.jpg", 99, 10**30, -1, True, "", None, 1.0):
        assert wrong not in collection
    assert replace(record, size=0) not in collection


def test_truth_is_no_id(collection: Collection, make_picture: Callable[..., Path]) -> None:
    collection.add(make_picture(Path(collection.info().index_dir).parent / "one.png", 1))
    assert collection.get(1).id == 1
    for use in (collection.search, collection.get, collection.remove):
        with pytest.raises(ConfigError):
            use(True)
    assert len(collection) == 1


def test_answers_can_be_compared_and_be_in_a_set(collection: Collection, photos: Path) -> None:
    collection.sync(photos)
    collection.add_tags(photos, "beach")
    hits, again = collection.search(1, 3), collection.search(1, 3)
    assert {*hits} == {*again}
    assert {hits[0].image} == {collection.get(hits[0].id)}
    asked: list[Callable[[], object]] = [
        collection.clusters,
        lambda: collection.clusters().clusters[0],
        lambda: collection.explain(1, 2),
        lambda: collection.explain(1, 2).compared,
    ]
    for ask in asked:
        one, other = ask(), ask()
        assert one == one
        assert one != other


@pytest.mark.parametrize(
    ("use", "hint"),
    [
        (lambda one: one.add(b"\xff" * 5_000_000), "5,000,000 bytes .*written to a file first"),
        (lambda one: one.add(np.zeros((999, 999, 3), np.uint8)), "written to a file first"),
        (lambda one: one.sync(["a" * 100] * 100_000), r"add\(\*paths\)"),
        (lambda one: one.get("x" * 100_000), "no such image"),
        (lambda one: one.search(1, where={"folder": "x" * 100_000}), "where"),
        (lambda one: one.add("photos"), "Collection.sync"),
        (lambda one: one.sync("photos/picture 0.jpg"), "Collection.add"),
    ],
)
def test_what_is_given_wrongly_is_told_in_a_few_words(
    collection: Collection,
    photos: Path,
    use: Callable[[Collection], Any],
    hint: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(photos.parent)
    collection.sync("photos")
    with pytest.raises(ImageSearchError, match=hint) as told:
        use(collection)
    assert len(str(told.value)) < 5_000
