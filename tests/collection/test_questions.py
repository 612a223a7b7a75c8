"""Searches of several callers at once: each gets what it would get alone."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from image_similarity_search.collection import Collection
from image_similarity_search.collection.examples import Example
from image_similarity_search.collection.questions import Question
from image_similarity_search.collection.search import Searcher
from image_similarity_search.errors import ConfigError, FolderNotFoundError, ImageNotFoundError
from image_similarity_search.filters import Filter
from image_similarity_search.types import Hit


def test_each_gets_what_it_would_get_alone(
    collection: Collection, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.sync(photos)
    ids = [image.id for image in collection]
    embedding = collection.embed([next(iter(collection)).path])[0]
    wide = Filter(orientation="landscape")
    questions = [
        Question([Example(ids[0])], k=3),
        Question([Example(embedding)], k=4),
        Question([Example(ids[1])], k=3, leave_out=[ids[2]]),
        Question([Example(ids[1]), Example(embedding, -0.3)], k=len(ids)),
        Question([Example(ids[2])], threshold=0.6),
        Question([Example(ids[2])], where=wide),
        Question([Example(ids[0])], where=wide),
    ]
    alone = [
        collection.search_by_examples(
            q.examples, q.k, threshold=q.threshold, where=q.where, leave_out=q.leave_out
        )
        for q in questions
    ]
    assert alone[0] == collection.search(ids[0], 3)
    asked: list[int] = []
    nearest = Searcher.nearest_to_each

    def counted(self: Searcher, rows: list[float], *more: object) -> list[list[Hit]]:
        asked.append(len(rows))
        return nearest(self, rows, *more)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(Searcher, "nearest_to_each", counted)
    assert collection.search_each(questions) == alone
    assert asked == [3, 2, 2]  # about as deep: 4 to 7, 8 to 15; and among the same images


def test_what_is_wrong_costs_its_own_caller_alone(collection: Collection, photos: Path) -> None:
    collection.sync(photos)
    good = Question([Example(1)], k=3)
    bad = {
        ImageNotFoundError: Question([Example(99)]),
        FolderNotFoundError: Question([Example(1)], where=Filter(folder=photos / "none")),
    }
    wrong = [
        Question([Example(1)], k=0),
        Question([Example(1)], threshold=math.nan),
        Question([Example(1)], threshold=90),
        Question([Example(1, -1.0)]),
    ]
    answers = collection.search_each([good, *bad.values(), *wrong, good])
    assert answers[0] == answers[-1] == collection.search(1, 3)
    for kind, answer in zip(bad, answers[1:], strict=False):
        assert isinstance(answer, kind)
    assert all(isinstance(answer, ConfigError) for answer in answers[3:-1])
    assert collection.search_each([]) == []
