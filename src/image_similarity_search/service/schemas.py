"""The shapes of the JSON that goes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field
from pydantic_core import to_json

from image_similarity_search._version import __version__
from image_similarity_search.collection.explaining.explanation import Compared, ExplainMethod
from image_similarity_search.duplicates import DuplicateLevel
from image_similarity_search.reports import CollectionInfo as StoredInfo
from image_similarity_search.service.folder_status import FolderStatus
from image_similarity_search.service.roots import Roots
from image_similarity_search.types import Hit, ImageRecord, Metric, Region, ScoreWord, State, Traits

JobKind = Literal["sync", "duplicates"]
JobState = Literal["running", "done", "cancelled", "failed"]


class Links(BaseModel):
    """Where more of an image is."""

    self: str
    thumbnail: str
    preview: str
    file: str


class Image(BaseModel):
    """An image of a collection.

    ``root`` is the name of the indexed folder that it lies in (null: added alone, outside of all),
    ``path`` is relative to that.
    """

    id: int = Field(examples=[7])
    root: str | None = Field(examples=["photos"])
    path: str = Field(examples=["holiday/beach.jpg"])
    name: str = Field(examples=["beach.jpg"])
    size: int = Field(description="Bytes of the file.", examples=[123_456])
    modified: datetime | None
    width: int | None = Field(
        description="Pixels, after EXIF rotation is applied.", examples=[4000]
    )
    height: int | None = Field(examples=[3000])
    state: State
    reason: str | None = Field(description="Why it was skipped.")
    metadata: dict[str, Any]
    links: Links

    @classmethod
    def of(cls, record: ImageRecord, collection: str, roots: Roots) -> Image:
        """The image of a record."""
        return cls(**_image(record, collection, roots))


class TraitsOut(BaseModel):
    """What a picture file says of itself, and its colours; null where it does not."""

    camera: str | None = Field(examples=["Canon EOS R5"])
    taken: str | None = Field(
        description="By the camera's clock, without a time zone.",
        examples=["2023-06-01T12:05:00"],
    )
    latitude: float | None
    longitude: float | None
    colours: list[str] = Field(description="Each covers a quarter of the picture or more.")

    @classmethod
    def of(cls, traits: Traits) -> TraitsOut:
        """What ``Collection.traits`` said."""
        taken = camera_time_of(traits.taken)
        return cls(
            camera=traits.camera,
            taken=taken.isoformat() if taken else None,
            latitude=traits.latitude,
            longitude=traits.longitude,
            colours=list(traits.colours),
        )


class ImageDetails(Image):
    """All that is known of an image; ``traits`` is null where its file was not read for them."""

    traits: TraitsOut | None


class PathOut(BaseModel):
    """Where the file of an image lies; null for those who don't ask from this machine."""

    path: str | None = Field(examples=["/home/ada/photos/holiday/beach.jpg"])


class Images(BaseModel):
    """A page of images; ``next`` is the ``after`` of the next page, null at the end."""

    images: list[Image]
    next: int | None
    total: int


class TagsOut(BaseModel):
    """How many images have each tag."""

    tags: dict[str, int] = Field(examples=[{"beach": 12}])


class Changed(BaseModel):
    """How many images are other than before."""

    changed: int


class HitOut(BaseModel):
    """An answer to a search."""

    rank: int = Field(examples=[1])
    score: float = Field(description="1.0 means identical.", examples=[0.87])
    distance: float = Field(examples=[0.15])
    image: Image
    folded: list[Image] = Field(description="Copies of the image, if `fold` was requested.")


class SearchOut(BaseModel):
    """The answers to a search, the most alike first."""

    hits: list[HitOut]
    k: int
    metric: Metric
    seconds: float = Field(description="Duration of the search, without the transfer.")

    @staticmethod
    def json_of(
        hits: list[Hit], k: int, metric: Metric, seconds: float, collection: str, roots: Roots
    ) -> str:
        """The answer of these hits, as JSON: to check our own values would take twice as long."""
        shown = [
            {
                "rank": rank,
                "score": hit.score,
                "distance": hit.distance,
                "image": _image(hit.image, collection, roots),
                "folded": [_image(image, collection, roots) for image in hit.folded],
            }
            for rank, hit in enumerate(hits, 1)
        ]
        answer = {"hits": shown, "k": k, "metric": metric, "seconds": round(seconds, 6)}
        return to_json(answer, inf_nan_mode="null").decode()


