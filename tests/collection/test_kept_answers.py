"""What a filter let through is kept, and brought up to date: it is what a new look finds."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_similarity_search import Filter
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.database import Database
from image_similarity_search.catalog.places import Place
from image_similarity_search.catalog.values import FileStat, Identity, Picture
from image_similarity_search.collection import filtering
from image_similarity_search.collection.filtering import Filtering
from image_similarity_search.errors import FolderNotFoundError
from image_similarity_search.types import Traits

_ROOT = "/photos"
_PATHS = [f"{_ROOT}/{folder}/{name}" for folder in "abc" for name in ("1.jpg", "2.png", "3.jpg")]
_FILTERS = (
    Filter(),
    Filter(folder=f"{_ROOT}/a"),
    Filter(folder="/elsewhere"),
    Filter(name="1*"),
    Filter(formats="png"),
    Filter(min_size=50),
    Filter(tags="red"),
    Filter(folder=f"{_ROOT}/b", tags="red"),
    Filter(camera="leica"),
)


class _Changes:
    """Changes at random to a catalog, as a process makes them that is not the one that asks."""

    def __init__(self, catalog: Catalog, seed: int) -> None:
        self.catalog, self.drawn = catalog, random.Random(seed)

    def _stat(self) -> FileStat:
        return FileStat(self.drawn.randrange(100), self.drawn.randrange(100))

    def _some(self) -> list[int]:
        rows = self.catalog.database.rows("SELECT id FROM images ORDER BY id")
        ids = [id_ for (id_,) in rows]
        return self.drawn.sample(ids, min(len(ids), self.drawn.randrange(3)))

    def _place_of(self, path: str) -> Place:
        self.catalog.places.require_root(self.root)
        return self.catalog.places.require_place(path)

    @property
    def root(self) -> str:
        return next(iter(self.catalog.places.roots().values()), _ROOT)

    def _path(self) -> str:
        return self.drawn.choice(_PATHS).replace(_ROOT, self.root)

    def put(self) -> None:
        for _ in range(3):
            camera = self.drawn.choice((None, "Leica"))
            traits = self.drawn.choice((None, Traits(camera)))
            unit = np.array([1, 0], dtype=np.float16)
            content = f"{self.drawn.randrange(5):032x}"
            picture = Picture(content, 4, 3, unit, 1.0, traits)
            self.catalog.changes.put(self._place_of(self._path()), self._stat(), picture)

    def put_skipped(self) -> None:
        self.catalog.changes.put_skipped(self._place_of(self._path()), self._stat(), None, "bad")

    def move(self) -> None:
        for id_ in self._some():
            self.catalog.changes.move(id_, self._place_of(self._path()), self._stat())

    def remove(self) -> None:
        self.catalog.changes.remove(self._some())
        self.catalog.places.forget_empty()

    def tag(self) -> None:
        add, remove = self.drawn.choice((("red", ""), ("", "red"), ("blue", "")))
        self.catalog.tags.change(self._some(), add.split(), remove.split())

    def put_traits(self) -> None:
        for id_ in self._some():
            if self.catalog.record(id_).state == "indexed":  # type: ignore[union-attr]
                self.catalog.changes.put_traits(id_, Traits("Leica"))

    def relocate(self) -> None:
        roots = self.catalog.places.roots()
        new = "/elsewhere" if self.root == _ROOT else _ROOT
        self.catalog.places.relocate(dict.fromkeys(roots, new), {})

    def nothing(self) -> None:
        pass

    def drop_removals(self) -> None:
        self.catalog.removals.forget()


_WHAT = [name for name in vars(_Changes) if not name.startswith("_") and name != "root"]


def asked(filters: Filtering, where: Filter) -> list[int] | str:
    try:
        return [int(id_) for id_ in filters.ids(where)]
    except FolderNotFoundError:
        return "no such folder"


@settings(max_examples=20, deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.sampled_from(_WHAT), st.integers(0, 999), st.integers(0, 511)), max_size=8
    ),
    most=st.integers(2, 10_000),
)
def test_a_kept_answer_is_that_of_a_new_look(
    changes: list[tuple[str, int, int]], most: int, whole: Path
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(filtering, "_MOST_CHANGED", most)
        patch.setattr(filtering, "_KEPT", len(_FILTERS))
        shutil.copy(whole, folder)
        with closing(Catalog(folder)) as asking, closing(Catalog(folder)) as changing:
            keeping = Filtering(asking)
            for what, seed, which in changes:
                with changing.transaction():
                    getattr(_Changes(changing, seed), what)()
                for number, where in enumerate(_FILTERS):
                    if which >> number & 1:  # the others are asked after several changes
                        assert asked(keeping, where) == asked(Filtering(asking), where)
            for where in _FILTERS:
                assert asked(keeping, where) == asked(Filtering(asking), where)
            assert keeping.count(None) == len(Filtering(asking).ids(Filter()))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of some images."""
    folder = tmp_path_factory.mktemp("catalog")
    with closing(Catalog.create(str(folder), Identity("e", "f", 2, "cosine", "auto"))) as made:
        for seed in range(4):
            with made.transaction():
                _Changes(made, seed).put()
        made.database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder / "catalog.sqlite"


def _restored(catalog: Catalog, folder: Path) -> None:
    """A backup comes back, and other changes are made since."""
    with closing(Database(str(folder / "before.sqlite"))) as before:
        before.copy_to(catalog.path, journal="WAL")
    with catalog.transaction():
        _Changes(catalog, 7).put()


def _by_an_older_version(catalog: Catalog, folder: Path) -> None:
    """It says nothing of what it edits."""
    with catalog.database.transaction():
        edited = catalog._meta.read()["edited"]
        catalog.history.advance()
        catalog._meta.write({"edited": edited})
        for (id_,) in catalog.database.rows("SELECT id FROM images"):
            image = catalog._rows.image_of(id_)
            assert image
            catalog._rows.update_image(image._replace(size=99))


@pytest.mark.parametrize("change", [_restored, _by_an_older_version])
def test_what_is_not_told_of_has_all_looked_at(
    tmp_path: Path, whole: Path, change: Callable[[Catalog, Path], None]
) -> None:
    shutil.copy(whole, tmp_path)
    shutil.copy(whole, tmp_path / "before.sqlite")
    with closing(Catalog(os.fspath(tmp_path))) as catalog:
        keeping, where = Filtering(catalog), Filter(min_size=90)
        with catalog.transaction():
            _Changes(catalog, 5).put()
        keeping.ids(where)
        change(catalog, tmp_path)
        assert asked(keeping, where) == asked(Filtering(catalog), where)
        with catalog.transaction():
            _Changes(catalog, 6).put()
        assert asked(keeping, where) == asked(Filtering(catalog), where)
