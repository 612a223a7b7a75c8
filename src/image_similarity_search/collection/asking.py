"""From examples to hits: in which ways they are seen, among which images, and how arranged."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.arranging import arranged, deepest, depth
from image_similarity_search.collection.embedding import Embedder
from image_similarity_search.collection.examples import (
    Example,
    check_examples,
    combined,
    refined,
)
from image_similarity_search.collection.lookup import path_of, record_of
from image_similarity_search.collection.orientations import UPRIGHT, Way, seen_in
from image_similarity_search.collection.queries import Picture, is_id, pixels_of
from image_similarity_search.collection.search import Searcher
from image_similarity_search.collection.thumbnails import Thumbnails
from image_similarity_search.errors import ConfigError, EncoderOutputError
from image_similarity_search.filters import Filter
from image_similarity_search.search_options import SearchOptions
from image_similarity_search.types import FloatArray, Hit, Region, Text

if TYPE_CHECKING:  # what few searches need, they import when they do
    from image_similarity_search.collection.folding import Folding


class Asker:
    """Answers searches by examples, of one collection."""

    def __init__(
        self,
        catalog: Catalog,
        searcher: Searcher,
        thumbnails: Thumbnails,
        embedder: Callable[[], Embedder],
        texts: Callable[[Sequence[str]], FloatArray],
    ) -> None:
        """``embedder`` gives the encoder, made when it is needed; ``texts`` embeds words."""
        self._catalog = catalog
        self._searcher = searcher
        self._thumbnails = thumbnails
        self._embedder = embedder
        self._texts = texts

    def hits(
        self,
        examples: Sequence[Example],
        k: int,
        threshold: float | None,
        where: Filter | None,
        leave_out: Sequence[int],
        options: SearchOptions,
    ) -> list[Hit]:
        """As ``Collection.search_by_examples``."""
        if not isinstance(options, SearchOptions):
            raise ConfigError("options", options, "SearchOptions")
        check_examples(examples, k, len(options.ways))
        rows = self._rows(examples, options.ways)
        outside = self._folders(examples) if options.exclude_same_folder else ()
        own = {example.id for example in examples if example.id is not None}
        hidden = own.union(leave_out, options.disliked)
        if options.liked or options.disliked:
            rows = self._refined(rows, options)
        looked_at, folding = depth(k, options), self._folding() if options.fold else None
        while True:
            found = self._nearest(rows, looked_at + len(hidden), threshold, where, outside)
            hits = [hit for hit in found if hit.id not in hidden][:looked_at]
            chosen = arranged(hits, k, options, self._catalog, folding)
            if len(chosen) == k or len(hits) < looked_at or looked_at >= deepest(k):
                return chosen
            looked_at = min(2 * looked_at, deepest(k))

    def _folding(self) -> Folding:
        from image_similarity_search.collection.folding import Folding

        return Folding(self._thumbnails.kept)

    def row(self, examples: Sequence[Example], k: int) -> FloatArray:
        """The comparable vector ``(dim,)`` of examples that are seen as they are.

        Raises:
            ConfigError, ImageError: as ``Collection.search_by_examples``.
        """
        check_examples(examples, k, len(UPRIGHT))
        row: FloatArray = self._rows(examples, UPRIGHT)[0]
        return row

    def _refined(self, rows: FloatArray, options: SearchOptions) -> FloatArray:
        """The vectors to search by, moved by what is liked and disliked."""
        judged = self._searcher.stored([*options.liked, *options.disliked])
        liked, disliked = np.split(judged, [len(options.liked)])
        metric = self._catalog.identity.metric
        return np.stack([refined(row, liked, disliked, metric) for row in rows])

    def _nearest(
        self,
        rows: FloatArray,
        k: int,
        threshold: float | None,
        where: Filter | None,
        outside: Sequence[str],
    ) -> list[Hit]:
        """The ``k`` nearest to any of ``rows``."""
        answers = self._searcher.nearest_to_each(
            rows, k, threshold, [None] * len(rows), where, outside
        )
        if len(answers) == 1:
            return answers[0]
        best: dict[int, Hit] = {}
        for hit in (hit for answer in answers for hit in answer):
            if hit.id not in best or hit.distance < best[hit.id].distance:
                best[hit.id] = hit
        return sorted(best.values(), key=lambda hit: (hit.distance, hit.id))[:k]

    def _rows(self, examples: Sequence[Example], ways: Sequence[Way]) -> FloatArray:
        """The vectors to search by ``(ways, dim)``: what all examples are together in each way."""
        metric = self._catalog.identity.metric
        shape = len(examples), len(ways), self._catalog.identity.dim
        rows = np.empty(shape, dtype=np.float32)
        stored = [
            at
            for at, example in enumerate(examples)
            if example.id is not None
            and example.embedding is None
            and example.region is None
            and tuple(ways) == UPRIGHT
        ]
        if stored:
            rows[stored, 0] = self._searcher.stored([examples[at].id or 0 for at in stored])
        given = {at: e.embedding for at, e in enumerate(examples) if e.embedding is not None}
        words = {at: e.image.words for at, e in enumerate(examples) if isinstance(e.image, Text)}
        if words:
            found = self._texts(list(words.values()))
            given |= dict(zip(words, found[:, None], strict=True))  # the same, whichever way
        for at, embedding in given.items():
            rows[at] = vectors.comparable(self.checked(embedding), metric)
        looked_at = [at for at in range(len(examples)) if at not in given and at not in stored]
        if looked_at:
            seen = ((self.picture(examples[at].image), examples[at].region) for at in looked_at)
            comparable = vectors.comparable(self.encoded(seen, ways), metric)
            rows[looked_at] = comparable.reshape(-1, *shape[1:])
        weights = [example.weight for example in examples]
        return np.stack([combined(rows[:, way], weights, metric) for way in range(len(ways))])

    def checked(self, embedding: FloatArray) -> FloatArray:
        """An embedding ``(n, dim)`` that is given as such.

        Raises:
            ConfigError: it has another number of dimensions, or is not finite.
        """
        dim = self._catalog.identity.dim
        if embedding.shape[1] != dim:
            raise ConfigError("embedding", f"{embedding.shape[1]} numbers", f"{dim:,} numbers")
        if not np.isfinite(embedding).all():
            raise ConfigError("embedding", "NaN or infinite", "finite numbers")
        return embedding

    def encoded(
        self, pictures: Iterable[tuple[Picture, Region | None]], ways: Sequence[Way] = UPRIGHT
    ) -> FloatArray:
        """Embeddings ``(pictures * ways, dim)`` to search by, of pictures or parts of them.

        Raises:
            EncoderOutputError: one is not finite.
            ImageError: as ``Collection.search``.
        """
        embedder = self._embedder()
        preprocessing = embedder.encoder.preprocessing
        views = (pixels_of(picture, preprocessing, region) for picture, region in pictures)
        rows = embedder.embed_in_batches(seen for view in views for seen in seen_in(view, ways))
        if not np.isfinite(rows).all():
            raise EncoderOutputError(embedder.encoder.name, "no finite embedding of the query")
        return rows

    def picture(self, image: object) -> Picture:
        """What is decoded of a picture, or of the image of an id.

        Raises:
            ImageNotFoundError: no indexed image has this id.
        """
        if is_id(image):
            self._searcher.stored([int(image)])  # it is there, and indexed
            return record_of(self._catalog, int(image)).path
        return cast("Picture", image)  # embeddings are used as they are

    def _folders(self, examples: Sequence[Example]) -> list[str]:
        """The folders of the pictures to be like.

        Raises:
            ConfigError: none of them lies in a folder.
        """
        paths = []
        for example in (example for example in examples if example.weight > 0):
            record = self._catalog.record(example.id) if example.id is not None else None
            if record:
                paths.append(record.path)
            elif isinstance(example.image, str | os.PathLike):
                paths.append(path_of(self._catalog, example.image))
        if not paths:
            expected = "off, since no query picture is in a folder"
            raise ConfigError("exclude_same_folder", True, expected)
        return sorted({os.path.dirname(path) for path in paths})
