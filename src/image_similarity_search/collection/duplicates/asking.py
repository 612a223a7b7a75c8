"""From what a caller asks about duplicates to what is compared."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from image_similarity_search.arguments import several
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.duplicates.acting import Actor
from image_similarity_search.collection.duplicates.checks import check_not_indexed
from image_similarity_search.collection.duplicates.dismissals import Dismissals
from image_similarity_search.collection.duplicates.finding import Finder
from image_similarity_search.collection.duplicates.handing import hand_on_tags, with_tags_of_now
from image_similarity_search.collection.duplicates.levels import (
    NEAR_LIKENESS,
    SIMILAR_SCORE,
    Levels,
)
from image_similarity_search.collection.duplicates.scope import Scope
from image_similarity_search.collection.duplicates.undo_log import UndoLog
from image_similarity_search.collection.filtering import Filtering
from image_similarity_search.collection.lookup import record_of
from image_similarity_search.duplicates import (
    ActionReport,
    DuplicateAction,
    DuplicateGroup,
    DuplicateLevel,
    DuplicateReport,
)
from image_similarity_search.errors import ConfigError
from image_similarity_search.filters import Filter
from image_similarity_search.types import IdArray, ProgressCallback, checked_seconds

Folder = str | os.PathLike[str]


def found_duplicates(
    catalog: Catalog,
    filtering: Filtering,
    folder: str,
    *,
    level: DuplicateLevel,
    likeness: float | None,
    score: float | None,
    where: Filter | None,
    references: Folder | Sequence[Folder],
    between: tuple[Folder, Folder] | None,
    thorough: bool,
    time_limit: float,
    progress: ProgressCallback | None,
) -> DuplicateReport:
    """As ``Collection.duplicates``, of the collection in ``folder``."""
    levels = Levels(
        level,
        NEAR_LIKENESS if likeness is None else likeness,
        SIMILAR_SCORE if score is None else score,
    )
    time_limit = checked_seconds("time_limit", time_limit)
    scope = _scope(filtering, where, references, between)
    finder = Finder(catalog, scope, levels, Dismissals(folder), progress)
    return finder.run(thorough=thorough, time_limit=time_limit)


def dismissed_pairs(catalog: Catalog, folder: str, images: Sequence[Folder | int]) -> int:
    """As ``Collection.dismiss_duplicates``; the caller holds the writer lock."""
    if len(images) < 2:
        expected = "two or more images that are not duplicates of each other"
        raise ConfigError("images", [str(image) for image in images], expected)
    records = [record_of(catalog, image) for image in images]
    return Dismissals(folder).add(one.content_hash for one in records if one.content_hash)


def resolved(
    catalog: Catalog,
    log: UndoLog | None,
    groups: DuplicateGroup | Sequence[DuplicateGroup],
    action: DuplicateAction,
    level: DuplicateLevel,
    to: str | None,
) -> ActionReport:
    """As ``Collection.resolve_duplicates``; without ``log`` nothing is done."""
    expected = "groups that duplicates() found, such as report.copies"
    chosen = several("groups", groups, DuplicateGroup, expected)
    actor = Actor(action, level, to, log)
    if to is not None:
        check_not_indexed(to, catalog.places.roots().values())
    report = ActionReport(dry_run=log is None)
    try:
        report.deeds.extend(actor.run(with_tags_of_now(catalog, chosen)))
    finally:
        gone = [deed.path for deed in report.done if not os.path.lexists(deed.path)]
        records = [record for path in gone if (record := catalog.record_at(path))]
        if log and records:
            kept = {deed.path: deed.kept for deed in report.done}
            with catalog.transaction():
                for record in records:
                    hand_on_tags(catalog, record, kept[record.path])
                catalog.changes.remove(record.id for record in records)
    return report


def _scope(
    filtering: Filtering,
    where: Filter | None,
    references: Folder | Sequence[Folder],
    between: tuple[Folder, Folder] | None,
) -> Scope:
    everything = filtering.ids(where or Filter())

    def within(folder: Folder) -> IdArray:
        return np.intersect1d(everything, filtering.ids(Filter(folder=folder)))

    if between is not None:
        if references:
            raise ConfigError("between", between, "no references with it: it names both sides")
        if len(several("between", between, (str, os.PathLike), "two folders")) != 2:
            raise ConfigError("between", between, "two folders")
        if len({os.path.realpath(folder) for folder in between}) < 2:
            raise ConfigError("between", between, "two different folders")
        left, right = (frozenset(within(folder).tolist()) for folder in between)
        # of two folders one of which lies in the other, that one is apart
        sides = (left - right, right) if right <= left else (left, right - left)
        return Scope(np.array(sorted(left | right), dtype=np.int64), sides=sides)
    folders = several("references", references, (str, os.PathLike), "folders")
    fixed = [id_ for folder in folders for id_ in within(folder).tolist()]
    return Scope(everything, frozenset(fixed))
