"""The catalog against a dict."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.values import FileStat, Identity, Picture
from image_similarity_search.errors import CollectionCorruptError, ImageSearchError

_DIM = 4
_IDENTITY = Identity("test", "test;1", _DIM, "cosine", "auto")
_NAMES = st.sampled_from(["a.jpg", "b b.png", "ü.webp", "\udcff.gif", "new\nline.jpg"])
FOLDERS = st.sampled_from(["/p", "/p/x", "/p/x/y", "/q", "/q/z", "/px"])
_SEEDS = st.integers(0, 5)


def picture(seed: int) -> Picture:
    """Something indexed; another content for each seed."""
    unit = np.random.default_rng(seed).normal(size=_DIM).astype(np.float16)
    return Picture(f"{seed:032x}", 10 + seed, 20 + seed, unit, 1.5 + seed)


@dataclass(frozen=True)
class Entry:
    """What the model remembers of an image."""

    path: str
    seed: int | None  # None when skipped


class CatalogMachine(RuleBasedStateMachine):
    """Changes a catalog and a dict in the same way, and a copy that only ever catches up."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.prepare(self.folder.name)
        self.catalog = Catalog.create(self.folder.name, _IDENTITY)
        self.model: dict[int, Entry] = {}
        self.copy: dict[int, bytes] = {}  # a store: ids and vectors
        self.copied = 0  # its generation
        self.used: set[int] = set()

    def prepare(self, folder: str) -> None:
        """What there is before the catalog."""

    def teardown(self) -> None:
        self.catalog.close()
        self.folder.cleanup()

    def _id_at(self, path: str) -> int | None:
        return next((id_ for id_, entry in self.model.items() if entry.path == path), None)

    @rule(folder=FOLDERS, name=_NAMES, seed=_SEEDS)
    def put(self, folder: str, name: str, seed: int) -> None:
        path = f"{folder}/{name}"
        with self.catalog.transaction():
            place = self.catalog.places.require_place(path)
            id_ = self.catalog.changes.put(place, FileStat(seed, seed), picture(seed))
        known = self._id_at(path)
        assert id_ == known or (known is None and id_ not in self.used)
        self.model[id_] = Entry(path, seed)
        self.used.add(id_)

    @rule(folder=FOLDERS, name=_NAMES)
    def put_skipped(self, folder: str, name: str) -> None:
        path = f"{folder}/{name}"
        with self.catalog.transaction():
            place = self.catalog.places.require_place(path)
            id_ = self.catalog.changes.put_skipped(place, FileStat(0, 0), None, "bad")
        assert self._id_at(path) in (id_, None)
        self.model[id_] = Entry(path, None)
        self.used.add(id_)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), folder=FOLDERS, name=_NAMES)
    def move(self, data: st.DataObject, folder: str, name: str) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.model)))
        path = f"{folder}/{name}"
        with self.catalog.transaction():
            place = self.catalog.places.require_place(path)
            displaced = self.catalog.changes.move(id_, place, FileStat(9, 9))
        moved = replace(self.model.pop(id_), path=path)
        assert displaced == self._id_at(path)
        if displaced is not None:
            there = self.model[displaced]
            self.model[displaced] = replace(there, path=f"{folder}/\0displaced-{displaced}")
        self.model[id_] = moved

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        gone = data.draw(st.sets(st.sampled_from(sorted(self.model)), min_size=1))
        with self.catalog.transaction():
            self.catalog.changes.remove(gone)
            self.catalog.places.forget_empty()
        for id_ in gone:
            del self.model[id_]

    @rule(root=FOLDERS)
    def require_root(self, root: str) -> None:
        with self.catalog.transaction():
            self.catalog.places.require_root(root)
        roots = list(self.catalog.places.roots().values())
        assert any((root + "/").startswith(other + "/") for other in roots)

    @rule()
    def reopen(self) -> None:
        self.catalog.close()
        self.catalog = Catalog(self.folder.name)

    @rule()
    def fail(self) -> None:
        with contextlib.suppress(ZeroDivisionError), self.catalog.transaction():
            place = self.catalog.places.require_place("/p/never.jpg")
            self.catalog.changes.put(place, FileStat(0, 0), picture(0))
            self.catalog.changes.remove(list(self.model))
            raise ZeroDivisionError

    @rule()
    def catch_up(self) -> None:
        for id_ in self.catalog.removals.since(self.copied):
            self.copy.pop(int(id_), None)
        for part in self.catalog.embeddings.since(self.copied):
            for row, id_ in enumerate(part.ids):
                self.copy[int(id_)] = part.units[row].tobytes()
        self.copied = self.catalog.generation
        assert self.copy == {
            id_: picture(entry.seed).unit.tobytes()
            for id_, entry in self.model.items()
            if entry.seed is not None
        }

    @invariant()
    def the_same_images(self) -> None:
        indexed = {id_ for id_, entry in self.model.items() if entry.seed is not None}
        counts = self.catalog.counts()
        assert (counts.indexed, counts.skipped) == (len(indexed), len(self.model) - len(indexed))
        displaced = {id_ for id_ in indexed if "\0" in self.model[id_].path}
        assert set(self.catalog.displaced().tolist()) == displaced
        assert {record.id for record in self.catalog.all_records()} == indexed - displaced
        assert self.catalog.count_found() == len(indexed - displaced)
        records = self.catalog.records(self.model)
        for id_, entry in self.model.items():
            assert records[id_].path == entry.path
            assert records[id_] == self.catalog.record(id_) == self.catalog.record_at(entry.path)
            if entry.seed is not None:
                twins = self.catalog.indexed_with_content(f"{entry.seed:032x}", 1000)
                assert id_ in [twin.id for twin in twins]

    @invariant()
    def the_same_embeddings(self) -> None:
        found = self.catalog.embeddings.of(np.array(sorted(self.model), dtype=np.int64))
        for id_, unit, norm in zip(found.ids, found.units, found.norms, strict=True):
            seed = self.model[int(id_)].seed
            assert seed is not None
            assert (unit == picture(seed).unit).all()
            assert norm == picture(seed).norm


