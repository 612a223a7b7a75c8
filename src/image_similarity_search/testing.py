"""Checks for encoders and stores of your own.

::

    from image_similarity_search.testing import check_encoder

    def test_my_encoder():
        check_encoder(MyEncoder())

Each raises ``AssertionError`` saying which promise is broken. They need nothing but NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Never, TypeAlias

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.encoders.base import flaw_of
from image_similarity_search.errors import ImageSearchError, StoreDimensionError
from image_similarity_search.types import (
    METRICS,
    NEW,
    FloatArray,
    IdArray,
    Metric,
    Moment,
    PixelArray,
)

if TYPE_CHECKING:
    from image_similarity_search.encoders.base import Encoder
    from image_similarity_search.stores.base import Store

MakeStore: TypeAlias = "Callable[[int, Metric], Store]"

_SAME_COSINE = 0.99999
_SAME_LENGTH = 1e-3  # relative
_DIM = 48
_ROWS = 600
_RECALL = 0.95  # of an inexact store, after re-ranking its candidates


def check_encoder(encoder: Encoder) -> None:
    """Check that ``encoder`` keeps the promises of ``encoders.base.Encoder``.

    Raises:
        AssertionError: it breaks one.
    """
    flaw = flaw_of(encoder)
    _ensure(not flaw, flaw)
    fingerprint = encoder.fingerprint
    pictures = _pictures(encoder.preprocessing.crop)
    _encoded(encoder, pictures[:0])
    together = _encoded(encoder, pictures)
    before = together.copy()
    backwards = _encoded(encoder, pictures[::-1])[::-1].copy()
    _ensure(
        np.array_equal(together, before), "a later call to encode changed an array returned before"
    )
    again = _encoded(encoder, pictures)
    _same(before, again, "the same batch, encoded twice, gave two results")
    _same(before, backwards, "an embedding depends on the place in the batch")
    alone = np.concatenate([_encoded(encoder, picture[None]) for picture in pictures])
    _same(before, alone, "an embedding depends on the other pictures of the batch")
    _ensure(
        bool(np.ptp(before, axis=0).any()),
        "very different pictures have the same embedding",
    )
    _ensure(encoder.fingerprint == fingerprint, "the fingerprint changed")


def _pictures(crop: int) -> PixelArray:
    """Six pictures that no encoder should confuse: black, white, colours, a ramp, noise."""
    pictures = np.zeros((6, crop, crop, 3), dtype=np.uint8)
    pictures[1] = 255
    pictures[2, :, :, 0] = 200
    pictures[3, :, : crop // 2] = (20, 120, 220)
    pictures[4] = np.linspace(0, 255, crop)[:, None, None]
    pictures[5] = np.random.default_rng(0).integers(0, 256, (crop, crop, 3))
    return pictures


def _encoded(encoder: Encoder, pixels: PixelArray) -> FloatArray:
    given = np.ascontiguousarray(pixels)
    before = given.copy()
    rows: Any = encoder.encode(given)  # whatever it really is
    what = f"encode of {len(pixels)} pictures"
    _ensure(isinstance(rows, np.ndarray), f"{what} returned a {type(rows).__name__}, not an array")
    _ensure(rows.dtype == np.float32, f"{what} returned {rows.dtype}, not float32")
    expected = (len(pixels), encoder.dim)
    _ensure(rows.shape == expected, f"{what} returned shape {rows.shape}, not {expected}")
    _ensure(bool(np.isfinite(rows).all()), f"{what} returned values that are not finite")
    _ensure(np.array_equal(given, before), "encode changed the pixels it was given")
    return np.asarray(rows, dtype=np.float32)


def _same(one: FloatArray, other: FloatArray, complaint: str) -> None:
    """Complain unless rows agree in direction and length."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    scale = lengths[0] * lengths[1]
    cosine = np.where(scale > 0, (a * b).sum(axis=1) / np.where(scale > 0, scale, 1), 1.0)
    _ensure(cosine.min() >= _SAME_COSINE, f"{complaint} (cosine {cosine.min():.6f})")
    close = np.isclose(lengths[0], lengths[1], rtol=_SAME_LENGTH, atol=1e-6)
    _ensure(bool(close.all()), f"{complaint} (lengths {lengths[0]} and {lengths[1]})")


