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
from image_similarity_search.collection.pipeline import MEMORY_LIMIT, WAITING_BYTES, Bad, Job
from image_similarity_search.processors import available_processors
from image_similarity_search.types import ImageRecord
from image_similarity_search.workers.pool import Pool
from image_similarity_search.workers.worker import Answer

_AHEAD = 64  # files asked for before the first of them has answered


def looked_at(
    work: str, records: Iterable[ImageRecord], time_limit: float
) -> Iterator[tuple[int, Answer]]:
    """What ``work`` answers for the file of each image, by the image's id, in their order.

    Args:
        work: ``module:function``, as ``Worker`` takes it; it is asked with the path of a file.
        records: the images, whatever their state; of an object a copy is looked at.
        time_limit: seconds for one file. One that takes longer has an answer with a failure.

    Raises:
        WorkerUnavailableError: no process can be started.
        SourceUnavailableError: object storage in which files lie can't be reached.
    """
    jobs = (Job(one.path, Place(0, one.path), stat_of(one), one.id) for one in records)
    ahead: deque[tuple[Job, Future[Answer]]] = deque()
    waiting = 0  # bytes of copies
    with (
        closing(Pool(work, available_processors(), MEMORY_LIMIT)) as pool,
        closing(Copies(time_limit)) as copies,
    ):
        for item in copies.of(jobs):
            if isinstance(item, Job):
                path = os.fsencode(item.copy or item.path)
                ahead.append((item, pool.submit(path, time_limit)))
                waiting += item.copied_bytes
            else:
                reason = item.reason if isinstance(item, Bad) else "no such object"
                yield item.job.known_id or 0, Answer([reason.encode()])
            while len(ahead) >= _AHEAD or waiting > WAITING_BYTES:
                waiting -= ahead[0][0].copied_bytes
                yield _answered(*ahead.popleft(), copies)
        for job, future in ahead:
            yield _answered(job, future, copies)


def _answered(job: Job, future: Future[Answer], copies: Copies) -> tuple[int, Answer]:
    answer = future.result()
    copies.drop(job)
    return job.known_id or 0, answer
