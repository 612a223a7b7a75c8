"""Decoding processes that serve one collection after the other: to start them takes long."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import ClassVar

from image_similarity_search.collection.pipeline import Bad, Decoders, Gone, Job, Loaded
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.workers.pool import Pool


class LastingDecoders(Decoders):
    """Its processes go to the next when it is closed, unless something went wrong."""

    spare: ClassVar[list[Pool]] = []

    def __init__(self) -> None:
        super().__init__(lasting=True)
        self._at_work = False

    def load_all(
        self,
        jobs: Iterable[Job | Bad | Gone],
        preprocessing: Preprocessing,
        time_limit: float,
        *,
        thumbnails: bool = False,
    ) -> Generator[Loaded | Bad | Gone]:
        self._at_work = True
        yield from super().load_all(jobs, preprocessing, time_limit, thumbnails=thumbnails)
        self._at_work = False

    def _open(self) -> Pool:
        if self._pool is None and self.spare:
            self._pool = self.spare.pop()
        return super()._open()

    def close(self) -> None:
        if self._pool and not self._at_work:
            self.spare.append(self._pool)
            self._pool = None
        super().close()
        self._at_work = False

    @classmethod
    def end(cls) -> None:
        """End the processes that nobody has."""
        while cls.spare:
            cls.spare.pop().close()
