"""Tags of an image that goes, handed to the one that stays; and given back when that is undone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.tags import TAGS, tags_in
from image_similarity_search.collection.duplicates.undo_log import Entry, UndoLog
from image_similarity_search.duplicates import DuplicateGroup
from image_similarity_search.types import ImageRecord


def with_tags_of_now(
    catalog: Catalog, groups: Iterable[DuplicateGroup]
) -> Iterator[DuplicateGroup]:
    """The groups, with the tags that their images have by now; all else is as it was compared."""
    for group in groups:
        others = [replace(one, image=_with_tags(catalog, one.image)) for one in group.others]
        yield replace(group, keep=_with_tags(catalog, group.keep), others=others)


def hand_on_tags(catalog: Catalog, gone: ImageRecord, kept: str) -> bool:
    """Put the tags of an image that goes to the one that stays, so that no word is lost.

    Call within a transaction. Returns whether there is one that stays, and is no bad file.
    """
    keep = catalog.record_at(kept)
    if keep is None or keep.state != "indexed":
        return False
    catalog.tags.change([keep.id], tags_in(gone.metadata), ())
    return True


def note_own_tags(
    catalog: Catalog, log: UndoLog, ids: Collection[int], tags: Iterable[str]
) -> None:
    """Write down that the user puts tags to images which these were handed to: they keep them.

    Raises:
        CollectionUnwritableError: it can't be written down.
    """
    lines, own = log.not_undone(), set(tags)
    noted = {
        (one.run, one.kept, tag) for one in lines if one.action == "tagged" for tag in one.tags
    }
    for entry in lines:
        new = [tag for tag in entry.handed if tag in own]
        new = [tag for tag in new if (entry.run, entry.kept, tag) not in noted]
        keep = catalog.record_at(entry.kept) if new else None
        if keep and keep.id in ids:
            log.write(Entry(entry.run, "tagged", kept=entry.kept, tags=new))
            noted.update((entry.run, entry.kept, tag) for tag in new)


def still_theirs(entries: Iterable[Entry], back: Collection[str]) -> Mapping[str, set[str]]:
    """By the path of an image that stayed, the tags that it keeps when files are ``back``.

    Those that the user put to it, and those of files that are not back.
    """
    theirs: defaultdict[str, set[str]] = defaultdict(set)
    for entry in entries:
        if entry.action == "tagged":
            theirs[entry.kept].update(entry.tags)
        elif entry.path not in back:
            theirs[entry.kept].update(entry.handed)
    return theirs


def gave_back(catalog: Catalog, entry: Entry, theirs: Collection[str]) -> bool:
    """Give an image that is back its tags, and take those from the one that stayed that it may.

    Returns whether it could be; else nothing was changed.
    """
    record = catalog.record_at(entry.path)
    if record is None or record.state != "indexed":
        return False
    with catalog.transaction():
        catalog.tags.change([record.id], entry.tags, ())
        if keep := catalog.record_at(entry.kept):
            catalog.tags.change([keep.id], (), set(entry.handed).difference(theirs))
    return True


def _with_tags(catalog: Catalog, image: ImageRecord) -> ImageRecord:
    now = catalog.record(image.id)
    if now is None or now.path != image.path:
        return image
    return replace(image, metadata={**image.metadata, TAGS: tags_in(now.metadata)})
