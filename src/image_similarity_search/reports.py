"""What jobs report when they are done, and what a collection says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from image_similarity_search.types import Metric, ScoreWord

_PROBLEMS_KEPT = 1_000  # of each part of a damaged collection


@dataclass(slots=True)
class SyncReport:
    """What a sync (or an add) did, in numbers of images.

    Attributes:
        indexed: new images that are now in the collection.
        updated: images whose file had changed.
        unchanged: images already there that needed no work.
        moved: images whose file was moved or renamed; their embedding was kept.
        removed: images whose file is gone.
        vanished: the same, that were kept, since they may have moved to another folder.
        skipped: bad files met in this run or remembered from before.
        encoded: how many pictures went through the encoder (copies and moves do not).
        others: files that are no pictures, or none that are read here.
        other_kinds: how many of these have each extension (``.cr3``; empty: none), the ten most
            first; what is lacking to ``others`` has further ones.
        unreadable_folders: folders that couldn't be listed, each with the reason; what was known
            of them is kept.
        seconds: wall time.
        encode_seconds: wall time of decoding and encoding alone.
    """

    indexed: int = 0
    updated: int = 0
    unchanged: int = 0
    moved: int = 0
    removed: int = 0
    vanished: int = 0
    skipped: int = 0
    encoded: int = 0
    others: int = 0
    other_kinds: dict[str, int] = field(default_factory=dict)
    unreadable_folders: list[str] = field(default_factory=list)
    seconds: float = 0.0
    encode_seconds: float = 0.0

    @property
    def changed(self) -> bool:
        """Whether other images can be found than before, or by other paths."""
        return bool(self.indexed or self.updated or self.moved or self.removed)

    @property
    def images_per_second(self) -> float:
        """Pictures encoded per second of decoding and encoding; 0.0 when there were none."""
        return self.encoded / self.encode_seconds if self.encode_seconds else 0.0


@dataclass(slots=True)
class ImportReport:
    """What became of embeddings that another program made, in numbers of images.

    Attributes:
        metric: how distance is measured.
        taken_over: images that are now in the collection.
        missing: imported, but there is no picture file; the next sync of their folder drops them.
        to_encode: imported, but to be encoded again by the next sync: the embedding is zero, or the
            file is in object storage and could not be checked.
        not_finite: rows left out because they have values that are not finite.
        seconds: wall time.
    """

    metric: Metric
    taken_over: int = 0
    missing: int = 0
    to_encode: int = 0
    not_finite: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class LegacyImportReport(ImportReport):
    """What became of an index of the ResNet-50 + FAISS tutorial, in numbers of images.

    ``to_encode`` also counts images whose file changed since the index was written, and rotated or
    transparent ones, which the tutorial does not handle.

    Attributes:
        repeated: paths listed more than once; the last one counts.
    """

    repeated: int = 0


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """What a collection holds and how it was made.

    Attributes:
        index_dir: folder of the collection.
        encoder: name of the model.
        fingerprint: identifies the model and its weights.
        dim: dimension of the embeddings.
        metric: distance measure.
        index: kind of search index that was chosen, such as ``auto``.
        store: how the nearest images are found now, in words.
        indexed: number of indexed images.
        skipped: number of skipped files.
        roots: indexed folders.
        generation: number of the last change.
        catalog_bytes: size of the catalog on disk.
        store_bytes: size of the search index on disk.
        memory_bytes: approximate memory that the search index needs.
        why: why ``auto`` chose this way of searching; empty for other kinds.
        tuning: result of tuning to a target recall; None if there is no target.
        text: whether searching by text is possible.
        thumbnail_bytes: size of the thumbnails on disk.
        thresholds: lowest score of images that show the same picture, object or kind; None if not
            calibrated.
        catalog: URL of a catalog shared with other computers; empty for a file.
    """

    index_dir: str
    encoder: str
    fingerprint: str
    dim: int
    metric: Metric
    index: str
    store: str
    indexed: int
    skipped: int
    roots: list[str]
    generation: int
    catalog_bytes: int
    store_bytes: int
    memory_bytes: int
    why: str = ""
    tuning: Tuning | None = None
    text: bool = False
    thumbnail_bytes: int = 0
    thresholds: dict[ScoreWord, float] | None = None
    catalog: str = ""


@dataclass(slots=True)
class ThumbnailReport:
    """What became of the thumbnails of a collection.

    Attributes:
        made: those that were made now.
        kept: those that were there.
        removed: those whose image is gone.
        failed: images of which none could be made: their file is gone, or was changed.
        bytes_on_disk: the size of the file that has them all.
        seconds: wall time.
    """

    made: int = 0
    kept: int = 0
    removed: int = 0
    failed: int = 0
    bytes_on_disk: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RecallReport:
    """How right searches are, measured on images of the collection.

    Attributes:
        k: how many hits were asked for.
        queries: how many images were searched for.
        recall: the part of the exact ``k`` nearest that was found, 0.0 to 1.0.
        seconds: of one search, on average.
        exact_seconds: of comparing one query with every embedding, on average; all queries share
            one pass through the catalog.
    """

    k: int
    queries: int
    recall: float
    seconds: float
    exact_seconds: float


@dataclass(frozen=True, slots=True)
class Tuning:
    """How much a search looks at, so that it finds what was asked for.

    Attributes:
        target: the part of the exact nearest that a search is to find, above 0.0 to 1.0.
        recall: the part that it found when it was measured.
        k: of so many nearest.
        queries: by so many images of the collection.
        images: so many images there were.
        probed: the part of an index's lists that is searched; None for an index without lists.
        depth: how many candidates are compared exactly, as a multiple of what is usual.
    """

    target: float
    recall: float
    k: int
    queries: int
    images: int
    probed: float | None
    depth: float

    @property
    def reached(self) -> bool:
        """Whether the target was reached; what is chosen is the best there is if not."""
        return self.recall >= self.target


Part = Literal["catalog", "store", "notes", "files"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What ``verify`` found wrong: in which part of a collection, and what, in words."""

    part: Part
    text: str


