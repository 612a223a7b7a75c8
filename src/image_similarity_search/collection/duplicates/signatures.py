"""Reading the signatures of many images, in worker processes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.collection.duplicates.signing import COLOUR_SIDE, SIDE, SIGNATURE_BYTES
from image_similarity_search.collection.pipeline import MEMORY_LIMIT
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
    pool = Pool(_WORK, available_processors(), MEMORY_LIMIT)
    ahead: deque[tuple[int, Future[Answer]]] = deque()
    try:
        for record in records:
            ahead.append((record.id, pool.submit(os.fsencode(record.path), time_limit)))
            if len(ahead) >= _AHEAD:
                id_, future = ahead.popleft()
                yield id_, future.result()
        for id_, future in ahead:
            yield id_, future.result()
    finally:
        pool.close()
