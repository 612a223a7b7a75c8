"""Choosing images by conditions: what SQLite finds is what plain Python finds."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.values import FileStat, Identity, Picture
from image_similarity_search.filters import Filter
from image_similarity_search.types import ImageRecord

_NAMES = (
    "a.jpg",
    "B.JPEG",
    "a.jpg.png",
    "Über.PNG",
    "ü%_.png",
    "[a].tif",
    "no extension",
    os.fsdecode(b"caf\xe9.jpg"),
    "line\nbreak.jpg",
)
_SIZES = (0, 99, 100, 101, 2**40)
_SIDES = (None, 0, 99, 100, 101, 200)
_TIMES = (-1, 0, 10**9, 1_715_000_000 * 10**9 + 1)
_DATES = ("1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z", "2024-05-06T12:53:20Z")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    made = Catalog.create(
        str(tmp_path_factory.mktemp("catalog")), Identity("e", "f", 2, "cosine", "auto")
    )
    fill(made)
    yield made
    made.close()


def fill(made: Catalog) -> None:
    """Put 495 images into a catalog that differ in everything that can be asked for."""
    rng = np.random.default_rng(0)
    with made.transaction():
        made.places.require_root("/photos")
        for number in range(55 * len(_NAMES)):
            name = _NAMES[number % len(_NAMES)]
            place = made.places.require_place(f"/photos/{number // len(_NAMES):02}/{name}")
            stat = FileStat(int(rng.choice(_SIZES)), int(rng.choice(_TIMES)))
            width, height = rng.choice(np.array(_SIDES, dtype=object), 2)
            unit = np.array([1, 0], dtype=np.float16)
            made.changes.put(place, stat, Picture("00" * 16, width, height, unit, 1.0))
        made.changes.put_skipped(made.places.require_place("/photos/00/bad.jpg"), stat, None, "bad")


def _lets_through(where: Filter, extensions: list[str], image: ImageRecord) -> bool:
    name = os.path.basename(image.path)
    pattern = re.compile(fnmatch.translate(where.name or "*"), re.IGNORECASE)
    conditions = [
        pattern.match(name) is not None,
        not extensions or name.lower().endswith(tuple(extensions)),
        where.after_ns is None or image.mtime_ns >= where.after_ns,
        where.before_ns is None or image.mtime_ns < where.before_ns,
    ]
    sides = image.width is not None and image.height is not None
    width, height = image.width or 0, image.height or 0
    values = {"width": image.width, "height": image.height, "size": image.size}
    for what, value in values.items():
        least, most = getattr(where, f"min_{what}"), getattr(where, f"max_{what}")
        conditions.append(least is None or (value is not None and value >= least))
        conditions.append(most is None or (value is not None and value <= most))
    if where.min_aspect is not None:
        conditions.append(sides and width >= where.min_aspect * height)
    if where.max_aspect is not None:
        conditions.append(sides and width <= where.max_aspect * height)
    shape = "landscape" if width > height else "portrait" if width < height else "square"
    conditions.append(where.orientation is None or (sides and where.orientation == shape))
    return all(conditions)


def filters() -> st.SearchStrategy[dict[str, Any]]:
    bound = st.sampled_from([0, 99, 100, 101, 2**70])
    ratio = st.sampled_from([0, 0.5, 1, 1.01, 2.0])
    return st.fixed_dictionaries(
        {},
        optional={
            "name": st.sampled_from(["*", "A*", "?.jpg", "*.p?g", "[[]a*", "*É*", "*\udce9*"]),
            "min_width": bound,
            "max_height": bound,
            "min_size": bound,
            "max_size": st.just(2**70),
            "min_aspect": ratio,
            "max_aspect": st.just(2.5),
            "orientation": st.sampled_from(["landscape", "portrait", "square"]),
            "modified_after": st.sampled_from(_DATES),
            "modified_before": st.just("2024-05-06T12:53:20.5Z"),
        },
    )


@settings(max_examples=80, deadline=None)
@given(
    given_=filters(),
    extensions=st.sampled_from([[], [".jpg", ".jpeg"], [".png"]]),
    folders=st.sampled_from([None, ["00"], ["03", "04"], []]),
)
def test_sqlite_finds_what_python_finds(
    catalog: Catalog, given_: dict[str, Any], extensions: list[str], folders: list[str] | None
) -> None:
    check_found(catalog, given_, extensions, folders)


def check_found(
    catalog: Catalog, given_: dict[str, Any], extensions: list[str], folders: list[str] | None
) -> None:
    """Compare what a catalog that was filled finds with what plain Python does."""
    where = Filter(**given_)
    among = list(catalog.all_records())
    folder_ids = None
    if folders is not None:
        known = catalog.places.folders_below(1, "")
        folder_ids = [known[folder] for folder in folders]
        among = [one for one in among if one.path.split("/")[2] in folders]
    expected = [one.id for one in among if _lets_through(where, extensions, one)]
    assert catalog.selection.ids(where, folder_ids, extensions).tolist() == expected


def test_images_in_order_of_id_after_another(catalog: Catalog) -> None:
    everything = list(catalog.all_records())
    assert catalog.selection.records_after(0, 2**80) == everything
    last = everything[99].id
    assert catalog.selection.records_after(last, 7) == everything[100:107]
    assert catalog.selection.records_after(2**80, 7) == []


def test_an_image_that_lost_its_place_is_not_chosen(tmp_path: Path) -> None:
    catalog = Catalog.create(str(tmp_path), Identity("e", "f", 2, "cosine", "auto"))
    picture = Picture("00" * 16, 1, 1, np.array([1, 0], dtype=np.float16), 1.0)
    with catalog.transaction():
        places = [catalog.places.require_place(f"/photos/{name}.jpg") for name in "ab"]
        one, other = (catalog.changes.put(place, FileStat(1, 1), picture) for place in places)
        assert catalog.changes.move(one, places[1], FileStat(1, 1)) == other
    for where in (Filter(min_width=1), Filter(name="*")):
        assert catalog.selection.ids(where, None, []).tolist() == [one]
    assert [image.id for image in catalog.selection.records_after(0, 9)] == [one]
    catalog.close()
