"""The plain values in which it is told what there is in a collection."""

from __future__ import annotations

from dataclasses import dataclass, field

from image_similarity_search.types import FloatArray, Hit, IdArray, ImageRecord


@dataclass(frozen=True, slots=True, eq=False)  # of arrays nothing says whether they are equal
class Cluster:
    """Images that are more alike than others.

    Attributes:
        ids: of its images, the most typical first: those nearest to the cluster's middle.
        cohesion: the mean cosine between its images and its middle; 1 where all are the same.
        images: the first of them.
        cosines: between each of those and the middle.
    """

    ids: IdArray
    cohesion: float
    images: tuple[ImageRecord, ...]
    cosines: tuple[float, ...]

    @property
    def typical(self) -> ImageRecord:
        """The image that stands for the cluster."""
        return self.images[0]


@dataclass(slots=True, eq=False)  # nor of these
class ClusterReport:
    """What the images of a collection are by groups.

    Attributes:
        clusters: the largest first.
        images: how many there are in all.
        silhouette: how well the clusters are apart, -1 to 1: how much nearer images are to the
            others of their cluster than to the next cluster. 0 where there is one.
        tried: the same of each number of clusters that was tried, where it was to be chosen.
        seconds: wall time.
    """

    clusters: list[Cluster] = field(default_factory=list)
    images: int = 0
    silhouette: float = 0.0
    tried: dict[int, float] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Outlier:
    """An image that is like no other.

    Attributes:
        image: the image.
        distance: the mean cosine distance to the images nearest to it: 0 where these are the
            same picture, 1 where they have nothing in common.
        times: how many times the median of all images that is.
        nearest: the images nearest to it, with cosine distance and its score.
    """

    image: ImageRecord
    distance: float
    times: float
    nearest: tuple[Hit, ...]


@dataclass(slots=True)
class OutlierReport:
    """The images that are least like any other.

    Attributes:
        outliers: the least alike first.
        k: to how many nearest images the distances are.
        median: the median distance, over all images.
        images: how many there are in all.
        seconds: wall time.
    """

    outliers: list[Outlier] = field(default_factory=list)
    k: int = 0
    median: float = 0.0
    images: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)  # as with Cluster
class Layout:
    """Where images lie on a plane on which alike ones are near one another.

    Attributes:
        ids: of the images, in order.
        positions: of each, ``(n, 2)`` float32 of 0..1: from the left, and from above.
    """

    ids: IdArray
    positions: FloatArray
