"""The searches of one collection: those that wait for their turn together are made together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TypeAlias

from image_similarity_search.collection import Collection
from image_similarity_search.collection.batches import Batches
from image_similarity_search.collection.examples import Example
from image_similarity_search.collection.questions import Question
from image_similarity_search.errors import ImageSearchError
from image_similarity_search.service.requests import FilterIn
from image_similarity_search.service.roots import Roots
from image_similarity_search.service.schemas import SearchOut
from image_similarity_search.types import FloatArray, Metric, Threshold

_THREADS = 1
_AT_ONCE = 32

_Answer: TypeAlias = "str | BaseException"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request searches for, without options; ``where`` is not checked yet."""

    examples: list[Example]
    k: int
    threshold: Threshold | None
    where: FilterIn | None
    started: float

    def question(self, roots: Roots) -> Question:
        """The same, as the collection takes it.

        Raises:
            ConfigError, FolderNotFoundError: a condition is not allowed.
        """
        where = self.where.where(roots) if self.where else None
        return Question(self.examples, self.k, self.threshold, where)


class Searches:
    """Answers the searches of many requests. Close it."""

    def __init__(self, collection: Collection, name: str, metric: Metric) -> None:
        self._collection = collection
        self._name = name
        self._metric = metric
        self._batches: Batches[tuple[Wanted, asyncio.Future[str]]] = Batches(
            "search", _THREADS, _AT_ONCE, self._answer
        )

    async def find(self, wanted: Wanted) -> str:
        """The answer to a search, as JSON.

        Raises:
            ImageSearchError: as ``Collection.search_by_examples`` does.
        """
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._batches.put((wanted, answer))
        return await answer

    async def find_by(self, embedding: Future[FloatArray], wanted: Wanted) -> str:
        """The same, by an embedding that is being made, which takes the examples' place.

        Those that were encoded together are searched for together.

        Raises:
            ImageSearchError: the same, or what the embedding raises.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()

        def search(made: Future[FloatArray]) -> None:
            if made.cancelled():
                return
            error = made.exception()
            if error is None:
                examples = [Example(made.result())]
                self._batches.put((replace(wanted, examples=examples), answer))
            else:
                loop.call_soon_threadsafe(_settle, [answer], [error])

        embedding.add_done_callback(search)
        try:
            return await answer
        finally:
            embedding.cancel()  # what nobody waits for any more

    def close(self, seconds: float) -> None:
        """Wait for those that are under way, so long at most."""
        self._batches.close(seconds)

    def _answer(self, batch: list[tuple[Wanted, asyncio.Future[str]]]) -> None:
        batch = [one for one in batch if not one[1].cancelled()]
        if not batch:
            return
        try:
            answers = self._answered([wanted for wanted, _ in batch])
        except BaseException as error:  # somebody waits for it
            answers = [error] * len(batch)
        futures = [future for _, future in batch]
        futures[0].get_loop().call_soon_threadsafe(_settle, futures, answers)

    def _answered(self, batch: list[Wanted]) -> list[_Answer]:
        roots = Roots(self._collection.roots())
        answers: list[_Answer] = [""] * len(batch)
        asked: dict[int, Question] = {}
        for number, wanted in enumerate(batch):
            try:
                asked[number] = wanted.question(roots)
            except ImageSearchError as error:
                answers[number] = error
        found = self._collection.search_each(list(asked.values()))
        for number, hits in zip(asked, found, strict=True):
            if isinstance(hits, ImageSearchError):
                answers[number] = hits
                continue
            wanted = batch[number]
            seconds = time.perf_counter() - wanted.started
            answers[number] = SearchOut.json_of(
                hits, wanted.k, self._metric, seconds, self._name, roots
            )
        return answers


def _settle(futures: Sequence[asyncio.Future[str]], answers: Sequence[_Answer]) -> None:
    """Give each its answer, in the thread of the loop."""
    for future, answer in zip(futures, answers, strict=True):
        if future.done():  # nobody waits for it any more
            continue
        if isinstance(answer, str):
            future.set_result(answer)
        else:
            future.set_exception(answer)
