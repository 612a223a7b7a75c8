"""What is asked of all images of a collection at once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from image_similarity_search.collection.opened import OpenedCollection
from image_similarity_search.filters import Filter
from image_similarity_search.reports import RecallReport
from image_similarity_search.types import ProgressCallback

if TYPE_CHECKING:  # what few processes need, they import when they do
    from image_similarity_search.evaluation import EvaluationReport, Truth
    from image_similarity_search.understanding import ClusterReport, Layout, OutlierReport


class SurveyableCollection(OpenedCollection):
    """The use cases that look at all images, or measure searches on them."""

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
        relative_to: str | os.PathLike[str] | None = None,
        k: int | Sequence[int] = (1, 5, 10),
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
                the folder that was indexed belong to none), ``folder-names`` (the same, of folders
                of one name together), ``column:NAME`` (images that are rows of Parquet files belong
                together where that column of theirs is the same), a file of paths and groups (CSV
                with ``,``, ``;`` or tabs, or Parquet; a header names the columns), or a mapping
                from path or id to group. An empty group, or None, is none.
            relative_to: the folder that relative paths of these start from; by default that of the
                file, and of a mapping the current one.
            k: for precision and recall among the first so many; one number, or several.
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
            relative_to=relative_to,
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
