"""Having worker processes look at the files of images, wherever these lie."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing

from image_similarity_search.catalog.places import Place
from image_similarity_search.collection.copies import Copies
from image_similarity_search.collection.lookup import stat_of
from image_similarity_search.collection.pipeline import MEMORY_LIMIT, WAITING_BYTES, Bad, Gone, Job
from image_similarity_search.processors import available_processors
from image_similarity_search.types import ImageRecord
from image_similarity_search.workers.pool import Pool
from image_similarity_search.workers.worker import Answer

_AHEAD = 64  # files asked for before the first of them has answered


def looked_at(
    work: str, records: Iterable[ImageRecord], time_limit: float
) -> Iterator[tuple[int, Answer]]:
    """As ``answered``, by the image's id; of an object without a copy, the reason is the answer."""
    for record, answer in answered(work, records, time_limit):
        if not isinstance(answer, Answer):
            reason = answer.reason if isinstance(answer, Bad) else "no such object"
            answer = Answer([reason.encode()])
        yield record.id, answer


def answered(
    work: str, records: Iterable[ImageRecord], time_limit: float
) -> Iterator[tuple[ImageRecord, Answer | Bad | Gone]]:
    """Each image, in their order, and what ``work`` answers for its file.

    Args:
        work: ``module:function``, as ``Worker`` takes it; it is asked with the path of a file.
        records: the images, whatever their state; of an object a copy is looked at. One of which
            there is none comes back as ``Bad`` or ``Gone``.
        time_limit: seconds for one file. One that takes longer has an answer with a failure.

    Raises:
        WorkerUnavailableError: no process can be started.
        SourceUnavailableError: object storage in which files lie can't be reached.
    """
    begun: deque[ImageRecord] = deque()
    ahead: deque[tuple[ImageRecord, Job, Future[Answer]]] = deque()
    waiting = 0  # bytes of copies

    def jobs() -> Iterator[Job]:
        for record in records:
            begun.append(record)
            yield Job(record.path, Place(0, record.path), stat_of(record), record.id)

    def first() -> tuple[ImageRecord, Answer]:
        record, job, asked = ahead.popleft()
        answer = asked.result()
        copies.drop(job)
        return record, answer

    with (
        closing(Pool(work, available_processors(), MEMORY_LIMIT)) as pool,
        closing(Copies(time_limit)) as copies,
    ):
        for item in copies.of(jobs()):
            record = begun.popleft()
            if isinstance(item, Job):
                path = os.fsencode(item.copy or item.path)
                ahead.append((record, item, pool.submit(path, time_limit)))
                waiting += item.copied_bytes
            else:
                yield record, item
            while len(ahead) >= _AHEAD or waiting > WAITING_BYTES:
                waiting -= ahead[0][1].copied_bytes
                yield first()
        while ahead:
            yield first()
