"""Pictures of strangers, embedded: decoded by processes that may crash, encoded together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Self

import numpy as np

from image_similarity_search.collection.batches import Batches
from image_similarity_search.collection.embedding import Embedder
from image_similarity_search.collection.orientations import UPRIGHT, Way, seen_in
from image_similarity_search.collection.pipeline import BATCH
from image_similarity_search.collection.query_decoder import Wish, request, result
from image_similarity_search.errors import (
    EncoderOutputError,
    ImageTooSlowError,
    ImageUnreadableError,
)
from image_similarity_search.processors import available_processors
from image_similarity_search.types import (
    FloatArray,
    PixelArray,
    Region,
    checked_count,
    checked_seconds,
)
from image_similarity_search.workers.pool import Pool
from image_similarity_search.workers.worker import Answer

UPLOAD_PIXELS = 100_000_000
"""Pixels that an uploaded picture may have."""

UPLOAD_SECONDS = 20.0
"""Seconds that decoding it may take."""

_DECODER = "image_similarity_search.collection.query_decoder:answer"
_BYTES_A_PIXEL = 24  # of memory that the hungriest format, JPEG 2000 with transparency, takes
_WORTH = 8  # views: to encode so many at once takes a tenth less, to search by them a third
_LEAST_MEMORY = 512 * 1024**2


class Uploads:
    """Embeds pictures for many callers at once; made by ``Collection.uploads``.

    A picture that crashes the decoder, hangs or eats memory costs its own caller an error. Those
    that wait for the encoder together are encoded together; it is made at the first of them. Close
    it, or use it as a context manager.
    """

    def __init__(self, embedder: Callable[[], Embedder], max_pixels: int, seconds: float) -> None:
        expected = "a number of pixels, at least 1"
        self._max_pixels = checked_count("max_pixels", max_pixels, expected)
        self._seconds = checked_seconds("seconds", seconds)
        memory = max(_LEAST_MEMORY, _BYTES_A_PIXEL * self._max_pixels)
        self._pool = Pool(_DECODER, available_processors(), memory)
        self._embedder = embedder
        self._making = threading.Lock()
        self._made: _Encoding | None = None

    def prepare(self) -> None:
        """Start the first decoding process ahead of the first picture."""
        self._pool.prepare()

    def embed(
        self, data: bytes, region: Region | None = None, ways: Sequence[Way] | None = None
    ) -> Future[FloatArray]:
        """The embedding ``(dim,)`` of a picture, or of a part of it; returns at once.

        With ``ways`` it is seen in each of them, and the embeddings are ``(ways, dim)``. Where the
        future is cancelled, the picture is not decoded if that has not begun, and not encoded.

        Raises:
            EncoderError: the encoder can't be made.

        The future raises:
            ImageUnreadableError: it is no picture, or the decoder did not survive it.
            ImageTooLargeError: it has too many pixels.
            ImageTooSlowError: it takes too long to decode.
            EncoderOutputError: the encoder gave no finite embedding.
            WorkerUnavailableError: no process can be started.
        """
        encoding = self._encoding()
        embedding: Future[FloatArray] = Future()
        wish = Wish(encoding.preprocessing, region, self._max_pixels)

        def encode(answered: Future[Answer]) -> None:
            if not embedding.set_running_or_notify_cancel():  # nobody waits for it any more
                encoding.batches.give_up()
                return
            try:
                view = encoding.view(self._decoded(answered.result())[0])
            except BaseException as error:  # somebody waits for it
                encoding.batches.give_up()
                embedding.set_exception(error)
            else:
                waiting = _Waiting(seen_in(view, ways or UPRIGHT), not ways, embedding)
                encoding.batches.put(waiting, expected=True)

        encoding.batches.expect()
        answer = self._pool.submit(request(data, wish), self._seconds)
        answer.add_done_callback(encode)
        embedding.add_done_callback(lambda it: it.cancelled() and answer.cancel())
        return embedding

    def thumbnail(self, data: bytes) -> bytes:
        """A small upright JPEG of a picture; raises what the future of ``embed`` does."""
        return self._small(data, Wish(None, None, self._max_pixels))

    def preview(self, data: bytes) -> bytes:
        """A larger one to look at, of up to 1,440 pixels a side; raises what ``thumbnail`` does."""
        return self._small(data, Wish(None, None, self._max_pixels, preview=True))

    def _small(self, data: bytes, wish: Wish) -> bytes:
        return self._decoded(self._pool.submit(request(data, wish), self._seconds).result())[0]

    def view(self, data: bytes, region: Region | None = None) -> tuple[PixelArray, Region]:
        """What the encoder sees of a picture or a region of it, ``(crop, crop, 3)``, and where.

        The second is a part of the whole picture. Raises what ``embed`` and its future do.
        """
        encoding = self._encoding()
        wish = Wish(encoding.preprocessing, region, self._max_pixels)
        answer = self._pool.submit(request(data, wish), self._seconds).result()
        pixels, width, height = self._decoded(answer)
        return encoding.view(pixels), encoding.preprocessing.seen(width, height, region)

    def close(self) -> None:
        """End the processes and threads; what is under way is not answered."""
        self._pool.close()
        if self._made is not None:
            self._made.batches.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _encoding(self) -> _Encoding:
        with self._making:
            if self._made is None:
                self._made = _Encoding(self._embedder())
            return self._made

    def _decoded(self, answer: Answer) -> tuple[bytes, int, int]:
        failure = answer.failure
        if failure and failure.kind == "late":
            raise ImageTooSlowError("picture", self._seconds)
        if failure and failure.kind == "memory":
            raise ImageUnreadableError("picture", "decoding it takes too much memory")
        if failure:
            raise ImageUnreadableError("picture", "the decoder crashed on it")
        return result(answer.parts[-1])


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Views of one picture; with ``alone``, its one embedding is wanted as ``(dim,)``."""

    views: list[PixelArray]
    alone: bool
    embedding: Future[FloatArray]


class _Encoding:
    """An encoder, and the views that wait for it."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.preprocessing = embedder.encoder.preprocessing
        self.batches: Batches[_Waiting] = Batches(
            "embed",
            embedder.at_once,
            BATCH,
            self._encode,
            worth=_WORTH,
            busy=available_processors(),
        )

    def view(self, pixels: bytes) -> PixelArray:
        """These bytes as what the encoder sees, ``(crop, crop, 3)``."""
        crop = self.preprocessing.crop
        return np.frombuffer(pixels, dtype=np.uint8).reshape(crop, crop, 3)

    def _encode(self, batch: list[_Waiting]) -> None:
        try:
            every = iter(self._embedder.embed([view for item in batch for view in item.views]))
        except BaseException as error:  # somebody waits for it
            for item in batch:
                item.embedding.set_exception(error)
            return
        for item in batch:
            rows = np.stack([next(every) for _ in item.views])
            if np.isfinite(rows).all():
                item.embedding.set_result(rows[0] if item.alone else rows)
            else:
                name = self._embedder.encoder.name
                problem = "no finite embedding of the picture"
                item.embedding.set_exception(EncoderOutputError(name, problem))
