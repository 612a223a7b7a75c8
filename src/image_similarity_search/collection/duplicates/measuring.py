"""Measuring how sharp images are, in worker processes, where something depends on it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from image_similarity_search.collection.looking import looked_at
from image_similarity_search.types import ImageRecord
from image_similarity_search.workers.worker import Answer

_WORK = "image_similarity_search.collection.duplicates.sharpness:answer"


def measured(
    images: Collection[ImageRecord], time_limit: float, step: Callable[[int], None]
) -> Mapping[int, float]:
    """The sharpness of images by their ids, without those that can't be read in full.

    Raises:
        WorkerUnavailableError: no process can be started.
        SourceUnavailableError: object storage in which files lie can't be reached.
    """
    found: dict[int, float] = {}
    for id_, answer in looked_at(_WORK, images, time_limit):
        value = _value(answer)
        if value is not None:
            found[id_] = value
        step(1)
    return found


def _value(answer: Answer) -> float | None:
    if answer.failure:
        return None
    try:
        return float(answer.parts[-1])
    except ValueError:  # empty, or why there is no copy of an object
        return None
