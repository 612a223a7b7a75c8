"""What is searched for in a collection."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from image_similarity_search import vectors
from image_similarity_search.arguments import listed
from image_similarity_search.collection.examples import Example
from image_similarity_search.collection.identity import has_text
from image_similarity_search.collection.opened import OpenedCollection
from image_similarity_search.collection.queries import (
    Picture,
    Query,
    embedding_of,
    is_id,
    listed_pictures,
    pixels_of,
)
from image_similarity_search.collection.questions import Answered, Question, answered
from image_similarity_search.collection.thresholds import score_of
from image_similarity_search.collection.uploads import UPLOAD_PIXELS, UPLOAD_SECONDS, Uploads
from image_similarity_search.filters import Filter
from image_similarity_search.galleries import Gallery, Tile, score_and_size, tile_of
from image_similarity_search.search_options import PLAIN, SearchOptions
from image_similarity_search.types import FloatArray, Hit, PixelArray, Region, Text, Threshold

if TYPE_CHECKING:  # what few processes need, they import when they do
    from image_similarity_search.collection.explaining.explanation import (
        Compared,
        ExplainMethod,
        Explanation,
    )


class SearchableCollection(OpenedCollection):
    """The use cases that begin with a picture, or with words."""

    def search(
        self,
        query: Query,
        k: int = 10,
        *,
        threshold: Threshold | None = None,
        where: Filter | None = None,
        options: SearchOptions = PLAIN,
    ) -> list[Hit]:
        """The ``k`` images most like ``query``, the most alike first; equals in order of id.

        A notebook shows the list as a gallery, as it does that of ``images``.

        Args:
            query: a path, a file's bytes, a file opened in binary mode, a PIL image, a uint8 RGB
                array ``(h, w, 3)`` (turn one from OpenCV, which is BGR), an embedding (a float
                array ``(dim,)``, as ``embed`` gives it), or the id of an image of this collection,
                which is then left out of its own answer; or a ``Text``, where the model has a text
                tower.
            k: how many, at most.
            threshold: leave out hits with a lower score, 0 to 1 but for the metric ``ip``;
                ``same-picture``, ``same-object`` or ``same-kind`` where ``info`` says what they
                mean.
            where: the images to search among; without it, all.
            options: what else to do: find mirrored or turned pictures, fold copies, ...

        Raises:
            ImageNotFoundError: no such file, or no image of this id.
            ImageUnreadableError: the file is no picture.
            EncoderUnavailableError: the model has no text tower.
            FolderNotFoundError: no image of the collection lies in the folder of ``where``.
            ConfigError: ``k`` is less than 1, the query is nothing that can be searched by,
                ``where`` names a format that there is not, or ``threshold`` is nothing that a score
                can be, or a word of which is not known what it means here.
        """
        if options != PLAIN or isinstance(query, Text):
            return self.search_by_examples(
                [Example(query)], k, threshold=threshold, where=where, options=options
            )
        return self.search_many([query], k, threshold=threshold, where=where)[0]

    def search_many(
        self,
        queries: Sequence[Query] | NDArray[np.floating[Any]],
        k: int = 10,
        *,
        threshold: Threshold | None = None,
        where: Filter | None = None,
        options: SearchOptions = PLAIN,
    ) -> list[list[Hit]]:
        """As ``search``, for several queries, which are encoded and searched for together.

        With ``options``, or with a ``Text`` among them, one after the other. Embeddings may be
        one array ``(q, dim)``.

        Raises:
            ConfigError: also where ``queries`` is one query, and not a list of some.
        """
        queries = listed_pictures("queries", queries)
        if options != PLAIN or any(isinstance(query, Text) for query in queries):
            return [
                self.search(query, k, threshold=threshold, where=where, options=options)
                for query in queries
            ]
        least = score_of(self._catalog.identity, threshold)
        rows = self._query_vectors(queries)
        answers = self._searcher.nearest_to_each(
            rows, k, least, [_id_or_none(query) for query in queries], where
        )
        return [Gallery(hits, self._hit_tile) for hits in answers]

    def search_by_examples(
        self,
        examples: Sequence[Example],
        k: int = 10,
        *,
        threshold: Threshold | None = None,
        where: Filter | None = None,
        leave_out: Sequence[int] = (),
        options: SearchOptions = PLAIN,
    ) -> list[Hit]:
        """The ``k`` images most like the examples together, and least like those that weigh < 0.

        Examples that are images of this collection are left out of the answer, and so are those
        with the ids ``leave_out``. ``options`` say what else to do; where pictures are searched by
        in several ways, all examples are seen in the same way each time.

        Raises:
            ConfigError: no example weighs more than 0, they cancel each other out, or an option
                can't be followed.
            ImageError: as ``search`` does.
        """
        examples = listed("examples", examples, "a list of Example")
        leave_out = listed("leave_out", leave_out, "the ids of images")
        least = score_of(self._catalog.identity, threshold)
        hits = self._asker.hits(examples, k, least, where, leave_out, options)
        return Gallery(hits, self._hit_tile)

    def search_each(self, questions: Sequence[Question]) -> list[Answered]:
        """As ``search_by_examples``, for the questions of several callers at once.

        What can't be answered costs its own caller an error, which is then in the answer's place.
        Embeddings are compared for all of them together, which takes less time than one by one.
        """
        known = partial(score_of, self._catalog.identity)
        return answered(questions, self._searcher, self._asker.row, known)

    def explain(
        self,
        query: Picture | int,
        hit: Picture | int,
        *,
        region: Region | None = None,
        method: ExplainMethod | None = None,
    ) -> Explanation:
        """Why two pictures are alike: which places of each count for it.

        Args:
            query: a picture as ``search`` takes it, or the id of an image of this collection.
            hit: the same; it need be no image of the collection.
            region: look at a part of ``query`` only.
            method: ``places`` or ``occlusion``; without one, by places where the similarity is a
                sum over places, which takes no longer than to encode both pictures.

        Raises:
            ImageError: as ``search`` does.
            ConfigError: there is no such method, or ``places`` can't be used here.
        """
        pictures = self._asker.picture(query), self._asker.picture(hit)
        return self._explainer.explained(*pictures, region, method)

    def explain_views(
        self, query: PixelArray, hit: PixelArray, method: ExplainMethod | None = None
    ) -> Compared:
        """The same, of what the encoder sees of two pictures, ``(crop, crop, 3)`` uint8 each."""
        return self._explainer.compared(query, hit, method)

    def uploads(
        self, *, max_pixels: int = UPLOAD_PIXELS, seconds: float = UPLOAD_SECONDS
    ) -> Uploads:
        """What embeds pictures of strangers, in processes of its own; close it before this.

        Raises:
            ConfigError: a limit is not more than 0.
        """
        return Uploads(self._embedder, max_pixels, seconds)

    def embed(self, pictures: Sequence[Picture]) -> FloatArray:
        """The embeddings ``(n, dim)``, float32, of pictures given as to ``search``.

        Raises:
            ImageError: as ``search`` does.
            ConfigError: one is no picture, or ``pictures`` is one, and not a list of some.
        """
        pictures, embedder = listed_pictures("pictures", pictures), self._embedder()
        preprocessing = embedder.encoder.preprocessing
        return embedder.embed_in_batches(pixels_of(one, preprocessing) for one in pictures)

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """The embeddings ``(n, dim)``, float32, of words, which can be examples of a search.

        Raises:
            EncoderUnavailableError: the model has no text tower, or something it needs is missing.
            ConfigError: a text is empty, or ``texts`` is one, and not a list of some.
        """
        return self._texts(listed("texts", texts, "a list"))

    @property
    def understands_text(self) -> bool:
        """Whether the model has a text tower."""
        return has_text(self._catalog.identity)

    def _hit_tile(self, hit: Hit) -> Tile:
        note = score_and_size(hit.score, hit.image.width, hit.image.height)
        return tile_of(hit.image, note, self._thumbnails.look)

    def _query_vectors(self, queries: Sequence[Query]) -> FloatArray:
        """Comparable vectors ``(q, dim)`` of queries; those of a kind are got at once."""
        identity = self._catalog.identity
        out = np.empty((len(queries), identity.dim), dtype=np.float32)
        found = {at: embedding_of(query) for at, query in enumerate(queries)}
        given = {at: row for at, row in found.items() if row is not None}
        by_id = {at: int(one) for at, one in enumerate(queries) if is_id(one)}
        pictures = [at for at in range(len(queries)) if at not in given and at not in by_id]
        if given:
            rows = np.concatenate([self._asker.checked(row) for row in given.values()])
            out[list(given)] = vectors.comparable(rows, identity.metric)
        if by_id:
            out[list(by_id)] = self._searcher.stored(list(by_id.values()))
        if pictures:
            rows = self._asker.encoded((cast("Picture", queries[at]), None) for at in pictures)
            out[pictures] = vectors.comparable(rows, identity.metric)
        return out


def _id_or_none(query: Query) -> int | None:
    return int(query) if is_id(query) else None