def check_store(
    make_store: MakeStore, *, exact: bool = True, metrics: Iterable[Metric] = METRICS
) -> None:
    """Check that what ``make_store(dim, metric)`` makes keeps the promises of a ``Store``.

    Exact NumPy is the oracle. About 700 vectors are put into each store.

    Args:
        make_store: makes an empty store.
        exact: whether the store finds exactly the nearest. Of one that does not, the candidates
            are re-ranked and at least 95% of the nearest must be among them.
        metrics: those to check.

    Raises:
        AssertionError: a promise is broken.
    """
    for metric in metrics:
        _StoreCheck(make_store, metric, exact).run()


class _StoreCheck:
    """One store beside the rows that it should hold."""

    def __init__(self, make_store: MakeStore, metric: Metric, exact: bool) -> None:
        rng = np.random.default_rng(7)
        centres = rng.normal(size=(40, _DIM))
        raw = centres[rng.integers(0, 40, 2 * _ROWS)] + 0.4 * rng.normal(size=(2 * _ROWS, _DIM))
        self.rows = vectors.comparable(raw.astype(np.float32), metric)
        # FAISS, for one, takes another way for 20 queries and more
        self.queries = self.rows[_ROWS : _ROWS + (25 if exact else 8)]
        self.store = make_store(_DIM, metric)
        self.metric = metric
        self.exact = exact
        self.held: dict[int, FloatArray] = {}

    def run(self) -> None:
        """Lead the store through its life."""
        self.empty("a new store")
        self.put(np.arange(300, dtype=np.int64) * 3 + 5, self.rows[:300], "one batch")
        self.put(np.arange(300, _ROWS, dtype=np.int64) * 3 + 5, self.rows[300:_ROWS], "a large one")
        for at in range(40):  # small batches, among them one of a single row
            self.put(
                np.arange(2 * at, 2 * at + 2) + 10_000, self.rows[at : at + 2], "few rows", at > 38
            )
        self.put(np.array([5, 8]), self.rows[-2:], "ids that are there (they are replaced)")
        twice = np.array([11, 14, 11], dtype=np.int64)
        self.put(twice, self.rows[-5:-2], "an id given twice (the last row counts)")
        self.put(np.empty(0, dtype=np.int64), self.rows[:0], "no rows")
        self.put(np.array([2**40]), self.rows[50:51], "a large id")
        self.put(np.array([20]), self.rows[::-1][:1], "rows that are a reversed view")
        self.limited()
        self.taken(np.array([5, 5, 7_777_777, 8], dtype=np.int64), "some ids, one not there")
        self.taken(np.array([-1, 11], dtype=np.int64), "ids, one of them negative")
        self.taken(np.array(sorted(self.held)[::3], dtype=np.int64), "every third id")
        self.refused()
        self.taken(np.array(sorted(self.held), dtype=np.int64), "all ids")
        self.empty("an emptied store")
        self.put(np.arange(30, dtype=np.int64), self.rows[:30], "rows after all were deleted")

    def put(self, ids: IdArray, rows: FloatArray, what: str, search: bool = True) -> None:
        """Upsert, then see that they are found."""
        self.store.upsert(ids, rows)
        self.held.update(zip(ids.tolist(), rows, strict=True))
        self.agrees(f"after upsert of {what}", search)

    def taken(self, ids: IdArray, what: str) -> None:
        """Delete, then see that they are gone."""
        expected = len(self.held.keys() & set(ids.tolist()))
        count = self.store.delete(ids)
        self.ensure(count == expected, f"delete of {what} returned {count}, not {expected}")
        for id_ in ids.tolist():
            self.held.pop(id_, None)
        self.agrees(f"after delete of {what}", search=bool(self.held))

    def agrees(self, when: str, search: bool) -> None:
        """Length and answers are those of the oracle."""
        count = len(self.store)
        self.ensure(count == len(self.held), f"{when} len is {count}, not {len(self.held)}")
        if search:
            self.answers(when, self.queries, 10)
            self.answers(when, self.queries[:1], 1)
            self.answers(when, self.queries[:2], len(self.held) + 7)

    def limited(self) -> None:
        """Searches among allowed ids only."""
        ids = np.array(sorted(self.held), dtype=np.int64)
        for allowed in (
            ids[::2],
            ids[::37],
            ids[-1:],
            np.append(ids[:4], [-1, 8_888_888]),
            ids[:0],
        ):
            when = f"with {len(allowed)} allowed ids"
            self.answers(when, self.queries, 10, allowed)
            self.answers(when, self.queries[:1], 3, allowed)

    def answers(
        self, when: str, queries: FloatArray, k: int, allowed: IdArray | None = None
    ) -> None:
        """Each query's answer holds the nearest, says the oracle."""
        depth = k if self.exact else self.store.candidates(k)
        found = self.store.search(queries, depth, allowed)
        self.ensure(len(found) == len(queries), f"{when} {len(found)} answers, not {len(queries)}")
        among = sorted(self.held if allowed is None else self.held.keys() & set(allowed.tolist()))
        rows = np.array([self.held[id_] for id_ in among], dtype=np.float32).reshape(-1, _DIM)
        hits = 0
        for query, answer in zip(queries, found, strict=True):
            self.valid(when, answer, among, depth)
            distances = vectors.distances(query, rows, self.metric)
            got = distances[np.searchsorted(among, answer)]
            best = np.sort(distances)[:k]
            hits += min(k, int(np.count_nonzero(got <= best.max(initial=-np.inf))))
            if self.exact and not np.allclose(got, best, rtol=1e-4, atol=1e-4):
                self.fail(f"{when} the {k} nearest are at {best}, those found at {got}")
        wanted = len(queries) * min(k, len(among))
        self.ensure(
            self.exact or hits >= _RECALL * wanted,
            f"{when} {hits} of the {wanted} nearest are among the candidates (k={k})",
        )

    def valid(self, when: str, answer: IdArray, among: list[int], k: int) -> None:
        """As many ids as can be, each of them once, all of them there."""
        if not isinstance(answer, np.ndarray) or answer.dtype != np.int64 or answer.ndim != 1:
            self.fail(f"{when} an answer is no array of int64 ids: {answer!r}")
        expected = min(k, len(among))
        self.ensure(len(answer) == expected, f"{when} {len(answer)} found for {k}, not {expected}")
        self.ensure(len(set(answer.tolist())) == len(answer), f"{when} an id was found twice")
        strangers = set(answer.tolist()) - set(among)
        self.ensure(not strangers, f"{when} ids were found that are not there: {strangers}")

    def empty(self, what: str) -> None:
        """Nothing is there and nothing is found."""
        self.ensure(self.store.dim == _DIM, f"{what} has dim {self.store.dim}, not {_DIM}")
        self.ensure(len(self.store) == 0, f"{what} has len {len(self.store)}")
        self.ensure(self.store.delete(np.array([1])) == 0, f"{what} deleted something")
        for k in (1, 10):
            self.answers(f"in {what}", self.queries, k)
        self.ensure(self.store.search(self.queries[:0], 3) == [], f"{what} answers no query")
        if not self.held and what == "a new store":
            self.ensure(self.store.moment == NEW, f"{what} is of a moment already")
            self.store.moment = Moment(12, 34)
            self.ensure(self.store.moment == (12, 34), f"{what} does not keep its moment")

    def refused(self) -> None:
        """What can't be done is refused with the right error, and changes nothing."""
        thin = self.rows[:2, : _DIM - 1]
        two, negative = np.array([1, 2]), np.array([1, -1])
        self.raises(StoreDimensionError, lambda: self.store.upsert(two, thin), "thin rows")
        self.raises(StoreDimensionError, lambda: self.store.search(thin, 3), "thin queries")
        pair = self.rows[:2]
        self.raises(ImageSearchError, lambda: self.store.upsert(two[:1], pair), "an id too few")
        self.raises(ImageSearchError, lambda: self.store.upsert(negative, pair), "a negative id")
        self.raises(ImageSearchError, lambda: self.store.search(pair, 0), "k = 0")
        self.agrees("after refusing", search=True)

    def raises(
        self, expected: type[ImageSearchError], act: Callable[[], object], what: str
    ) -> None:
        """``act`` raises ``expected``."""
        try:
            act()
        except expected:
            return
        self.fail(f"{what} raised no {expected.__name__}")

    def ensure(self, holds: bool, complaint: str) -> None:
        """Complain, naming the metric, unless ``holds``."""
        _ensure(holds, f"{self.metric}: {complaint}")

    def fail(self, complaint: str) -> Never:
        """Complain; where arrays are shown, which takes long, only where they have to be."""
        raise AssertionError(f"{self.metric}: {complaint}")


def _ensure(holds: object, complaint: str) -> None:
    if not holds:
        raise AssertionError(complaint)
