"""The arithmetic, against plain float64 NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from image_similarity_search import vectors
from image_similarity_search.types import METRICS, FloatArray, Metric

Doubles = NDArray[np.float64]


@st.composite
def embeddings(draw: st.DrawFn) -> FloatArray:
    """A few embeddings, some of them zero or equal, of any length that an encoder may give."""
    count, dim = draw(st.integers(1, 12)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = rng.normal(size=(count, dim)) * 10.0 ** draw(st.integers(-6, 6))
    if draw(st.booleans()):
        rows = np.abs(rows)  # as after a ReLU
    rows[rng.random(count) < 0.2] = 0
    rows[rng.integers(count)] = rows[rng.integers(count)]
    return rows.astype(np.float32)


metrics = st.sampled_from(METRICS)


def _plain(query: Doubles, rows: Doubles, metric: Metric) -> Doubles:
    if metric == "l1":
        return np.asarray(np.abs(rows - query).sum(axis=1))
    if metric == "l2":
        return np.asarray(np.linalg.norm(rows - query, axis=1))
    if metric == "ip":
        return -(rows @ query)
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(query)
    cosine = np.divide(rows @ query, lengths, out=np.zeros(len(rows)), where=lengths > 0)
    both_zero = ~rows.any(axis=1) & ~query.any()
    return np.asarray(np.where(both_zero, 0, 1 - cosine))


@given(embeddings())
def test_pack_keeps_direction_and_length(rows: FloatArray) -> None:
    units, norms = vectors.pack(rows)
    assert units.dtype == np.float16
    assert norms.dtype == np.float32
    exact = np.linalg.norm(rows.astype(np.float64), axis=1)
    np.testing.assert_allclose(norms, exact, rtol=1e-6)
    # float16 has 11 bits; below 6e-5 its steps are 6e-8
    np.testing.assert_allclose(
        units * exact[:, None], rows, rtol=2**-11, atol=6e-8 * max(exact.max(), 1e-30)
    )
    assert not units[exact == 0].any()


@given(embeddings())
def test_cosine_compares_unit_vectors(rows: FloatArray) -> None:
    unit = vectors.comparable(rows, "cosine")
    lengths = np.linalg.norm(unit.astype(np.float64), axis=1)
    np.testing.assert_allclose(lengths, np.where(rows.any(axis=1), 1.0, 0.0), atol=1e-6)


@given(embeddings(), st.sampled_from(["l2", "l1", "ip"]))
def test_the_other_metrics_compare_the_encoder_s_values(rows: FloatArray, metric: Metric) -> None:
    back = vectors.comparable(rows, metric)
    assert back.dtype == np.float32
    scale = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    assert (np.abs(back - rows.astype(np.float64)) <= 2**-11 * scale).all()


@given(embeddings(), metrics)
def test_distances_are_those_of_plain_numpy(rows: FloatArray, metric: Metric) -> None:
    rows = vectors.comparable(rows, metric)
    query = rows[0]
    got = vectors.distances(query, rows, metric)
    assert got.dtype == np.float32
    doubles = rows.astype(np.float64)
    expected = _plain(doubles[0], doubles, metric)
    size = 1.0 if metric == "cosine" else float(np.abs(expected).max(initial=0))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6 * size)


@given(embeddings(), metrics)
def test_raw_embeddings_to_distances_within_the_rounding_of_the_stored_form(
    rows: FloatArray, metric: Metric
) -> None:
    stored = vectors.comparable(rows, metric)
    got = vectors.distances(stored[0], stored, metric)
    doubles = rows.astype(np.float64)
    expected = _plain(doubles[0], doubles, metric)
    lengths = np.linalg.norm(doubles, axis=1)
    bound = {
        "cosine": np.full(len(rows), 2.0),
        "l2": lengths + lengths[0],
        "l1": (lengths + lengths[0]) * np.sqrt(rows.shape[1]),
        "ip": 2 * lengths * lengths[0],
    }[metric]
    assert (np.abs(got - expected) <= 2**-10 * bound + 1e-30).all()


@given(embeddings(), st.sampled_from(["cosine", "l2", "l1"]))
def test_an_identical_picture_is_at_distance_zero(rows: FloatArray, metric: Metric) -> None:
    # the stored one was packed in one batch with others, the query comes alone
    stored = vectors.comparable(rows, metric)
    for at in range(len(rows)):
        query = vectors.comparable(rows[at : at + 1], metric)[0]
        distance = vectors.distances(query, stored, metric)[at]
        assert distance == 0.0
        assert vectors.scores(np.array([distance]), metric)[0] == 1.0


@given(embeddings(), st.sampled_from(["cosine", "l2", "l1"]))
def test_distances_are_symmetric_and_not_negative(rows: FloatArray, metric: Metric) -> None:
    rows = vectors.comparable(rows, metric)
    table = np.array([vectors.distances(row, rows, metric) for row in rows])
    assert (table >= 0).all()
    np.testing.assert_array_equal(table, table.T)
    if metric == "cosine":
        assert (table <= 2 + 1e-6).all()


def test_a_zero_vector_has_cosine_0_with_all_but_itself() -> None:
    rows = np.array([[0, 0], [1, 0], [0, -1]], dtype=np.float32)
    assert vectors.distances(rows[0], rows, "cosine").tolist() == [0, 1, 1]
    assert vectors.distances(rows[1], rows, "cosine").tolist() == [1, 0, 1]


@settings(max_examples=10)
@given(st.integers(0, 2**32), metrics)
def test_more_rows_than_one_step(seed: int, metric: Metric) -> None:
    rng = np.random.default_rng(seed)
    rows = vectors.comparable(rng.normal(size=(20_000, 3)).astype(np.float32), metric)
    doubles = rows.astype(np.float64)
    np.testing.assert_allclose(
        vectors.distances(rows[5], rows, metric), _plain(doubles[5], doubles, metric), atol=1e-5
    )


@pytest.mark.parametrize("metric", METRICS)
def test_no_rows(metric: Metric) -> None:
    none = np.empty((0, 4), dtype=np.float32)
    assert vectors.comparable(none, metric).shape == (0, 4)
    assert vectors.distances(np.ones(4, dtype=np.float32), none, metric).shape == (0,)


@given(st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=20))
def test_scores(values: list[float]) -> None:
    distances = np.array(values, dtype=np.float32)
    for metric in ("cosine", "l2", "l1"):
        scores = vectors.scores(distances, metric)
        np.testing.assert_allclose(scores, 1 / (1 + distances.astype(np.float64)), rtol=1e-6)
        assert scores.dtype == np.float32
    assert vectors.scores(distances, "ip").tolist() == (-distances).tolist()


def test_large_embeddings_do_not_overflow() -> None:
    rows = np.full((1, 4), 1e30, dtype=np.float32)
    units, norms = vectors.pack(rows)
    assert units.tolist() == [[0.5] * 4]
    assert norms[0] == pytest.approx(2e30)


def test_rows_that_are_a_view_are_taken() -> None:
    rows: Any = np.arange(24, dtype=np.float64).reshape(4, 6)[::2, ::3] + 1
    copy = np.array(rows, dtype=np.float32)
    np.testing.assert_array_equal(vectors.comparable(rows, "l2"), vectors.comparable(copy, "l2"))


@settings(deadline=None)
@given(embeddings(), st.sampled_from(METRICS))
def test_the_rough_order_is_the_exact_one_but_for_its_error(
    rows: FloatArray, metric: Metric
) -> None:
    units, norms = vectors.pack(rows)
    comparable = vectors.unpack(units, norms, metric)
    far, error = vectors.rough(comparable[0], units, norms, metric)
    distances = vectors.distances(comparable[0], comparable, metric)
    if comparable[0].any() and np.isfinite(far).all():
        certain = far[:, None] + 2 * error < far[None, :]
        assert (distances[:, None] <= distances[None, :])[certain].all()


def test_halves_are_widened_as_numpy_does() -> None:
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    np.testing.assert_array_equal(
        vectors.widened(halves).view(np.uint32), halves.astype(np.float32).view(np.uint32)
    )
