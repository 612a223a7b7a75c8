"""An encoder at work: checked, and called by no more threads at once than it allows."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np

from image_similarity_search.collection.pipeline import BATCH
from image_similarity_search.encoders.base import Encoder
from image_similarity_search.errors import EncoderError, EncoderOutputError
from image_similarity_search.processors import available_processors
from image_similarity_search.types import FloatArray, PixelArray


class Embedder:
    """Calls one encoder for many threads.

    Attributes:
        encoder: the encoder.
        at_once: how many calls make it busy: one for each processor where its ``thread_safe`` is
            true, otherwise one.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.at_once = available_processors() if getattr(encoder, "thread_safe", False) else 1
        self._calls = threading.Semaphore(self.at_once)

    def embed(self, views: Sequence[PixelArray]) -> FloatArray:
        """Embed what the encoder sees of pictures, ``(crop, crop, 3)`` each, as ``(n, dim)``.

        Raises:
            EncoderOutputError: an exception came back, or another shape.
        """
        try:
            with self._calls:
                embeddings = np.asarray(self.encoder.encode(np.stack(views)), dtype=np.float32)
        except EncoderError:
            raise
        except Exception as error:  # an encoder may be anybody's, and raise anything
            problem = f"an error: {type(error).__name__}: {error}"
            raise EncoderOutputError(self.encoder.name, problem) from error
        expected = (len(views), self.encoder.dim)
        if embeddings.shape != expected:
            raise EncoderOutputError(
                self.encoder.name, f"shape {embeddings.shape}, expected {expected}"
            )
        return embeddings

    def embed_to_keep(self, views: Sequence[PixelArray]) -> FloatArray:
        """The same of pictures to index: one without a finite embedding is bad, if others have one.

        Raises:
            EncoderOutputError: as ``embed``, or it gives no finite embedding of any picture.
        """
        embeddings = self.embed(views)
        if not np.isfinite(embeddings).all(axis=1).any():  # it may be the encoder, not the pictures
            self._check()
        return embeddings

    def embed_in_batches(self, views: Iterable[PixelArray]) -> FloatArray:
        """As ``embed``, of any number of pictures, of which few are held at once.

        Raises:
            EncoderOutputError: as ``embed``.
        """
        left, parts = iter(views), [np.empty((0, self.encoder.dim), dtype=np.float32)]
        while batch := list(islice(left, BATCH)):
            parts.append(self.embed(batch))
        return np.concatenate(parts)

    def _check(self) -> None:
        """Refuse an encoder that gives no finite embedding of a picture that is as good as any."""
        side = self.encoder.preprocessing.crop
        noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
        if not np.isfinite(self.embed([noise])).all():
            problem = (
                "NaN or infinite values for every picture: check its weights, mean and std,"
                " or run it on another device; no picture is skipped for that"
            )
            raise EncoderOutputError(self.encoder.name, problem)
