"""The shapes of what agents are told: the words are those of ``iss ... --json``."""

from __future__ import annotations

import os
from datetime import datetime

from pydantic import BaseModel, Field

from image_similarity_search.addresses import is_address
from image_similarity_search.catalog.tags import tags_in
from image_similarity_search.duplicates import Duplicate, DuplicateGroup, DuplicateLevel
from image_similarity_search.reports import CollectionInfo, SyncReport
from image_similarity_search.service.roots import text_of
from image_similarity_search.service.schemas import camera_time_of, time_of
from image_similarity_search.types import Hit, ImageRecord, Metric, ScoreWord, State, Traits


class ImageOut(BaseModel):
    """An image of the collection."""

    id: int
    path: str
    size: int = Field(description="Bytes of the file.")
    width: int | None = Field(description="Pixels, after EXIF rotation is applied.")
    height: int | None
    state: State
    reason: str | None = Field(description="Why it was skipped.")
    tags: list[str]

    @classmethod
    def of(cls, record: ImageRecord) -> ImageOut:
        """The image of a record."""
        return cls(
            id=record.id,
            path=text_of(record.path),
            size=record.size,
            width=record.width,
            height=record.height,
            state=record.state,
            reason=record.reason,
            tags=tags_in(record.metadata),
        )


class Details(ImageOut):
    """All that is known of an image."""

    modified: datetime | None = Field(description="When its file was last modified.")
    camera: str | None
    taken: datetime | None = Field(description="By the camera's clock, without a time zone.")
    latitude: float | None
    longitude: float | None
    colours: list[str] = Field(description="Each covers a quarter of the picture or more.")

    @classmethod
    def of_both(cls, record: ImageRecord, traits: Traits | None) -> Details:
        """The image of a record, and what its file says of itself."""
        said = traits or Traits()
        return cls(
            **ImageOut.of(record).model_dump(),
            modified=time_of(record.mtime_ns / 1e9),
            camera=said.camera,
            taken=camera_time_of(said.taken),
            latitude=said.latitude,
            longitude=said.longitude,
            colours=list(said.colours),
        )


class HitOut(BaseModel):
    """An answer to a search."""

    rank: int
    id: int
    path: str
    score: float = Field(description="1.0 means identical, lower means less similar.")
    distance: float
    width: int | None
    height: int | None
    tags: list[str]
    folded: list[str] = Field(description="Paths of copies, if copies are folded.")

    @classmethod
    def of(cls, rank: int, hit: Hit) -> HitOut:
        """The answer of a hit."""
        return cls(
            rank=rank,
            id=hit.id,
            path=text_of(hit.path),
            score=hit.score,
            distance=hit.distance,
            width=hit.image.width,
            height=hit.image.height,
            tags=tags_in(hit.image.metadata),
            folded=[text_of(image.path) for image in hit.folded],
        )


class SearchOut(BaseModel):
    """The hits of a search, the most alike first."""

    hits: list[HitOut]


class PageOut(BaseModel):
    """A page of images; ``next`` is the ``after`` of the page behind it, null at the end."""

    images: list[ImageOut]
    next: int | None
    total: int


class FolderOut(BaseModel):
    """An indexed folder, and whether it is there now."""

    path: str
    available: bool


class InfoOut(BaseModel):
    """What a collection is made of."""

    encoder: str = Field(description="The model.")
    dim: int
    metric: Metric
    index: str
    indexed: int = Field(description="Indexed images.")
    skipped: int = Field(description="Skipped files.")
    folders: list[FolderOut] = Field(
        description="Indexed folders; the folders below them are included."
    )
    query_folders: list[str] = Field(
        description="Other folders with pictures that may be searched by."
    )
    text: bool = Field(description="Whether searching by text is possible.")
    thresholds: dict[ScoreWord, float] | None = Field(
        description="Lowest score of images that are the same; null if not calibrated."
    )
    changes_allowed: bool

    @classmethod
    def of(cls, info: CollectionInfo, others: list[str], *, changes: bool) -> InfoOut:
        """What ``Collection.info`` said."""
        folders = [
            FolderOut(path=text_of(path), available=is_address(path) or os.path.isdir(path))
            for path in info.roots
        ]
        return cls(
            encoder=info.encoder,
            dim=info.dim,
            metric=info.metric,
            index=info.index,
            indexed=info.indexed,
            skipped=info.skipped,
            folders=folders,
            query_folders=[text_of(path) for path in others],
            text=info.text,
            thresholds=info.thresholds,
            changes_allowed=changes,
        )


class DuplicateOut(ImageOut):
    """An image that is like the one of its group that stays."""

    level: DuplicateLevel
    score: float
    likeness: float | None = Field(
        description="Pixel similarity; null if pixels were not compared."
    )
    change: str = Field(description="`mirrored`, `turned`, `cut` ..., or empty.")
    sharpness: float | None = Field(
        description="Relative to the other copies; null if not measured."
    )

    @classmethod
    def of_one(cls, other: Duplicate) -> DuplicateOut:
        """The image of a duplicate."""
        return cls(
            **ImageOut.of(other.image).model_dump(),
            level=other.level,
            score=other.score,
            likeness=other.likeness,
            change=other.change,
            sharpness=other.sharpness,
        )


class GroupOut(BaseModel):
    """Images that are alike, of which one is to be kept."""

    level: DuplicateLevel
    keep: ImageOut
    why: str
    goes: bool = Field(description="Whether the others can be removed in its favour.")
    sharpness: float | None = Field(description="Of the image to keep.")
    others: list[DuplicateOut]
    more: int = Field(description="Number of others left out here.")

    @classmethod
    def of(cls, group: DuplicateGroup, most: int) -> GroupOut:
        """A group, with at most so many others."""
        return cls(
            level=group.level,
            keep=ImageOut.of(group.keep),
            why=group.why,
            goes=group.goes,
            sharpness=group.sharpness,
            others=[DuplicateOut.of_one(one) for one in group.others[:most]],
            more=max(0, len(group.others) - most),
        )


class GroupsOut(BaseModel):
    """Groups of duplicates, the most alike first."""

    groups: list[GroupOut]
    total: int = Field(description="Over all groups, including those left out here.")
    images: int = Field(description="Number of images compared.")


class ChangedOut(BaseModel):
    """How many images, or pairs, are other than before."""

    changed: int


class SyncOut(BaseModel):
    """What became of a folder, in numbers of images."""

    indexed: int
    updated: int
    unchanged: int
    moved: int
    removed: int
    skipped: int
    seconds: float

    @classmethod
    def of(cls, report: SyncReport) -> SyncOut:
        """What ``Collection.sync`` said."""
        return cls(**{name: getattr(report, name) for name in cls.model_fields})
