"""What a service answers, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Literal, Self, TypeAlias

from image_similarity_search.duplicates import DuplicateLevel
from image_similarity_search.types import Region, Traits

Json: TypeAlias = Mapping[str, Any]
ExplainMethod: TypeAlias = Literal["places", "occlusion"]


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a collection.

    Attributes:
        id: its number there.
        root: the name of the indexed folder that it lies in; None when it was added alone.
        path: relative to that folder, with ``/`` between its parts.
        size: bytes of the file.
        modified: when the file was last changed.
        width: pixels, as a person sees the picture; None when it was skipped or is not known.
        height: the same.
        state: ``indexed``, or ``skipped`` for a bad file.
        reason: why it was skipped.
        metadata: whatever was attached to it.
        traits: what its file says of itself; of ``Client.image`` alone, and None where that is not
            known.
    """

    id: int
    root: str | None
    path: str
    size: int
    modified: datetime | None
    width: int | None
    height: int | None
    state: Literal["indexed", "skipped"]
    reason: str | None
    metadata: Mapping[str, Any]
    traits: Traits | None = field(default=None, compare=False)

    @classmethod
    def of(cls, answer: Json) -> Self:
        """The image that JSON describes."""
        modified = answer["modified"] and datetime.fromisoformat(answer["modified"])
        traits = answer.get("traits") and _traits(answer["traits"])
        return cls(**_known(cls, {**answer, "modified": modified, "traits": traits}))


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer to a search: ``score`` is 1.0 for the same picture, and less for less alike.

    ``folded`` are copies of the image, where the search was to fold them.
    """

    rank: int
    score: float
    distance: float
    image: Image
    folded: list[Image] = field(hash=False)

    @classmethod
    def of(cls, answer: Json) -> Self:
        """The hit that JSON describes."""
        images = {
            "image": Image.of(answer["image"]),
            "folded": [Image.of(each) for each in answer.get("folded", ())],  # newer than the rest
        }
        return cls(**_known(cls, {"folded": (), **answer}) | images)


@dataclass(frozen=True, slots=True)
class Places:
    """What each place of a picture counts, row by row; ``seen`` is where they lie in it."""

    seen: Region
    parts: list[list[float]]

    @classmethod
    def of(cls, answer: Json) -> Self:
        """The places that JSON describes."""
        return cls(Region(**_known(Region, answer["seen"])), answer["parts"])


@dataclass(frozen=True, slots=True)
class Match:
    """Two places that are alike, each as row and column, and what they add."""

    query: tuple[int, int]
    hit: tuple[int, int]
    part: float

    @classmethod
    def of(cls, answer: Json) -> Self:
        """The match that JSON describes."""
        return cls(tuple(answer["query"]), tuple(answer["hit"]), answer["part"])


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why two pictures are alike: what each place adds, or by how much less alike they are without.

    ``method`` says which, and ``matches`` are places that are alike, where it is ``places``.
    """

    method: ExplainMethod
    metric: str
    similarity: float
    score: float
    distance: float
    query: Places
    hit: Places
    matches: list[Match]

    @classmethod
    def of(cls, answer: Json) -> Self:
        """The explanation that JSON describes."""
        sides = {side: Places.of(answer[side]) for side in ("query", "hit")}
        matches = [Match.of(each) for each in answer["matches"]]
        return cls(**_known(cls, answer) | sides | {"matches": matches})


@dataclass(frozen=True, slots=True)
class Page:
    """Images in order of id; ``next`` is to be given as ``after`` for more, None at the end."""

    images: list[Image]
    next: int | None
    total: int

    @classmethod
    def of(cls, answer: Json) -> Self:
        """The page that JSON describes."""
        return cls(**_known(cls, answer) | {"images": [*map(Image.of, answer["images"])]})


