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

GOES_ELSEWHERE = "its copies are already covered by another group"
"""The ``why`` of an image that is kept for no other reason."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a picture file holds besides the pixels of its first picture.

    Attributes:
        raw: whether it is a camera RAW file, of which only the preview was compared.
        frames: number of frames, pages or layers.
        film: bytes of a video in the file, as in motion photos.
        more: whether the file has more pictures after the first, or planes such as an HDR gain map.
        taken: EXIF time taken, or else digitized: ``2022-01-01 10:00:05``, with fractions of a
            second if the camera recorded them.
        camera: EXIF maker and model.
        place: whether EXIF has the place where it was taken.
        deep: whether a colour has more than 8 bits; only 8 bits are compared.
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
"""Holdings of a file with a single picture only, or of an unknown file."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An image that is a duplicate of, or similar to, the kept image of its group.

    Attributes:
        image: the image.
        level: ``exact`` (the same bytes), ``same`` (the same picture in another size, format or
            quality), ``near`` (altered: cropped, text added, mirrored, rotated, other colours) or
            ``similar`` (similar, but not a copy).
        score: score of its embedding against that of the kept image, by cosine, up to 1.0.
        likeness: correlation of its pixels with those of the kept image, -1.0 to 1.0; None if only
            embeddings were compared.
        change: ``mirrored``, ``turned``, ``mirrored and turned``, ``cut``, or empty; followed by
            ``without its colours`` if only the kept image is in colour. For ``similar``, ``other
            details`` if two pages differ in details only. For ``near`` images with equal pixels,
            ``RAW``, ``other frames``, ``other film`` or ``other time``.
        sharpness: fine detail relative to the other copies in its group; None if not measured,
            because nothing depends on it or the file can't be read.
        holdings: what its file holds besides pixels; unknown if pixels were not compared.
        lost: what removing this file would lose, in words: ``the time taken``, ``the camera``,
            ``the place``, ``a video``, ``finer detail``, ``a .xmp file next to it`` ... If it is
            not empty, no action removes the file. Of a removable file it is compared with the
            file it is removed in favour of.
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
    """One image to keep and its duplicates, each of which matches all the others.

    The others are all copies, or all ``similar``, and then none is removable.

    Attributes:
        keep: the image to keep.
        why: why it is the one to keep: ``in colour``, ``most pixels``, ``sharpest``, ``largest
            file`` …, or ``its copies are already covered by another group``.
        others: the other images.
        sharpness: of ``keep``, like that of the others.
        holdings: of ``keep``, likewise.
        goes: whether the others can be removed in favour of ``keep``, except those with something
            in ``lost``; False if a closer match must be handled first.
    """

    keep: ImageRecord
    why: str
    others: list[Duplicate]
    sharpness: float | None = None
    holdings: Holdings = NO_HOLDINGS
    goes: bool = True

    @property
    def level(self) -> DuplicateLevel:
        """The lowest level of similarity in the group."""
        return max((other.level for other in self.others), key=DUPLICATE_LEVELS.index)


@dataclass(slots=True)
class DuplicateReport:
    """What ``duplicates`` found.

    Attributes:
        groups: first those with removable images, then other copies, then similar images; within
            each, the most similar first.
        images: number of images compared.
        unreadable: files whose pixels could not be compared, by path, with the reason.
        dismissed: number of pairs left out because they were dismissed.
        linked: number of images that are hard links to a kept file, or the same file under another
            path: they take no disk space, and are in no group (unless compared ``between`` two
            folders).
        unmeasured: number of images whose sharpness was not measured, to save time.
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
        """The groups of copies whose others are removable, except any with ``lost``."""
        return [group for group in self.groups if group.goes]

    @property
    def staying(self) -> list[DuplicateGroup]:
        """The groups of copies in which nothing is removable now."""
        return [group for group in self.groups if not group.goes and group.level != "similar"]

    @property
    def similar(self) -> list[DuplicateGroup]:
        """The groups of images that are only similar, in which nothing is removable."""
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