TestCatalog = CatalogMachine.TestCase
TestCatalog.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    made = Catalog.create(str(tmp_path), _IDENTITY)
    with made.transaction():
        made.changes.put(made.places.require_place("/p/a.jpg"), FileStat(1, 2), picture(1))
    return made


def test_a_damaged_embedding_is_never_used(catalog: Catalog, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "catalog.sqlite")
    other.execute("UPDATE embeddings SET unit = x'0000000000000000'")
    other.commit()
    other.close()
    with pytest.raises(CollectionCorruptError, match="embedding of image 1"):
        catalog.embeddings.of(np.array([1]))
    with pytest.raises(CollectionCorruptError):
        list(catalog.embeddings.since(0))
    catalog.close()


def test_embeddings_come_in_the_order_asked_for_or_not_at_all(catalog: Catalog) -> None:
    with catalog.transaction():
        catalog.changes.put(catalog.places.require_place("/p/b.jpg"), FileStat(1, 2), picture(2))
    found = catalog.embeddings.in_order(np.array([2, 1, 2]))
    assert found.norms.tolist() == [picture(seed).norm for seed in (2, 1, 2)]
    assert (found.units == [picture(seed).unit for seed in (2, 1, 2)]).all()
    with pytest.raises(CollectionCorruptError, match="image 3 has no embedding"):
        catalog.embeddings.in_order(np.array([1, 3]))
    catalog.close()


def test_a_root_is_not_a_prefix_of_a_name(catalog: Catalog) -> None:
    with catalog.transaction():
        catalog.places.require_root("/p")
        catalog.changes.put(catalog.places.require_place("/px/b.jpg"), FileStat(1, 2), picture(2))
    assert catalog.record_at("/px/b.jpg") is not None
    assert len(catalog.ids_below("/p")) == 1
    assert len(catalog.ids_below("/px")) == 1
    assert len(catalog.ids_below("/")) == 2
    catalog.close()


def test_foreign_errors_do_not_come_out(catalog: Catalog) -> None:
    catalog.close()
    with pytest.raises(ImageSearchError):
        catalog.counts()