class PartOut(BaseModel):
    """A part of a picture, in fractions of its upright width and height."""

    x: float = Field(examples=[0.125])
    y: float = Field(examples=[0.0625])
    w: float = Field(examples=[0.75])
    h: float = Field(examples=[0.875])


class PlacesOut(BaseModel):
    """What each place of a picture counts, row by row from above.

    The grid lies on ``seen``, all that the model sees of the picture.
    """

    seen: PartOut
    parts: list[list[float]] = Field(examples=[[[0.1, 0.3], [0.2, 0.1]]])


class MatchOut(BaseModel):
    """Two places that are alike, each as row and column, and what they add."""

    query: tuple[int, int] = Field(examples=[(0, 1)])
    hit: tuple[int, int] = Field(examples=[(1, 0)])
    part: float = Field(examples=[0.02])


class ExplanationOut(BaseModel):
    """Why two pictures are alike.

    By ``places`` the parts of each picture add up to ``similarity``. By ``occlusion`` each is by
    how much that falls when the place is covered.
    """

    method: ExplainMethod
    metric: Metric
    similarity: float = Field(description="Cosine or inner product, or the score.", examples=[0.7])
    score: float = Field(examples=[0.77])
    distance: float = Field(examples=[0.3])
    query: PlacesOut
    hit: PlacesOut
    matches: list[MatchOut] = Field(
        description="The strongest first; only for the method `places`."
    )

    @classmethod
    def of(cls, compared: Compared, query: Region, hit: Region) -> ExplanationOut:
        """What was found of two pictures, of which these parts are seen."""
        return cls(
            method=compared.method,
            metric=compared.metric,
            similarity=compared.similarity,
            score=compared.score,
            distance=compared.distance,
            query=PlacesOut(seen=PartOut(**asdict(query)), parts=compared.query.tolist()),
            hit=PlacesOut(seen=PartOut(**asdict(hit)), parts=compared.hit.tolist()),
            matches=[MatchOut(**asdict(match)) for match in compared.matches],
        )


class Root(BaseModel):
    """An indexed folder, whether it is there now, and whether uploads can be put into it."""

    name: str
    available: bool
    writable: bool


class CollectionOut(BaseModel):
    """What a collection is made of."""

    name: str
    encoder: str
    dim: int
    metric: Metric
    index: str
    store: str
    indexed: int
    skipped: int
    roots: list[Root]
    generation: int
    catalog_bytes: int
    store_bytes: int
    memory_bytes: int
    text: bool = Field(description="Whether searching by text is possible.")
    thresholds: dict[ScoreWord, float] | None = Field(
        description="Lowest score of images that are the same; null if not calibrated."
    )
    read_only: bool
    version: str = Field(description="Version of this program.", examples=[__version__])

    @classmethod
    def of(
        cls, info: StoredInfo, name: str, statuses: Mapping[str, FolderStatus], *, read_only: bool
    ) -> CollectionOut:
        """What ``Collection.info`` said, and how its roots can be reached, by their names."""
        return cls(
            name=name,
            encoder=info.encoder,
            dim=info.dim,
            metric=info.metric,
            index=info.index,
            store=info.store,
            indexed=info.indexed,
            skipped=info.skipped,
            roots=[
                Root(
                    name=root,
                    available=status.available,
                    writable=status.writable and not read_only,
                )
                for root, status in statuses.items()
            ],
            generation=info.generation,
            catalog_bytes=info.catalog_bytes,
            store_bytes=info.store_bytes,
            memory_bytes=info.memory_bytes,
            text=info.text,
            thresholds=info.thresholds,
            read_only=read_only,
            version=__version__,
        )


class Collections(BaseModel):
    """All collections."""

    collections: list[CollectionOut]
    unavailable: list[str] = Field(description="Names of collections that can't be used now.")
    max_upload: int = Field(
        description="Maximum size of a request in bytes.", examples=[33_554_432]
    )


