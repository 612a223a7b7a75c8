"""Searches by several pictures: what their vectors become, and what is found."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from image_similarity_search.collection import Collection
from image_similarity_search.collection.examples import Example, combined
from image_similarity_search.collection.questions import Question
from image_similarity_search.errors import ConfigError, ImageNotFoundError
from image_similarity_search.types import METRICS, Metric, Region


def _rows(*rows: list[float]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.array(rows, dtype=np.float32)


def test_one_example_is_itself() -> None:
    row = _rows([3.0, 4.0])
    for metric in METRICS:
        assert combined(row, [0.5], metric).tolist() == [3.0, 4.0]


def test_each_counts_by_its_weight_and_not_by_its_norm() -> None:
    both = combined(_rows([10.0, 0.0], [0.0, 1.0]), [1.0, 1.0], "cosine")
    assert both == pytest.approx([math.sqrt(0.5)] * 2, abs=1e-3)
    more_of_one = combined(_rows([1.0, 0.0], [0.0, 1.0]), [3.0, 1.0], "cosine")
    assert more_of_one[0] == pytest.approx(3 * more_of_one[1], rel=1e-2)


@pytest.mark.parametrize("metric", ["l2", "l1", "ip"])
def test_where_norms_matter_it_has_that_of_those_to_be_like(metric: Metric) -> None:
    row = combined(_rows([2.0, 0.0], [0.0, 4.0], [0.0, 100.0]), [1.0, 1.0, -0.1], metric)
    assert np.linalg.norm(row) == pytest.approx(3.0, rel=1e-3)


def test_less_like_one_leads_away_from_it() -> None:
    row = combined(_rows([1.0, 0.0], [0.8, 0.6]), [1.0, -0.5], "cosine")
    assert row[1] < 0 < row[0]


def test_examples_that_cancel_out_are_refused() -> None:
    with pytest.raises(ConfigError, match="cancel"):
        combined(_rows([1.0, 0.0], [1.0, 0.0]), [1.0, -1.0], "cosine")


def test_weights_may_be_as_large_and_as_small_as_floats_are() -> None:
    rows = _rows([1.0, 0.0], [0.0, 1.0])
    for weight in (1e308, 5e-324):
        assert combined(rows, [weight] * 2, "l2") == pytest.approx([math.sqrt(0.5)] * 2, abs=1e-3)


def test_what_is_found(collection: Collection, photos: Path) -> None:
    collection.sync(photos)
    path = next(iter(collection)).path
    exact = collection.search(path, k=20)
    assert collection.search_by_examples([Example(path)], k=20) == exact
    embedding = collection.embed([path])[0]
    assert collection.search_by_examples([Example(embedding, 2.0)], k=20) == exact
    one, other = exact[3].id, exact[7].id
    found = collection.search_by_examples([Example(one), Example(other, -0.5)], k=20)
    assert {hit.id for hit in found} == {hit.id for hit in exact} - {one, other}
    left_out = collection.search_by_examples([Example(one)], k=20, leave_out=[other])
    assert {hit.id for hit in left_out} == {hit.id for hit in exact} - {one, other}
    assert len(collection.search_by_examples([Example(one)], k=2)) == 2


def test_what_makes_no_sense_is_refused(collection: Collection, photos: Path) -> None:
    collection.sync(photos)
    for examples in ([], [Example(1, -1.0)], [Example(1, 0.0)], [Example(1, math.nan)]):
        with pytest.raises(ConfigError):
            collection.search_by_examples(examples)
    embedding = np.ones(collection.encoder.dim)
    for wrong in (embedding[:1], embedding[1:], embedding * math.nan, embedding * 1e300):
        with pytest.raises(ConfigError, match="embedding is"):
            collection.search_by_examples([Example(wrong)])
    good, bad = (Question([Example(one)], 1) for one in (embedding, embedding[1:]))
    answers = collection.search_each([good, bad])
    assert [isinstance(answer, ConfigError) for answer in answers] == [False, True]
    with pytest.raises(ConfigError, match="k is 0"):
        collection.search_by_examples([Example(1)], k=0)
    with pytest.raises(ImageNotFoundError):
        collection.search_by_examples([Example(99)])


def test_regions_are_parts_of_pictures() -> None:
    assert Region(0, 0, 1, 1).box(10, 20) == (0, 0, 10, 20)
    assert Region(0.5, 0.25, 0.5, 0.5).box(10, 20) == (5, 5, 10, 15)
    assert Region(0.999, 0.999, 0.001, 0.001).box(3, 3) == (2, 2, 3, 3)
    for wrong in (
        (-0.1, 0, 1, 1),
        (0, 0, 0, 1),
        (0, 0, 1e-320, 1),
        (0.5, 0.5, 1, 1e-7),
        (0.5, 0, 0.6, 1),
        (0, 0, math.nan, 1),
        (1, 0, 1, 1),
    ):
        with pytest.raises(ConfigError, match="fractions"):
            Region(*wrong)
