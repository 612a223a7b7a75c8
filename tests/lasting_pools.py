"""Pools of processes that serve one user after the other: to start a process takes long."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import Future
from typing import ClassVar

from image_similarity_search.workers.pool import Pool
from image_similarity_search.workers.worker import Answer


class LastingPool:
    """A pool whose processes go to the next of its kind when it is closed with nothing to do."""

    _spare: ClassVar[defaultdict[tuple[str, int, int], list[Pool]]] = defaultdict(list)

    def __init__(self, work: str, most: int, memory: int) -> None:
        self._others = self._spare[work, most, memory]
        self._pool = self._others.pop() if self._others else Pool(work, most, memory)
        self._asked: list[Future[Answer]] = []
        self._closed = False

    def prepare(self) -> None:
        self._pool.prepare()

    def submit(self, request: bytes, seconds: float) -> Future[Answer]:
        answer: Future[Answer]
        if self._closed:
            answer = Future()
            answer.cancel()
        else:
            answer = self._pool.submit(request, seconds)
            self._asked = [*(asked for asked in self._asked if not asked.done()), answer]
        return answer

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if all(answer.done() for answer in self._asked):
            self._others.append(self._pool)
        else:
            self._pool.close()

    @classmethod
    def end(cls) -> None:
        """End the processes that nobody has."""
        for pools in cls._spare.values():
            while pools:
                pools.pop().close()
