"""The shapes of the JSON that comes in."""

from __future__ import annotations

import os
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from image_similarity_search.duplicates import DuplicateLevel
from image_similarity_search.errors import ConfigError
from image_similarity_search.filters import COLOURS, Colour, Filter, Orientation
from image_similarity_search.search_options import DIVERSE, SearchOptions
from image_similarity_search.service.roots import Roots
from image_similarity_search.types import Region, ScoreWord

MOST_HITS = 1_000
MOST_EXAMPLES = 32
MOST = 2**53
"""A number that every program reads alike."""

_LARGEST_ID = 2**63 - 1
_MOST_JUDGED = 100  # images that are liked, and that are not
_MOST_UNKNOWN = 10  # fields, of each of which the client is told

THRESHOLD = (
    "Leave out hits with a lower score: a number, or a word that the collection's `thresholds`"
    " have."
)


Finite = Annotated[float, Field(allow_inf_nan=False)]
"""A number; said of each, since the query string knows nothing of the model's own rule."""

Least = Finite | ScoreWord
"""A score, or a word for one."""

Id = Annotated[int, Field(ge=1, le=_LARGEST_ID)]
K = Annotated[int, Field(ge=1, le=MOST_HITS)]


class In(BaseModel):
    """What comes in: no fields but the known ones, of the very types, and only finite numbers."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _few(cls, given: Any) -> Any:
        """Refuse many unknown fields at once: each would cost an error of its own."""
        if isinstance(given, dict) and len(given) > len(cls.model_fields) + _MOST_UNKNOWN:
            raise PydanticCustomError("too_many_fields", "too many fields")
        return given


class RegionIn(In):
    """A part of a picture, in fractions of its upright width and height."""

    x: float = Field(ge=0, lt=1, examples=[0.1])
    y: float = Field(ge=0, lt=1, examples=[0.2])
    w: float = Field(gt=0, le=1, examples=[0.5])
    h: float = Field(gt=0, le=1, examples=[0.5])

    def part(self) -> Region:
        """The same, checked as a whole.

        Raises:
            ConfigError: it reaches over an edge.
        """
        return Region(self.x, self.y, self.w, self.h)


class FilterIn(In):
    """Conditions that an image must meet, all of them."""

    folder: str | None = Field(
        default=None,
        min_length=1,
        max_length=4_000,
        description="A root's name, optionally with folders below it: `photos/holiday`.",
        examples=["photos/holiday"],
    )
    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=1_000,
        description="A file name pattern, case-insensitive: `*.jpg`.",
        examples=["*.jpg"],
    )
    formats: list[str] = Field(
        default=[], max_length=50, description="`jpeg`, `heic` …", examples=[["jpeg", "heic"]]
    )
    min_width: int | None = Field(default=None, ge=0, le=MOST)
    max_width: int | None = Field(default=None, ge=0, le=MOST)
    min_height: int | None = Field(default=None, ge=0, le=MOST)
    max_height: int | None = Field(default=None, ge=0, le=MOST)
    orientation: Orientation | None = None
    min_aspect: Finite | None = Field(default=None, ge=0, description="Width divided by height.")
    max_aspect: Finite | None = Field(default=None, ge=0)
    aspect: str | None = Field(
        default=None,
        max_length=50,
        description="landscape, portrait, square, or a ratio such as `3:2` or `1.5` (within 2 %).",
    )
    min_size: int | None = Field(default=None, ge=0, le=MOST, description="Bytes.")
    max_size: int | None = Field(default=None, ge=0, le=MOST)
    modified_after: str | None = Field(
        default=None,
        max_length=64,
        description="ISO 8601: 2024, 2024-05, 2024-05-17, 2024-05-17T18:30Z.",
        examples=["2024-05"],
    )
    modified_before: str | None = Field(
        default=None, max_length=64, description="Before this time; as `modified_after`."
    )
    tags: list[str] = Field(
        default=[], max_length=50, description="Images must have all of them; case-insensitive."
    )
    camera: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Part of the camera's name, case-insensitive.",
        examples=["canon"],
    )
    taken_after: str | None = Field(
        default=None,
        max_length=64,
        description="ISO 8601, by the camera's clock: without a time zone.",
    )
    taken_before: str | None = Field(
        default=None, max_length=64, description="Before this time; as `taken_after`."
    )
    gps_box: list[Finite] | None = Field(
        default=None,
        min_length=4,
        max_length=4,
        description="Four numbers: south, west, north, east in degrees.",
        examples=[[45.8, 5.9, 47.9, 10.5]],
    )
    colours: list[Colour] = Field(default=[], max_length=len(COLOURS), examples=[["red"]])

    def where(self, roots: Roots) -> Filter | None:
        """The filter; None where nothing is asked for.

        Raises:
            ConfigError: a value is not allowed.
        """
        fields = self.fields(roots)
        return Filter(**fields) if fields else None

    def fields(self, roots: Roots) -> dict[str, Any]:
        """What is asked for, as ``Filter`` takes it, in plain values.

        Raises:
            ConfigError: a value is not allowed.
        """
        given: dict[str, Any] = self.model_dump(exclude_defaults=True)
        if self.folder is not None:
            given["folder"] = _folder(self.folder, roots)
        return given


def _not_zero(weight: float) -> float:
    if not weight:
        raise PydanticCustomError("zero", "must not be 0")
    return weight


class ExampleIn(In):
    """What to search by: an image of the collection, an upload by its number, or words."""

    id: Id | None = Field(default=None, examples=[7])
    upload: int | None = Field(default=None, ge=0, lt=MOST_EXAMPLES)
    text: str | None = Field(
        default=None,
        min_length=1,
        max_length=1_000,
        description="Only if the collection's model supports text.",
    )
    weight: Annotated[float, AfterValidator(_not_zero)] = Field(
        default=1.0,
        ge=-1e6,
        le=1e6,
        description="Above 0: more like it. Below 0: less like it.",
        json_schema_extra={"not": {"const": 0}},
    )
    region: RegionIn | None = None


def _share(given: Any) -> Any:
    """A bare yes, as the command line has it, is the usual share."""
    said = {True: DIVERSE, False: 0.0, "true": DIVERSE, "false": 0.0}
    return said[given] if given in ("true", "false") or isinstance(given, bool) else given


Share = Annotated[
    float,
    Field(ge=0, le=1),
    BeforeValidator(_share),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "boolean"}]}
    ),
]
"""How much something counts: 0 to 1, or ``true`` for what is usual."""


class OptionsIn(In):
    """What else a search is to do."""

    mirrored: bool = Field(default=False, description="Also find mirrored versions.")
    turned: bool = Field(
        default=False, description="Also find versions rotated by 90, 180 or 270 degrees."
    )
    exclude_same_folder: bool = Field(
        default=False, description="Leave out hits from the folders of the query images."
    )
    diverse: Share = Field(
        default=0.0,
        description="Weight of the difference from other hits, 0 to 1: 0 is off, true is 0.5.",
    )
    fold: bool = Field(
        default=False, description="Group copies under the best hit instead of listing each."
    )
    liked: list[Id] = Field(
        default=[], max_length=_MOST_JUDGED, description="Ids of relevant images."
    )
    disliked: list[Id] = Field(
        default=[],
        max_length=_MOST_JUDGED,
        description="Ids of images that are not relevant; left out of the hits.",
    )

    def options(self) -> SearchOptions:
        """The same, as a collection takes it."""
        return SearchOptions(**{name: getattr(self, name) for name in OptionsIn.model_fields})


class SearchIn(OptionsIn):
    """What to search for."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"examples": [{"id": 1}], "k": 5},
                {"examples": [{"id": 1, "weight": 1.0}, {"id": 2, "weight": -0.5}], "k": 5},
                {"examples": [{"id": 1}], "mirrored": True, "fold": True},
            ]
        },
    )

    examples: list[ExampleIn] = Field(min_length=1, max_length=MOST_EXAMPLES)
    k: K = 10
    threshold: Least | None = Field(default=None, description=THRESHOLD)
    filter: FilterIn | None = Field(default=None, description="Only images that match this filter.")