@dataclass(slots=True)
class RepairReport:
    """What ``repair`` saved of a damaged catalog, and what it could not.

    Attributes:
        kept_as: the damaged catalog, as it was; empty when the catalog was whole.
        images: images that were saved with their embedding.
        reencoded: images that were saved without: the next sync encodes them again.
        skipped: bad files that were saved.
        misplaced: images, among these, whose folder was lost: they are in ``lost+found`` until
            a sync meets their files.
        lost: images that were there and are lost, as far as can be told. The next sync finds
            their files as new ones.
        store_rebuilt: whether the store was made anew.
    """

    kept_as: str = ""
    images: int = 0
    reencoded: int = 0
    skipped: int = 0
    misplaced: int = 0
    lost: int = 0
    store_rebuilt: bool = False


@dataclass(slots=True)
class VerifyReport:
    """What ``verify`` looked at, and what it found.

    Attributes:
        checked: how many were looked at, by what they are: ``pages`` of the catalog, ``roots``,
            ``folders``, ``images``, ``embeddings``, ``vectors`` of the store (``compared`` of
            them with the catalog's embeddings, value by value), ``lines`` that say what was done
            with duplicates, and ``files``.
        problems: what is wrong; of each part the first thousand.
        counts: how many problems each part has.
        seconds: wall time.
    """

    checked: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    counts: dict[Part, int] = field(
        default_factory=lambda: {"catalog": 0, "store": 0, "notes": 0, "files": 0}
    )
    seconds: float = 0.0

    @property
    def damaged(self) -> bool:
        """Whether catalog or store are; a repair mends no notes, and no files that changed."""
        return self.counts["catalog"] > 0 or self.counts["store"] > 0

    def add(self, part: Part, text: str) -> None:
        """Note a problem."""
        self.counts[part] += 1
        if self.counts[part] <= _PROBLEMS_KEPT:
            self.problems.append(Problem(part, text))


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """What became of a watched folder.

    Attributes:
        folder: as it was given.
        event: ``synced``: at first, and whenever something had changed; ``unavailable``: it is
            not there or can't be read, and what is known of it is kept until it is back.
        reason: why it is unavailable.
        report: of the sync.
    """

    folder: str
    event: Literal["synced", "unavailable"]
    reason: str = ""
    report: SyncReport | None = None


class SyncInterrupted(KeyboardInterrupt):
    """Ctrl-C during a sync. What was done is kept; ``report`` says what that is."""

    def __init__(self, report: SyncReport) -> None:
        super().__init__("interrupted; finished work is kept")
        self.report = report
