"""The ids of the images that a filter lets through, found before a search."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from image_similarity_search.addresses import is_address
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.values import NOTES, PLACES
from image_similarity_search.errors import ConfigError, FolderNotFoundError
from image_similarity_search.filters import Filter
from image_similarity_search.images.formats import FORMATS, extensions_of
from image_similarity_search.types import IdArray, ImageRecord, Moment, checked_count

_KEPT = 4  # answers, of 8 bytes an image
_MOST_CHANGED = 10_000  # images: to look at each of more takes longer than one pass over all


class _Answer(NamedTuple):
    """The ids of a filter, of which moment, and the folders that counted then."""

    moment: Moment
    folders: list[int] | None
    ids: IdArray


class Filtering:
    """Answers filters from one catalog, and remembers the last few answers."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._answers: OrderedDict[Filter, _Answer] = OrderedDict()
        self._count = Moment(-1), 0  # of all images, and when
        self._lock = threading.Lock()

    def ids(self, where: Filter) -> IdArray:
        """The ids, in order, of the images that ``where`` lets through.

        Raises:
            ConfigError: it names a format that there is not.
            FolderNotFoundError: no image of the collection was ever in its folder.
        """
        if not isinstance(where, Filter):
            raise ConfigError("where", where, "a Filter")
        with self._catalog.snapshot():
            moment = self._catalog.moment
            with self._lock:
                kept = self._answers.get(where)
            if kept and kept.moment == moment:
                return kept.ids
            folders, extensions = self._folders(where), _extensions(where)
            ids = self._brought_up_to_date(kept, where, folders, extensions) if kept else None
            if ids is None:
                ids = self._catalog.selection.ids(where, folders, extensions)
        with self._lock:
            self._answers[where] = _Answer(moment, folders, ids)
            self._answers.move_to_end(where)
            while len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
        return ids

    def _brought_up_to_date(
        self, kept: _Answer, where: Filter, folders: list[int] | None, extensions: list[str]
    ) -> IdArray | None:
        """The answer of now, by what changed since; None where that is not known, or too much."""
        edited = (PLACES, NOTES) if where.tags or where.about_traits else (PLACES,)
        since = self._catalog.edits.since(kept.moment, edited, _MOST_CHANGED)
        if since is None:
            return None
        select, again = self._catalog.selection.ids, since.came
        if others := set(folders or ()).symmetric_difference(kept.folders or ()):
            again = np.union1d(again, select(Filter(), sorted(others), []))
        if len(again) > _MOST_CHANGED:
            return None
        changed = np.union1d(again, since.went)
        if not len(changed):
            return kept.ids
        ids = _without(kept.ids, changed)
        new = select(where, folders, extensions, again) if len(again) else again
        return np.insert(ids, ids.searchsorted(new), new)

    def ids_outside(self, where: Filter | None, folders: Collection[str]) -> IdArray:
        """The same, without the images that lie in one of these very folders; absolute paths."""
        ids = self.ids(where or Filter())
        places = self._catalog.places
        known = [id_ for path in folders if (id_ := places.folder_id_of(path)) is not None]
        if not known:
            return ids
        return np.setdiff1d(ids, self._catalog.selection.ids(Filter(), known, []))

    def count(self, where: Filter | None) -> int:
        """How many images ``where`` lets through; of all, without one."""
        if where is not None:
            return len(self.ids(where))
        with self._catalog.snapshot():
            moment = self._catalog.moment
            if self._count[0] != moment:
                self._count = moment, self._catalog.count_found()
            return self._count[1]

    def page(self, where: Filter | None, after: int, offset: int, limit: int) -> list[ImageRecord]:
        """The first ``limit`` images after an id and ``offset`` more, in order of id.

        Raises:
            ConfigError: one of the three is no number that makes sense.
        """
        after = checked_count("after", after, "the id of an image, or 0", least=0)
        offset = checked_count("offset", offset, "a number of images, at least 0", least=0)
        limit = checked_count("limit", limit)
        if where is None and not offset:
            return self._catalog.selection.records_after(after, limit)
        with self._catalog.snapshot():
            ids = self.ids(where or Filter())
            begin = int(ids.searchsorted(after, side="right")) + offset
            found = self._catalog.records(ids[begin : begin + limit].tolist())
        return [found[id_] for id_ in sorted(found)]

    def _folders(self, where: Filter) -> list[int] | None:
        if where.folder is None:
            return None
        # a folder is known by its real path, one that was entered by a link by that of the link
        paths = {os.fspath(where.folder)}
        if not is_address(os.fspath(where.folder)):
            paths.add(os.path.realpath(where.folder))
        ids = {id_ for path in paths for id_ in self._catalog.places.folder_ids_below(path)}
        if not ids:
            raise FolderNotFoundError(where.folder, "no indexed images in this folder")
        return sorted(ids)


def _without(ids: IdArray, gone: IdArray) -> IdArray:
    """``ids`` but for those of the few that are ``gone``; both are in order."""
    places = ids.searchsorted(gone)
    places = places[places < len(ids)]
    return np.delete(ids, places[ids[places] == gone[: len(places)]])


def _extensions(where: Filter) -> list[str]:
    found: list[str] = []
    for name in where.formats:
        extensions = extensions_of(name)
        if not extensions:
            known = ", ".join(one.name for one in FORMATS if one.extensions)
            raise ConfigError("formats", name, f"one of {known}, or one of their extensions")
        found += extensions
    return found
