"""What runs on a node: files in, embeddings out."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

from image_similarity_search.collection.cluster.messages import (
    Answer,
    Encoded,
    Refused,
    Stopped,
    Task,
    answered,
    job_of,
)
from image_similarity_search.collection.copies import with_copies
from image_similarity_search.collection.embedding import Embedder
from image_similarity_search.collection.pipeline import BATCH, Bad, Decoders, Gone, Job, Loaded
from image_similarity_search.encoders import registry
from image_similarity_search.encoders.spec import EncoderSpec
from image_similarity_search.errors import ImageSearchError


class Encoding:
    """Decodes and encodes, in a process of its own; an actor of Ray."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._embedder: Embedder | None = None
        self._decoders = Decoders(processes=task.processes, lasting=True)

    def __call__(self, table: Any) -> Any:
        """The answers to the jobs in a column ``job`` of a table of pyarrow, in the same form."""
        import pyarrow as pa

        jobs = [job_of(data) for data in table.column("job").to_pylist()]
        answers: list[bytes] = []
        try:
            answers.extend(answered(number, answer) for number, answer in self._answers(jobs))
        except ImageSearchError as error:  # as it is, it would not come through
            reason = f"{error} (on {socket.gethostname()})"
            answers = [answered(jobs[0].known_id or 0, Stopped(reason))]
        return pa.table({"answer": pa.array(answers, pa.binary())})

    def _answers(self, jobs: list[Job]) -> Iterator[tuple[int, Answer]]:
        task, embedder = self._task, self._ready()
        if embedder.encoder.fingerprint != task.fingerprint:
            reason = (
                f"the model is {embedder.encoder.fingerprint} there, not {task.fingerprint}:"
                " install the same version of this package, and the same files, on each node"
            )
            yield jobs[0].known_id or 0, Stopped(f"{reason} ({socket.gethostname()})")
            return
        load = partial(
            self._decoders.load_all,
            preprocessing=embedder.encoder.preprocessing,
            time_limit=task.time_limit,
            thumbnails=task.thumbnails,
        )
        loaded = with_copies(load, task.time_limit)(jobs)
        while part := list(islice(loaded, BATCH)):
            yield from _encoded(part, embedder)

    def _ready(self) -> Embedder:
        if self._embedder is None:
            spec = EncoderSpec.from_json(self._task.encoder)
            self._embedder = Embedder(registry.create(spec, self._task.device))  # type: ignore[arg-type]  # checked there
        return self._embedder


def _encoded(items: list[Loaded | Bad | Gone], embedder: Embedder) -> Iterator[tuple[int, Answer]]:
    good = [item for item in items if isinstance(item, Loaded)]
    embeddings = iter(embedder.embed_to_keep([item.pixels for item in good]) if good else ())
    for item in items:
        number = item.job.known_id or 0
        if isinstance(item, Loaded):
            yield (
                number,
                Encoded(
                    item.content_hash,
                    item.width,
                    item.height,
                    next(embeddings),
                    item.thumbnail,
                    item.traits,
                ),
            )
        elif isinstance(item, Bad):
            yield number, Refused(item.content_hash, item.reason, "")
        else:
            yield number, Refused(None, "", socket.gethostname())
