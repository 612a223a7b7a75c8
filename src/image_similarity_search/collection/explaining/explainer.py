"""From what an encoder sees of two pictures to why they are alike."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.collection.embedding import Embedder
from image_similarity_search.collection.explaining.contributions import (
    is_average_of,
    matches_of,
    parts_of,
)
from image_similarity_search.collection.explaining.explanation import (
    EXPLAIN_METHODS,
    Compared,
    ExplainMethod,
    Explanation,
    Seen,
)
from image_similarity_search.collection.explaining.occlusion import falls_of
from image_similarity_search.collection.queries import Picture, image_of, pixels_of
from image_similarity_search.encoders.base import Encoder
from image_similarity_search.encoders.feature_maps import feature_encoder
from image_similarity_search.encoders.onnx import OnnxEncoder
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.errors import ConfigError, EncoderOutputError
from image_similarity_search.types import FloatArray, Metric, PixelArray, Region

_SUMS: tuple[Metric, ...] = ("cosine", "ip")
"""The metrics whose similarity is a sum over places."""


_SHOWN = 512  # pixels of the short side of what is drawn


class Explainer:
    """Compares pictures with one encoder; several threads may call it."""

    def __init__(self, embedder: Callable[[], Embedder], metric: Metric) -> None:
        """With the embedder that is made when it is first asked for."""
        self._embedder = embedder
        self._metric = metric
        self._making = threading.Lock()
        self._made = False
        self._features: OnnxEncoder | None = None

    def compared(
        self, query: PixelArray, hit: PixelArray, method: ExplainMethod | None = None
    ) -> Compared:
        """Why two views ``(crop, crop, 3)`` are alike; by ``places`` where that can be said.

        Raises:
            ConfigError: there is no such method, or the encoder or metric does not allow it.
            EncoderOutputError: the encoder fails.
        """
        if method not in (None, *EXPLAIN_METHODS):
            raise ConfigError("method", method, f"one of {', '.join(EXPLAIN_METHODS)}")
        embedder = self._embedder()
        encoder = embedder.encoder
        embeddings = embedder.embed([query, hit])
        if not np.isfinite(embeddings).all():
            raise EncoderOutputError(encoder.name, "no finite embedding")
        rows = vectors.comparable(embeddings, self._metric)
        maps = None
        if method != "occlusion" and self._metric in _SUMS:
            maps = self._maps(encoder, np.stack([query, hit]), embeddings)
        if maps is None and method == "places":
            expected = (
                f"occlusion: {encoder.name} with {self._metric} does not support places, which"
                " needs the metric cosine or ip and a network that averages its last features"
            )
            raise ConfigError("method", method, expected)
        distance = vectors.distances(rows[0], rows[1:], self._metric)
        similarity, score = (
            self._alike(rows[0], rows[1:])[0],
            vectors.scores(distance, self._metric),
        )
        how = self._metric, float(similarity), float(distance[0]), float(score[0])
        if maps is None:
            query_falls, hit_falls = (
                falls_of(view, partial(self._likeness, row), embedder.embed_in_batches)
                for view, row in ((query, rows[1]), (hit, rows[0]))
            )
            return Compared("occlusion", *how, query_falls, hit_falls)
        parts = parts_of(maps[0], rows[0], rows[1]), parts_of(maps[1], rows[1], rows[0])
        return Compared("places", *how, *parts, matches_of(*maps, *rows))

    def explained(
        self, query: Picture, hit: Picture, region: Region | None, method: ExplainMethod | None
    ) -> Explanation:
        """The same of two pictures, or of a part of the first; with the pictures.

        Raises:
            ImageError: one of them can't be read.
            ConfigError: ``region`` is none.
        """
        if not isinstance(region, Region | None):
            raise ConfigError("region", region, "a Region")
        preprocessing = self._embedder().encoder.preprocessing
        query_seen, hit_seen = _seen(query, preprocessing, region), _seen(hit, preprocessing, None)
        views = pixels_of(query, preprocessing, region), pixels_of(hit, preprocessing)
        return Explanation(self.compared(*views, method), query_seen, hit_seen)

    def _maps(
        self, encoder: Encoder, views: PixelArray, embeddings: FloatArray
    ) -> FloatArray | None:
        """Feature maps ``(n, rows, columns, dim)``, where the embeddings are their means."""
        with self._making:
            if not self._made:
                self._features, self._made = feature_encoder(encoder), True
        if self._features is None:
            return None
        try:
            maps = self._features.features(views)
        except EncoderOutputError:  # what is averaged has other axes than a picture's
            return None
        return maps if all(map(is_average_of, maps, embeddings)) else None

    def _likeness(self, row: FloatArray, embeddings: FloatArray) -> FloatArray:
        return self._alike(row, vectors.comparable(embeddings, self._metric))

    def _alike(self, row: FloatArray, rows: FloatArray) -> FloatArray:
        distances = vectors.distances(row, rows, self._metric)
        if self._metric == "cosine":
            return np.asarray(1 - distances, dtype=np.float32)
        return vectors.scores(distances, self._metric)  # of ip, the inner product


def _seen(picture: Picture, preprocessing: Preprocessing, region: Region | None) -> Seen:
    image = image_of(picture, _SHOWN)
    image.thumbnail((2 * _SHOWN, 2 * _SHOWN))
    return Seen(image, preprocessing.seen(*image.size, region))