class SyncReportOut(BaseModel):
    """What a sync did, in numbers of images."""

    indexed: int
    updated: int
    unchanged: int
    moved: int
    removed: int
    skipped: int
    encoded: int
    other_files: int
    other_kinds: dict[str, int] = Field(
        default_factory=dict,
        description="Number per file extension; the ten most frequent.",
        examples=[{".cr3": 16, ".mov": 2}],
    )
    unreadable_folders: list[str]
    seconds: float


class DuplicateReportOut(BaseModel):
    """What a search for duplicates found, in numbers."""

    groups: int
    duplicates: int = Field(description="Number of removable copies.")
    staying: int = Field(
        default=0, description="Number of copies in groups of which nothing is removable now."
    )
    similar: int = Field(
        default=0, description="Number of images that are only similar to a kept one, and kept."
    )
    images: int = Field(description="Number of images compared.")
    unreadable: int = Field(description="Number of files that could not be compared.")
    dismissed: int = Field(description="Number of pairs left out because they were dismissed.")
    linked: int = Field(
        default=0, description="Number of hard links to kept files; they are in no group."
    )
    unmeasured: int = Field(
        default=0, description="Number of images whose sharpness was not measured, to save time."
    )
    seconds: float


class DuplicateOut(BaseModel):
    """An image that is like the one of its group that stays."""

    image: Image
    level: DuplicateLevel
    score: float
    likeness: float | None = Field(
        description="Pixel similarity; null if pixels were not compared."
    )
    change: str = Field(description="`mirrored`, `turned`, `cut` …, or empty.")
    sharpness: float | None = Field(
        default=None, description="Relative to the other copies; null if not measured."
    )


class GroupOut(BaseModel):
    """Images that are alike, of which one stays."""

    keep: Image
    why: str = Field(description="Why it is the image to keep.")
    level: DuplicateLevel
    goes: bool = Field(description="Whether the others can be removed in its favour.")
    sharpness: float | None = Field(default=None, description="Of the image to keep.")
    others: list[DuplicateOut]
    more: int = Field(description="Number of others left out, because of the parameter `others`.")


class Groups(BaseModel):
    """A page of groups, the most alike first; ``next`` is the ``offset`` of the page behind it."""

    groups: list[GroupOut]
    next: int | None
    total: int


class Problem(BaseModel):
    """What is wrong, as RFC 9457 has it."""

    type: str = Field(examples=["urn:iss:problem:image-not-found"])
    title: str = Field(examples=["Image not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["id 99: no indexed image has this id"])
    errors: list[dict[str, str]] | None = None


class Job(BaseModel):
    """Work in the background, and how far it is."""

    id: str = Field(examples=["3f9c2a7be01d4c55"])
    collection: str
    kind: JobKind
    state: JobState
    root: str | None = Field(description="The folder in progress.")
    phase: str | None = Field(default=None, examples=["indexing"])
    done: int = 0
    total: int | None = None
    started: datetime
    finished: datetime | None = None
    report: SyncReportOut | DuplicateReportOut | None = None
    error: Problem | None = None


class Jobs(BaseModel):
    """The jobs since the service was started, the last 100."""

    jobs: list[Job]


class Status(BaseModel):
    """How the service is."""

    status: Literal["ok"] = "ok"


class Readiness(Status):
    """Which collections can't be searched, though others can."""

    problems: dict[str, str] = Field(
        description="State of each collection by name; empty if API keys are required.",
        examples=[{"scans": "collection-gone"}],
    )


def _image(record: ImageRecord, collection: str, roots: Roots) -> dict[str, Any]:
    """The values of an ``Image``."""
    root, path = roots.shown(record.path)
    here = f"/v1/collections/{collection}/images/{record.id}"
    return {
        "id": record.id,
        "root": root,
        "path": path,
        "name": path.rpartition("/")[2],
        "size": record.size,
        "modified": time_of(record.mtime_ns / 1e9),
        "width": record.width,
        "height": record.height,
        "state": record.state,
        "reason": record.reason,
        "metadata": record.metadata,
        "links": {
            "self": here,
            **{what: f"{here}/{what}" for what in ("thumbnail", "preview", "file")},
        },
    }


def time_of(seconds: float) -> datetime | None:
    """A time since 1970; None where no calendar has it."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def camera_time_of(seconds: int | None) -> datetime | None:
    """A camera's time, which has no zone."""
    moment = None if seconds is None else time_of(seconds)
    return moment and moment.replace(tzinfo=None)