@dataclass(frozen=True, slots=True)
class Root:
    """An indexed folder: whether it is there now, and whether uploads can be put into it."""

    name: str
    available: bool
    writable: bool


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """What a collection is made of."""

    name: str
    encoder: str
    dim: int
    metric: str
    index: str
    indexed: int
    skipped: int
    roots: list[Root]
    read_only: bool
    text: bool = False
    thresholds: dict[str, float] | None = None

    @classmethod
    def of(cls, answer: Json) -> Self:
        """The collection that JSON describes."""
        roots = [Root(**_known(Root, root)) for root in answer["roots"]]
        return cls(**_known(cls, {"text": False, **answer}) | {"roots": roots})


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An image that is like the one of its group that stays.

    Attributes:
        image: the image.
        level: how alike: ``exact``, ``same``, ``near`` or ``similar``.
        score: of the embeddings, 1.0 for the same picture.
        likeness: of the pixels; None where these were not compared.
        change: ``mirrored``, ``turned``, ``cut`` and so on, or empty.
        sharpness: how much fine detail it shows, beside the other copies; None where nothing
            depends on it, or the service does not say.
    """

    image: Image
    level: DuplicateLevel
    score: float
    likeness: float | None
    change: str
    sharpness: float | None = None

    @classmethod
    def of(cls, answer: Json) -> Self:
        """The duplicate that JSON describes."""
        return cls(**_known(cls, answer) | {"image": Image.of(answer["image"])})


@dataclass(frozen=True, slots=True)
class Group:
    """Images that are alike: the one to ``keep``, ``why`` that one, and the others.

    ``more`` others were left out: ask for ``groups`` with as many ``others``. ``sharpness`` is of
    ``keep``, as of the others; ``goes`` says whether the others could go for its sake.
    """

    keep: Image
    why: str
    level: DuplicateLevel
    others: list[Duplicate]
    more: int
    sharpness: float | None = None
    goes: bool = True

    @classmethod
    def of(cls, answer: Json) -> Self:
        """The group that JSON describes."""
        others = [Duplicate.of(each) for each in answer["others"]]
        fields = {"goes": answer["level"] != "similar"} | _known(cls, answer)
        return cls(**fields | {"keep": Image.of(answer["keep"]), "others": others})


@dataclass(frozen=True, slots=True)
class Groups:
    """A page of groups; ``next`` is to be given as ``offset`` for more, None at the end."""

    groups: list[Group]
    next: int | None
    total: int

    @classmethod
    def of(cls, answer: Json) -> Self:
        """The page that JSON describes."""
        return cls(**_known(cls, answer) | {"groups": [*map(Group.of, answer["groups"])]})


@dataclass(frozen=True, slots=True)
class Job:
    """Work in the background: a sync, or a search for duplicates.

    Attributes:
        id: what it is called.
        collection: of which collection.
        kind: ``sync`` or ``duplicates``.
        state: ``running``, ``done``, ``cancelled`` or ``failed``.
        root: the folder that it works on.
        phase: while it runs, ``scanning`` or ``indexing``; of duplicates ``comparing``,
            ``looking`` or ``measuring``.
        done: how many files of the phase are done.
        total: of how many; None while they are still counted.
        started: when it began.
        finished: when it ended; None while it runs.
        report: what was done, in numbers of images, at the end.
        error: what went wrong, as a problem.
    """

    id: str
    collection: str
    kind: Literal["sync", "duplicates"]
    state: Literal["running", "done", "cancelled", "failed"]
    root: str | None
    phase: str | None
    done: int
    total: int | None
    started: datetime
    finished: datetime | None
    report: Mapping[str, Any] | None
    error: Mapping[str, Any] | None

    @classmethod
    def of(cls, answer: Json) -> Self:
        """The job that JSON describes."""
        times = {
            name: answer[name] and datetime.fromisoformat(answer[name])
            for name in ("started", "finished")
        }
        return cls(**_known(cls, answer) | times)


def _traits(answer: Json) -> Traits:
    taken = answer["taken"] and datetime.fromisoformat(answer["taken"]).replace(tzinfo=UTC)
    read = {"taken": taken and int(taken.timestamp()), "colours": tuple(answer["colours"])}
    return Traits(**_known(Traits, {**answer, **read}))


def _known(kind: type[Any], answer: Json) -> dict[str, Any]:
    """The fields that ``kind`` has: a newer service may say more."""
    return {field.name: answer[field.name] for field in fields(kind)}
