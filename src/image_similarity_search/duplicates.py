"""The plain values in which duplicates are told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from image_similarity_search.types import ImageRecord

DuplicateLevel = Literal["exact", "same", "near", "similar"]
DUPLICATE_LEVELS: tuple[DuplicateLevel, ...] = get_args(DuplicateLevel)

DuplicateAction = Literal["trash", "move", "hardlink", "symlink", "delete"]
DUPLICATE_ACTIONS: tuple[DuplicateAction, ...] = get_args(DuplicateAction)

NO_COLOURS = "without its colours"
"""The ``change`` of a black-and-white or sepia copy of an image in colour."""

GOES_ELSEWHERE = "what is like it goes for another"
"""The ``why`` of an image that stays for no other reason."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a picture file holds beside the pixels of its first picture.

    Attributes:
        raw: whether it is a RAW file of a camera, of which no more than a preview was compared.
        frames: how many frames, pages or layers it has.
        film: bytes of a film in it or behind it, as in motion photos.
        more: whether there are other pictures behind it, or planes, such as for more light (HDR).
        taken: when it was taken, or else digitized, by EXIF: ``2022-01-01 10:00:05``, with parts
            of a second where the camera noted them.
        camera: maker and model, by EXIF.
        place: whether EXIF says where it was taken.
        deep: whether a colour has more than 8 bits, which is all that is compared.
    """

    raw: bool = False
    frames: int = 1
    film: int = 0
    more: bool = False
    taken: str | None = None
    camera: str | None = None
    place: bool = False
    deep: bool = False


NO_HOLDINGS = Holdings()
"""Of a file with nothing but one picture, or of which it is not known."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An image that is like the one of its group that stays.

    Attributes:
        image: the image.
        level: ``exact`` (the same bytes), ``same`` (the same picture in another size, format,
            quality), ``near`` (changed: cut, lettered, mirrored, turned, other colours) or
            ``similar`` (not a copy: it looks alike).
        score: of its embedding beside that of the one that stays, by cosine, up to 1.0.
        likeness: how its pixels correlate with those, -1.0 to 1.0; None where only embeddings
            were compared.
        change: ``mirrored``, ``turned``, ``mirrored and turned``, ``cut``, or empty; and behind
            it ``without its colours``, where only the one that stays is in colour. Of what
            is ``similar``, ``other details`` where two pages are alike in all but these. Of what is
            ``near`` and the same by its pixels, ``RAW``, ``other frames``, ``other film`` or
            ``other time``.
        sharpness: how much fine detail it shows, beside the other copies in its group; None where
            it was not measured, for nothing depends on it or the file can't be read.
        holdings: what its file holds beside pixels; not known where these were not compared.
        lost: what it has and the one that stays has not, in words: ``the time taken``, ``the
            camera``, ``the place``, ``a film``, ``finer detail``, ``a .xmp beside it`` ... Then
            no action takes it. Of what goes for another it is told beside that one.
    """

    image: ImageRecord
    level: DuplicateLevel
    score: float
    likeness: float | None = None
    change: str = ""
    sharpness: float | None = None
    holdings: Holdings = NO_HOLDINGS
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """An image that stays, and images that are each like it, and like one another.

    Those of a group are all copies, or all ``similar``, and then they stay too. Of some copies none
    could go: others go for their sake, or they go for the sake of another.

    Attributes:
        keep: the image that stays.
        why: what makes it the one to keep: ``in colour``, ``most pixels``, ``sharpest``,
            ``largest file`` …, or ``what is like it goes for another``.
        others: the other images.
        sharpness: of ``keep``, as that of the others.
        holdings: of ``keep``, likewise.
        goes: whether the others could go for its sake, but those with which more is lost.
    """

    keep: ImageRecord
    why: str
    others: list[Duplicate]
    sharpness: float | None = None
    holdings: Holdings = NO_HOLDINGS
    goes: bool = True

    @property
    def level(self) -> DuplicateLevel:
        """How alike the least alike of them is."""
        return max((other.level for other in self.others), key=DUPLICATE_LEVELS.index)


@dataclass(slots=True)
class DuplicateReport:
    """What ``duplicates`` found.

    Attributes:
        groups: those of which something could go, then other copies, then what is similar; of each
            the most alike first.
        images: how many images were compared.
        unreadable: files whose pixels could not be compared, by path, with the reason.
        dismissed: pairs that were left out, for they were dismissed before.
        linked: images that are hard links of the file that stays, or the same file by another
            path: they take no room, and are in no group. Between two folders they are told.
        unmeasured: images whose sharpness was not measured, for it would have taken too long.
        seconds: wall time.
    """

    groups: list[DuplicateGroup] = field(default_factory=list)
    images: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    dismissed: int = 0
    linked: int = 0
    unmeasured: int = 0
    seconds: float = 0.0

    @property
    def copies(self) -> list[DuplicateGroup]:
        """The groups of copies, of which all others could go, but those with which more is lost."""
        return [group for group in self.groups if group.goes]

    @property
    def staying(self) -> list[DuplicateGroup]:
        """The groups of copies of which nothing is to go now."""
        return [group for group in self.groups if not group.goes and group.level != "similar"]

    @property
    def similar(self) -> list[DuplicateGroup]:
        """The groups of what only looks alike, of which nothing is to go."""
        return [group for group in self.groups if group.level == "similar"]


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done with a file, or was not.

    Attributes:
        path: the file.
        action: what was to be done, or ``undo``.
        kept: the image that stays.
        size: bytes of the file.
        to: where it went, where that is known.
        problem: why it was left as it is; empty where it was done.
    """

    path: str
    action: str
    kept: str
    size: int
    to: str = ""
    problem: str = ""


@dataclass(slots=True)
class ActionReport:
    """What ``resolve_duplicates`` did, or would do (``dry_run``), and what it left alone."""

    dry_run: bool
    deeds: list[Deed] = field(default_factory=list)

    @property
    def done(self) -> list[Deed]:
        """What was done, or would be."""
        return [deed for deed in self.deeds if not deed.problem]

    @property
    def left(self) -> list[Deed]:
        """What was left as it is, each with the problem."""
        return [deed for deed in self.deeds if deed.problem]
