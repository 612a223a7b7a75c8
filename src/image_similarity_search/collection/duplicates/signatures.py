"""Reading the signatures of many images, in worker processes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.catalog.places import Place
from image_similarity_search.collection.copies import Copies
from image_similarity_search.collection.duplicates.signing import COLOUR_SIDE, SIDE, SIGNATURE_BYTES
from image_similarity_search.collection.lookup import stat_of
from image_similarity_search.collection.pipeline import MEMORY_LIMIT, Bad, Job
from image_similarity_search.processors import available_processors
from image_similarity_search.types import IdArray, ImageRecord, PixelArray
from image_similarity_search.workers.pool import Pool
from image_similarity_search.workers.worker import Answer

_WORK = "image_similarity_search.collection.duplicates.signing:answer"
_AHEAD = 64  # files asked for before the first of them has answered


@dataclass(frozen=True, slots=True)
class Signatures:
    """What images look like, small: uint8 ``grey`` ``(n, 32, 32)``, ``colours`` ``(n, 4, 4, 3)``.

    ``rows`` has the position of an image by its id; ``unreadable`` the reasons of those without.
    """

    grey: PixelArray
    colours: PixelArray
    rows: dict[int, int]
    unreadable: dict[int, str]

    @property
    def ids(self) -> IdArray:
        """The ids ``(n,)`` by position."""
        return np.fromiter(self.rows, dtype=np.int64, count=len(self.rows))


def read_signatures(records: Iterable[ImageRecord], count: int, time_limit: float) -> Signatures:
    """The signatures of the files of at most ``count`` images, whatever their state.

    Raises:
        WorkerUnavailableError: no process can be started.
        SourceUnavailableError: object storage in which files lie can't be reached.
    """
    data: NDArray[np.uint8] = np.empty((count, SIGNATURE_BYTES), dtype=np.uint8)
    rows: dict[int, int] = {}
    unreadable: dict[int, str] = {}
    for id_, answer in _answers(records, time_limit):
        if answer.failure:
            unreadable[id_] = "decoding it ends the process, or takes too long"
        elif len(answer.parts[-1]) == SIGNATURE_BYTES:
            data[len(rows)] = np.frombuffer(answer.parts[-1], dtype=np.uint8)
            rows[id_] = len(rows)
        else:
            unreadable[id_] = answer.parts[-1].decode()
    kept = data[: len(rows)]
    grey, colours = kept[:, : SIDE * SIDE], kept[:, SIDE * SIDE :]
    return Signatures(
        grey.reshape(-1, SIDE, SIDE),
        colours.reshape(-1, COLOUR_SIDE, COLOUR_SIDE, 3),
        rows,
        unreadable,
    )


def _answers(records: Iterable[ImageRecord], time_limit: float) -> Iterator[tuple[int, Answer]]:
    jobs = (Job(one.path, Place(0, one.path), stat_of(one), one.id) for one in records)
    ahead: deque[tuple[Job, Future[Answer]]] = deque()
    with (
        closing(Pool(_WORK, available_processors(), MEMORY_LIMIT)) as pool,
        closing(Copies(time_limit)) as copies,
    ):
        for item in copies.of(jobs):
            if isinstance(item, Job):
                path = os.fsencode(item.copy or item.path)
                ahead.append((item, pool.submit(path, time_limit)))
            else:
                reason = item.reason if isinstance(item, Bad) else "no such object"
                yield item.job.known_id or 0, Answer([reason.encode()])
            if len(ahead) >= _AHEAD:
                yield _answered(*ahead.popleft(), copies)
        for job, future in ahead:
            yield _answered(job, future, copies)


def _answered(job: Job, future: Future[Answer], copies: Copies) -> tuple[int, Answer]:
    answer = future.result()
    copies.drop(job)
    return job.known_id or 0, answer