class AddIn(In):
    """A file that lies in an indexed folder already."""

    root: str = Field(examples=["photos"])
    path: str = Field(examples=["holiday/beach.jpg"])


class SyncIn(In):
    """Which folder is to be brought up to date; without ``root`` all of them."""

    root: str | None = Field(default=None, examples=["photos"])
    retry_skipped: bool = False


class DuplicatesIn(In):
    """Which duplicates to look for."""

    level: DuplicateLevel = Field(
        default="near", description="Lowest level of similarity to report."
    )
    thorough: bool = Field(
        default=False,
        description="Read every file, to find rotated, tiny and blurred copies too; slow.",
    )
    filter: FilterIn | None = Field(default=None, description="Only images that match this filter.")


class DismissIn(In):
    """Images of which no two are duplicates of each other."""

    ids: list[Id] = Field(min_length=2, max_length=1_000, examples=[[1, 2]])


class TagsIn(In):
    """Which images get which tags, and lose which."""

    ids: list[Id] = Field(min_length=1, max_length=1_000, examples=[[1, 2]])
    add: list[str] = Field(default=[], max_length=100, examples=[["beach"]])
    remove: list[str] = Field(default=[], max_length=100)


class SessionIn(In):
    """An API key, for which a browser gets a cookie."""

    key: str = Field(min_length=1, max_length=1_000, json_schema_extra={"writeOnly": True})


def _folder(shown: str, roots: Roots) -> str:
    name, *below = shown.rstrip("/").split("/")
    if "\0" in shown or {"", ".", ".."} & set(below):
        raise ConfigError("folder", shown, "a root's name, optionally with folders below it")
    return os.path.join(roots.folder(name), *below)
