"""What is asked of a collection."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from image_similarity_search import markup, vectors
from image_similarity_search.collection.description import described
from image_similarity_search.collection.embedding import Embedder
from image_similarity_search.collection.examples import Example
from image_similarity_search.collection.explaining.explanation import (
    Compared,
    ExplainMethod,
    Explanation,
)
from image_similarity_search.collection.identity import has_text
from image_similarity_search.collection.lookup import record_of
from image_similarity_search.collection.opened import OpenedCollection
from image_similarity_search.collection.pipeline import BATCH
from image_similarity_search.collection.queries import Picture, Query, pixels_of
from image_similarity_search.collection.questions import Answered, Question, answered
from image_similarity_search.collection.thresholds import score_of
from image_similarity_search.collection.thumbnails import Make
from image_similarity_search.collection.uploads import UPLOAD_PIXELS, UPLOAD_SECONDS, Uploads
from image_similarity_search.errors import EncoderOutputError
from image_similarity_search.filters import Filter
from image_similarity_search.galleries import (
    Gallery,
    Tile,
    gallery,
    score_and_size,
    size,
    tile_of,
)
from image_similarity_search.reports import CollectionInfo, RecallReport, VerifyReport
from image_similarity_search.search_options import PLAIN, SearchOptions
from image_similarity_search.types import (
    FloatArray,
    Hit,
    ImageRecord,
    PixelArray,
    ProgressCallback,
    Region,
    Text,
    Threshold,
    Traits,
)

if TYPE_CHECKING:  # what few processes need, they import when they do
    from image_similarity_search.evaluation import EvaluationReport, Truth
    from image_similarity_search.understanding import ClusterReport, Layout, OutlierReport


class ReadableCollection(OpenedCollection):
    """The use cases that change nothing."""

    def __len__(self) -> int:
        """How many images can be found."""
        return self._catalog.counts().indexed

    def __iter__(self) -> Iterator[ImageRecord]:
        """Every indexed image, in order of id."""
        return self._catalog.all_records()

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
            query: a path, a file's bytes, a PIL image, a uint8 array ``(h, w, 3)``, or the id of
                an image of this collection, which is then left out of its own answer; or a
                ``Text``, where the model has a text tower.
            k: how many, at most.
            threshold: leave out hits with a lower score; ``same-picture``, ``same-object`` or
                ``same-kind`` where ``info`` says what they mean.
            where: the images to search among; without it, all.
            options: what else to do: find mirrored or turned pictures, fold copies, ...

        Raises:
            ImageNotFoundError: no such file, or no image of this id.
            ImageUnreadableError: the file is no picture.
            EncoderUnavailableError: the model has no text tower.
            FolderNotFoundError: no image of the collection lies in the folder of ``where``.
            ConfigError: ``k`` is less than 1, the query is nothing that can be searched by,
                ``where`` names a format that there is not, or ``threshold`` is a word of which
                is not known what it means here.
        """
        if options != PLAIN or isinstance(query, Text):
            return self.search_by_examples(
                [Example(query)], k, threshold=threshold, where=where, options=options
            )
        return self.search_many([query], k, threshold=threshold, where=where)[0]

    def search_many(
        self,
        queries: Sequence[Query],
        k: int = 10,
        *,
        threshold: Threshold | None = None,
        where: Filter | None = None,
    ) -> list[list[Hit]]:
        """As ``search``, for several queries, which are encoded and searched for together."""
        if any(isinstance(query, Text) for query in queries):
            return [self.search(query, k, threshold=threshold, where=where) for query in queries]
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
        return Uploads(self._embedder(), max_pixels, seconds)

    def embed(self, pictures: Sequence[Picture]) -> FloatArray:
        """The embeddings ``(n, dim)``, float32, of pictures given as to ``search``."""
        return _embedded(self._embedder(), pictures)

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """The embeddings ``(n, dim)``, float32, of words, which can be examples of a search.

        Raises:
            EncoderUnavailableError: the model has no text tower, or something it needs is missing.
            ConfigError: a text is empty.
        """
        return self._texts(texts)

    @property
    def understands_text(self) -> bool:
        """Whether the model has a text tower."""
        return has_text(self._catalog.identity)

    def get(self, image: int | str | os.PathLike[str]) -> ImageRecord:
        """The record of the image of this id or path, skipped ones too.

        Raises:
            ImageNotFoundError: there is none.
        """
        return record_of(self._catalog, image)

    def thumbnail(self, image: int | str | os.PathLike[str], *, make: Make | None = None) -> bytes:
        """A small upright JPEG of the image of this id or path, its longer side some 256 pixels.

        Where none was kept it is made of the file, in this process, or by ``make``.

        Raises:
            ImageNotFoundError: there is no such image, or its file is gone.
            ImageUnreadableError: its file is no picture.
        """
        return self._thumbnails.of(image, make)

    def images(
        self, where: Filter | None = None, *, after: int = 0, offset: int = 0, limit: int = 100
    ) -> list[ImageRecord]:
        """The first ``limit`` images with an id greater than ``after``, in order of id.

        The next page is asked for by the id of the last image of this one; ``offset`` passes
        over so many images, to begin anywhere.

        Raises:
            FolderNotFoundError, ConfigError: as ``search`` does of ``where``; or ``after`` or
                ``offset`` is less than 0, or ``limit`` less than 1.
        """
        return Gallery(self._filtering.page(where, after, offset, limit), self._tile)

    def count(self, where: Filter | None = None) -> int:
        """How many images ``where`` lets through; without it, how many can be found.

        Raises:
            FolderNotFoundError, ConfigError: as ``search`` does of ``where``.
        """
        return self._filtering.count(where)

    def traits(self, image: int | str | os.PathLike[str]) -> Traits | None:
        """What the file of an image says of itself, and its colours.

        None where that was not read: the next ``sync`` of its folder does.

        Raises:
            ImageNotFoundError: there is no such image.
        """
        return self._catalog.traits.of(record_of(self._catalog, image).id)

    def cameras(self) -> dict[str, int]:
        """How many images each camera took, as their files say, in order of the cameras."""
        return self._catalog.traits.cameras()

    def tags(self) -> dict[str, int]:
        """How many images have each tag, in order of the tags."""
        return self._catalog.tags.counts()

    def roots(self) -> list[str]:
        """The folders that were indexed."""
        return sorted(self._catalog.places.roots().values())

    def skipped(self) -> Iterator[ImageRecord]:
        """The bad files, each with its reason."""
        return self._catalog.all_records(skipped=True)

    def info(self) -> CollectionInfo:
        """What the collection is made of."""
        return described(self._folder, self._catalog, self._keeper)

    def measure_recall(self, k: int = 10, sample: int = 200) -> RecallReport:
        """How many of the ``k`` nearest a search finds, asked of ``sample`` of the images.

        Each is searched for, as by its id, and compared with a scan of all embeddings.

        Raises:
            ConfigError: ``k`` or ``sample`` is less than 1.
        """
        from image_similarity_search.collection.recall import measured_recall

        return measured_recall(self._catalog, self._searcher, k, sample)

    def evaluate(
        self,
        truth: Truth,
        *,
        k: Sequence[int] = (1, 5, 10),
        depth: int | None = None,
        sample: int | None = None,
        where: Filter | None = None,
        progress: ProgressCallback | None = None,
    ) -> EvaluationReport:
        """How well a search by an image finds those that belong to it.

        Each image of a group is searched by, and left out of its own answer. An image of no group
        is searched among, and never right.

        Args:
            truth: ``folders`` (images of one folder belong together; those that lie directly in
                the folder that was indexed belong to none), a CSV file of paths and groups, or
                a mapping from path to group. Paths in a file are relative to it.
            k: for precision and recall among the first so many.
            depth: look at so many hits of real searches, through the index; without it, all
                images are ranked by their exact distance.
            sample: search by so many of the images at most, chosen at random, always the same.
            where: the images to search by and among; without it, all.
            progress: called now and then.

        Raises:
            ConfigError: the truth can't be read, contradicts itself or leaves no group of two
                images; or a number is less than 1.
            FolderNotFoundError: as ``search`` does of ``where``.
        """
        from image_similarity_search.collection.evaluation.asking import evaluated

        return evaluated(
            self._catalog,
            self._searcher,
            self._filtering,
            truth,
            k=k,
            depth=depth,
            sample=sample,
            where=where,
            progress=progress,
        )

    def clusters(
        self,
        count: int | None = None,
        *,
        where: Filter | None = None,
        shown: int = 12,
        progress: ProgressCallback | None = None,
    ) -> ClusterReport:
        """Groups of alike images, by cosine whatever the collection's metric is.

        Args:
            count: how many; without it the number is chosen, by how well they are apart.
            where: the images that count; without it, all.
            shown: the records of so many images of each cluster are in the report.
            progress: called now and then.

        Raises:
            ConfigError: a number is less than 1, or there are fewer images than ``count``.
            FolderNotFoundError: as ``search`` does of ``where``.
        """
        from image_similarity_search.collection.understanding.clustering import clustered

        ids = self._filtering.ids(where or Filter())
        return clustered(self._catalog, ids, count, shown, progress)

    def outliers(
        self,
        count: int = 20,
        *,
        k: int = 10,
        where: Filter | None = None,
        progress: ProgressCallback | None = None,
    ) -> OutlierReport:
        """The ``count`` images that are least like any other, by cosine.

        Args:
            count: how many, at most.
            k: an image is as unlike others as it is far from the ``k`` nearest, on average.
            where: the images that count; without it, all.
            progress: called now and then.

        Raises:
            ConfigError: a number is less than 1.
            FolderNotFoundError: as ``search`` does of ``where``.
        """
        from image_similarity_search.collection.understanding.outlying import outlying

        ids = self._filtering.ids(where or Filter())
        return outlying(self._catalog, ids, count, k, progress)

    def layout(
        self, *, where: Filter | None = None, progress: ProgressCallback | None = None
    ) -> Layout:
        """Where images lie on a plane, alike ones near one another; with the extra ``map``.

        Distances far apart mean nothing; the same images give the same layout.

        Raises:
            ConfigError: what the extra installs is missing.
            FolderNotFoundError: as ``search`` does of ``where``.
        """
        from image_similarity_search.collection.understanding.laying_out import laid_out

        return laid_out(self._catalog, self._filtering.ids(where or Filter()), progress)

    def verify(self, *, files: bool = False) -> VerifyReport:
        """Check all that is stored, and with ``files`` that the image files are as indexed."""
        from image_similarity_search.collection.verify import verified

        return verified(self._folder, files=files)

    def _repr_html_(self) -> str:
        info = self.info()
        words = f"{info.indexed:,} images of {info.encoder} in {info.index_dir}"
        return f"<p>{markup.text(words)}</p>" + gallery([*map(self._tile, self.images(limit=12))])

    def _tile(self, record: ImageRecord) -> Tile:
        """How a notebook shows an image."""
        return tile_of(record, size(record.width, record.height), self._thumbnails.look)

    def _hit_tile(self, hit: Hit) -> Tile:
        note = score_and_size(hit.score, hit.image.width, hit.image.height)
        return tile_of(hit.image, note, self._thumbnails.look)

    def _query_vectors(self, queries: Sequence[Query]) -> FloatArray:
        """Comparable vectors ``(q, dim)`` of queries; those of a kind are got at once."""
        by_id = [isinstance(query, int | np.integer) for query in queries]
        ids = [int(query) for query in queries if isinstance(query, int | np.integer)]
        pictures = [query for query in queries if not isinstance(query, int | np.integer | Text)]
        out = np.empty((len(queries), self._catalog.identity.dim), dtype=np.float32)
        if ids:
            out[by_id] = self._searcher.stored(ids)
        if pictures:
            rows = _embedded(self._embedder_to_search(), pictures)
            if not np.isfinite(rows).all():
                raise EncoderOutputError(self.encoder.name, "no finite embedding of the query")
            out[np.logical_not(by_id)] = vectors.comparable(rows, self._catalog.identity.metric)
        return out


def _embedded(embedder: Embedder, pictures: Sequence[Picture]) -> FloatArray:
    encoder = embedder.encoder
    parts = [np.empty((0, encoder.dim), dtype=np.float32)]
    for start in range(0, len(pictures), BATCH):
        part = pictures[start : start + BATCH]
        parts.append(embedder.embed([pixels_of(item, encoder.preprocessing) for item in part]))
    return np.concatenate(parts)


def _id_or_none(query: Query) -> int | None:
    return int(query) if isinstance(query, int | np.integer) else None
