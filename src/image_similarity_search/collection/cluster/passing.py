"""Drives Ray Data on the cluster itself: whoever comes through Ray's client server can't."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from image_similarity_search.collection.cluster.messages import Task
from image_similarity_search.collection.cluster.node import Encoding
from image_similarity_search.collection.pipeline import BATCH

FILES_AT_ONCE = 64
"""Files that an actor is given together, at most: a lost one costs a few times as many."""

_LONGEST = 500  # letters of a reason


class Pass:
    """Has lists of files encoded, one after the other; an actor of Ray.

    ``actors`` is how many encode at once, ``share`` what Ray is told that each takes.
    """

    def __init__(self, task: Task, actors: int, share: dict[str, float]) -> None:
        self._task = task
        self._actors = actors
        self._share = share
        self._batches: Iterator[Any] = iter(())

    def begin(self, jobs: list[bytes]) -> None:
        """Have these jobs answered."""
        self._batches = self._answered(jobs)

    def more(self) -> list[bytes] | str:
        """Some more answers, in any order; none at the end. Text says why it failed."""
        try:
            table = next(self._batches, None)
        except Exception as error:  # Ray could not carry all of them over
            cause = getattr(error, "cause", None) or error
            lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
            return f"{type(cause).__name__}: {lines[-1] if lines else ''}"[:_LONGEST]
        answers: list[bytes] = [] if table is None else table.column("answer").to_pylist()
        return answers

    def _answered(self, jobs: list[bytes]) -> Iterator[Any]:
        data = import_module("ray.data")
        data.DataContext.get_current().enable_progress_bars = False
        some = min(FILES_AT_ONCE, max(BATCH, len(jobs) // (2 * self._actors)))
        blocks = -(-len(jobs) // some)
        dataset = data.from_items(
            [{"job": job} for job in jobs], override_num_blocks=blocks
        ).map_batches(
            Encoding,
            fn_constructor_args=(self._task,),
            batch_format="pyarrow",
            batch_size=some,
            zero_copy_batch=True,
            # which spreads them over the nodes
            compute=data.ActorPoolStrategy(size=min(self._actors, blocks)),
            **self._share,
        )
        for table in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
            if table.num_rows:
                yield table
