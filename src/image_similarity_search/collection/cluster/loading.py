"""Has the files of a sync read, decoded and encoded by Ray Data, a bounded number at a time.

Ray Data streams: it starts the actors, gives each some files ahead, holds back where answers are
not taken, and gives what was lost with an actor or a node to another one.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from itertools import islice

import numpy as np

from image_similarity_search.addresses import is_address
from image_similarity_search.catalog.values import Identity
from image_similarity_search.collection.cluster.connection import Answers, Cluster
from image_similarity_search.collection.cluster.messages import (
    Encoded,
    Stopped,
    Task,
    answer_of,
    asked,
)
from image_similarity_search.collection.identity import stored_spec
from image_similarity_search.collection.pipeline import Bad, Gone, Job, Load, Loaded
from image_similarity_search.encoders.base import Encoder
from image_similarity_search.encoders.registry import is_onnx_file
from image_similarity_search.encoders.table import ENCODERS
from image_similarity_search.errors import ClusterUnavailableError, ConfigError
from image_similarity_search.types import PixelArray

_FILES_PER_ACTOR = 2_000  # of one pass, before the next begins: the actors start anew for each
_LEAST_FILES = 20_000

_NO_PIXELS: PixelArray = np.empty((0, 0, 3), dtype=np.uint8)


def task_for(
    cluster: Cluster, identity: Identity, encoder: Encoder, time_limit: float, *, thumbnails: bool
) -> Task:
    """What the nodes need to know to encode for a collection.

    Raises:
        ConfigError: they can't make its encoder, which goes by no name.
    """
    spec = stored_spec(identity)
    model = spec.model or ""
    if model not in ENCODERS and not model.startswith("timm:") and not is_onnx_file(model):
        expected = "a collection whose model has a name, so that nodes can create it"
        raise ConfigError("on", cluster.address, expected)
    return Task(
        encoder=spec.to_json(),
        fingerprint=encoder.fingerprint,
        device=cluster.device,
        time_limit=time_limit,
        thumbnails=thumbnails,
        processes=cluster.processes,
    )


def loading_on(cluster: Cluster, task: Task) -> Load:
    """What has files encoded on a cluster; their order is lost.

    Raises:
        ClusterUnavailableError: (when it is used) it fails, or a node can't do it.
    """

    def load(jobs: Iterable[Job | Bad | Gone]) -> Generator[Loaded | Bad | Gone]:
        count = max(_LEAST_FILES, _FILES_PER_ACTOR * cluster.actors)
        waiting = iter(jobs)
        with cluster.passing(task) as answers_to:
            while part := list(islice(waiting, count)):
                yield from (item for item in part if not isinstance(item, Job))
                if whole := [item for item in part if isinstance(item, Job)]:
                    yield from _encoded(cluster, answers_to, whole)

    return load


def _encoded(
    cluster: Cluster, answers_to: Answers, jobs: list[Job]
) -> Iterator[Loaded | Bad | Gone]:
    waited_for = dict(enumerate(jobs))
    for data in answers_to([asked(number, job) for number, job in enumerate(jobs)]):
        number, answer = answer_of(data)
        if isinstance(answer, Stopped):
            raise ClusterUnavailableError(cluster.address, answer.reason)
        job = waited_for.pop(number, None)
        if job is None:  # it was answered before an actor was lost, and again by another
            continue
        if isinstance(answer, Encoded):
            yield Loaded(
                job,
                answer.content_hash,
                answer.width,
                answer.height,
                _NO_PIXELS,
                answer.thumbnail,
                answer.traits,
                answer.embedding,
            )
        elif answer.reason:
            yield Bad(job, answer.content_hash, answer.reason)
        elif not is_address(job.path) and os.path.lexists(job.path):
            raise ClusterUnavailableError(
                cluster.address,
                f"{job.path} does not exist on the node {answer.node}: every node must have"
                " the folder under the same path",
            )
        else:
            yield Gone(job)
    if waited_for:
        raise ClusterUnavailableError(
            cluster.address, f"{len(waited_for):,} of {len(jobs):,} files were not answered"
        )
