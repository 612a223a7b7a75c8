"""Searches of many callers, made together: each gets the answer that it would get alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from image_similarity_search.collection.examples import Example
from image_similarity_search.collection.search import Searcher
from image_similarity_search.errors import ImageSearchError
from image_similarity_search.filters import Filter
from image_similarity_search.types import FloatArray, Hit, Threshold

Answered: TypeAlias = "list[Hit] | ImageSearchError"
"""The hits of a question, or why there are none."""


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody searches for: the arguments of ``search_by_examples`` but its options."""

    examples: Sequence[Example]
    k: int = 10
    threshold: Threshold | None = None
    where: Filter | None = None
    leave_out: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class _Sought:
    """A question whose examples became one comparable vector ``(dim,)``."""

    number: int
    question: Question
    row: FloatArray
    hidden: frozenset[int]
    least: float | None

    @property
    def depth(self) -> int:
        """How many images must be found, for ``k`` to be left."""
        return self.question.k + len(self.hidden)

    def left(self, hits: list[Hit]) -> list[Hit]:
        """Those of the nearest images that are the answer."""
        shown = [hit for hit in hits if hit.id not in self.hidden][: self.question.k]
        least = self.least
        return shown if least is None else [hit for hit in shown if hit.score >= least]


def answered(
    questions: Sequence[Question],
    searcher: Searcher,
    row_of: Callable[[Sequence[Example], int], FloatArray],
    score_of: Callable[[Threshold | None], float | None],
) -> list[Answered]:
    """The answer to each question; those that look for about as much are searched for at once.

    ``row_of`` gives the comparable vector ``(dim,)`` of examples by which ``k`` are looked for,
    ``score_of`` the number that a threshold is.
    """
    answers: list[Answered] = [[] for _ in questions]
    groups: list[list[_Sought]] = []
    for number, question in enumerate(questions):
        try:
            least = score_of(question.threshold)
            row = row_of(question.examples, question.k)
        except ImageSearchError as error:
            answers[number] = error
            continue
        own = {example.id for example in question.examples if example.id is not None}
        hidden = frozenset(own.union(question.leave_out))
        _put(_Sought(number, question, row, hidden, least), groups)
    for group in groups:
        for found, answer in zip(group, _together(group, searcher), strict=True):
            answers[found.number] = answer
    return answers


def _put(found: _Sought, groups: list[list[_Sought]]) -> None:
    """Into the group of those that search among the same images, about as deep."""
    for group in groups:
        first = group[0]
        if first.question.where == found.question.where and (
            first.depth.bit_length() == found.depth.bit_length()
        ):
            group.append(found)
            return
    groups.append([found])


def _together(group: Sequence[_Sought], searcher: Searcher) -> Sequence[Answered]:
    depth = max(found.depth for found in group)
    rows, none = np.stack([found.row for found in group]), [None] * len(group)
    try:
        hits = searcher.nearest_to_each(rows, depth, None, none, group[0].question.where)
    except ImageSearchError as error:
        return [error] * len(group)
    return [found.left(answer) for found, answer in zip(group, hits, strict=True)]
