"""The ids of the images that a filter lets through, found before a search."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Collection

import numpy as np

from image_similarity_search.addresses import is_address
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.errors import ConfigError, FolderNotFoundError
from image_similarity_search.filters import Filter
from image_similarity_search.images.formats import FORMATS, extensions_of
from image_similarity_search.types import IdArray, ImageRecord, Moment, checked_count

_KEPT = 4  # answers, of 8 bytes an image


class Filtering:
    """Answers filters from one catalog, and remembers the last few answers."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._answers: OrderedDict[Filter, tuple[Moment, IdArray]] = OrderedDict()
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
            if kept and kept[0] == moment:
                return kept[1]
            ids = self._catalog.selection.ids(where, self._folders(where), _extensions(where))
        with self._lock:
            self._answers[where] = moment, ids
            self._answers.move_to_end(where)
            while len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
        return ids

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
        return self._catalog.count_found() if where is None else len(self.ids(where))

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


def _extensions(where: Filter) -> list[str]:
    found: list[str] = []
    for name in where.formats:
        extensions = extensions_of(name)
        if not extensions:
            known = ", ".join(one.name for one in FORMATS if one.extensions)
            raise ConfigError("formats", name, f"one of {known}, or one of their extensions")
        found += extensions
    return found
