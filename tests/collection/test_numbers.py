"""Numbers that are none, have no end, or are of another kind are refused by their names."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import CountingEncoder

from image_similarity_search.collection import Collection
from image_similarity_search.collection.examples import Example
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.encoders.spec import EncoderSpec
from image_similarity_search.errors import ConfigError
from image_similarity_search.filters import Filter
from image_similarity_search.search_options import SearchOptions
from image_similarity_search.service.settings import Limits
from image_similarity_search.types import Region

Use = Callable[[Collection, Any], object]
_OF = [Example(1)]

COUNTS: dict[str, Use] = {
    "search k": lambda one, n: one.search(1, n),
    "search_many k": lambda one, n: one.search_many([1], n),
    "search_by_examples k": lambda one, n: one.search_by_examples(_OF, n),
    "uploads max_pixels": lambda one, n: one.uploads(max_pixels=n).close(),
    "images after": lambda one, n: one.images(after=n),
    "skipped after": lambda one, n: one.skipped(after=n),
    "images offset": lambda one, n: one.images(offset=n),
    "images limit": lambda one, n: one.images(limit=n),
    "measure_recall k": lambda one, n: one.measure_recall(n),
    "measure_recall sample": lambda one, n: one.measure_recall(sample=n),
    "evaluate k": lambda one, n: one.evaluate("folders", k=[n]),
    "evaluate depth": lambda one, n: one.evaluate("folders", depth=n),
    "evaluate sample": lambda one, n: one.evaluate("folders", sample=n),
    "clusters count": lambda one, n: one.clusters(n),
    "clusters shown": lambda one, n: one.clusters(shown=n),
    "outliers count": lambda one, n: one.outliers(n),
    "outliers k": lambda one, n: one.outliers(k=n),
    "Filter min_width": lambda one, n: one.images(Filter(min_width=n)),
    "Filter max_size": lambda one, n: one.images(Filter(max_size=n)),
    "SearchOptions liked": lambda one, n: one.search(1, options=SearchOptions(liked=[n])),
    "Preprocessing resize": lambda _, n: Preprocessing(resize=n, crop=1),
    "Preprocessing crop": lambda _, n: Preprocessing(crop=n),
    "EncoderSpec crop": lambda _, n: EncoderSpec(resize=16, crop=n).applied_to(Preprocessing()),
}
"""What takes whole numbers, by the method and the argument; 3 is one for each."""

NUMBERS: dict[str, Use] = {
    "search threshold": lambda one, n: one.search(1, threshold=n),
    "search_many threshold": lambda one, n: one.search_many([1], threshold=n),
    "search_by_examples threshold": lambda one, n: one.search_by_examples(_OF, threshold=n),
    "Example weight": lambda one, n: one.search_by_examples([Example(1, n)]),
    "uploads seconds": lambda one, n: one.uploads(seconds=n).close(),
    "sync time_limit": lambda one, n: one.sync(one.roots()[0], time_limit=n),
    "add time_limit": lambda one, n: one.add(one.get(1).path, time_limit=n),
    "make_thumbnails time_limit": lambda one, n: one.make_thumbnails(time_limit=n),
    "duplicates time_limit": lambda one, n: one.duplicates(time_limit=n),
    "duplicates likeness": lambda one, n: one.duplicates(likeness=n),
    "duplicates score": lambda one, n: one.duplicates(score=n),
    "watch time_limit": lambda one, n: next(one.watch(one.roots()[0], time_limit=n, poll=True)),
    "watch every": lambda one, n: next(one.watch(one.roots()[0], every=n, poll=True)),
    "rebuild recall": lambda one, n: one.rebuild(recall=n),
    "tune recall": lambda one, n: one.tune(n),
    "Region region": lambda _, n: Region(0, 0, n, 0.5),
    "Filter min_aspect": lambda one, n: one.images(Filter(min_aspect=n)),
    "Filter max_aspect": lambda one, n: one.images(Filter(max_aspect=n)),
    "Preprocessing mean": lambda _, n: Preprocessing(mean=(n, 0.5, 0.5)),
    "Preprocessing std": lambda _, n: Preprocessing(std=(n, 0.5, 0.5)),
    "SearchOptions diverse": lambda _, n: SearchOptions(diverse=n),
    "Limits rate": lambda _, n: Limits(rate=n),
}
"""What takes numbers; a half is one for each."""


@pytest.fixture
def opened(collection: Collection, photos: Path) -> Collection:
    collection.sync(photos)
    return collection


def test_none_is_left_out() -> None:
    plain = re.compile(r"(int|float|Threshold)( \| None)?")
    taken = {
        f"{name} {argument}"
        for name, method in inspect.getmembers(Collection, inspect.isfunction)
        if not name.startswith("_")
        for argument, one in inspect.signature(method).parameters.items()
        if plain.fullmatch(str(one.annotation))
    }
    assert taken - {"repair wait", "restore wait"} <= {*COUNTS, *NUMBERS}


@pytest.mark.parametrize("what", COUNTS)
def test_what_is_no_count_is_refused(opened: Collection, what: str) -> None:
    for wrong in (math.nan, math.inf, 2.5, -1, True, "three"):
        with pytest.raises(ConfigError, match=rf"\b{what.split()[1]} is "):
            COUNTS[what](opened, wrong)
    COUNTS[what](opened, np.int64(3))


@pytest.mark.parametrize("what", NUMBERS)
def test_what_is_no_number_is_refused(opened: Collection, what: str) -> None:
    endless = () if what.endswith(("time_limit", "seconds")) else (math.inf,)
    for wrong in (math.nan, *endless, -math.inf, 10**400, "three", True):
        with pytest.raises(ConfigError, match=rf"\b{what.split()[1]} is "):
            NUMBERS[what](opened, wrong)
    NUMBERS[what](opened, 0.5)
    NUMBERS[what](opened, np.float32(0.5))


@pytest.mark.parametrize("wrong", [None, 0.5, (), (0.5, 0.5), "0.5"])
def test_what_is_not_three_numbers_is_refused(wrong: Any) -> None:
    for name in ("mean", "std"):
        with pytest.raises(ConfigError, match=f"{name} is .*three numbers"):
            Preprocessing(**{name: wrong})


@pytest.mark.parametrize("wrong", [math.nan, -1, "long"])
def test_a_wait_is_a_time_or_without_an_end(tmp_path: Path, wrong: Any) -> None:
    def made(wait: float) -> Collection:
        return Collection.open(tmp_path / "i", encoder=CountingEncoder(), create=True, wait=wait)

    with pytest.raises(ConfigError, match="wait is "):
        made(wrong)
    with pytest.raises(ConfigError, match="wait is "):
        Collection.repair(tmp_path / "i", wait=wrong)
    with pytest.raises(ConfigError, match="wait is "):
        Collection.restore(tmp_path / "backup", tmp_path / "i", wait=wrong)
    made(math.inf).close()
