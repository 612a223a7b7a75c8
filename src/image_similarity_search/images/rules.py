"""Which names are passed over, and which files count as pictures."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Collection, Sequence

from image_similarity_search.images.formats import is_other_name, is_picture_name

_JUNK = {  # in lower case; names that start with a dot are passed over anyway
    "@eadir": "thumbnails that a Synology NAS makes",
    "#recycle": "bin of a Synology NAS",
    "#snapshot": "older states of the same files on a Synology NAS",
    "@recycle": "bin of a QNAP NAS",
    "@recently-snapshot": "older states of the same files on a QNAP NAS",
    "$recycle.bin": "bin of Windows",
    "recycler": "bin of old Windows",
    "system volume information": "Windows' own",
    "thumbs.db": "thumbnails of Windows",
    "ehthumbs.db": "thumbnails of Windows",
    "desktop.ini": "folder settings of Windows",
    "__macosx": "resource forks that macOS puts into zip files",
    "lost+found": "pieces that a file system check rescued",
    "node_modules": "other people's code, with its icons",
    "__pycache__": "compiled Python",
}


class Rules:
    """Which names are passed over, and which files count as pictures."""

    def __init__(
        self,
        include: Sequence[str],
        exclude: Sequence[str],
        all_files: bool,
        skip: Collection[str],
    ) -> None:
        self._include = _any_of(include)
        self._exclude = _any_of(exclude)
        self._all_files = all_files
        self._skip = frozenset(os.path.normcase(path) for path in skip)

    @property
    def by_extension(self) -> bool:
        """Whether a file with the extension of a picture counts, whatever its path."""
        return self._include is None and self._exclude is None

    def passes_over(self, name: str, path: str) -> bool:
        """Whether a file or folder is hidden, junk or excluded."""
        if name.startswith(".") or name.lower() in _JUNK:
            return True
        return self._exclude is not None and _matches(self._exclude, name, path)

    def enters(self, real_path: str) -> bool:
        """Whether the folder of this absolute real path is not to be skipped."""
        return os.path.normcase(real_path) not in self._skip

    def includes(self, name: str, path: str) -> bool:
        """Whether a file is one of those that were asked for."""
        return self._include is None or _matches(self._include, name, path)

    def says_picture(self, name: str) -> bool | None:
        """Whether a file of this name counts as a picture; None where its first bytes decide."""
        if self._all_files or is_picture_name(name):
            return True
        return False if is_other_name(name) else None


def _any_of(patterns: Sequence[str]) -> re.Pattern[str] | None:
    if not patterns:
        return None
    alternatives = "|".join(fnmatch.translate(pattern.rstrip("/")) for pattern in patterns)
    return re.compile(alternatives, re.IGNORECASE)


def _matches(patterns: re.Pattern[str], name: str, path: str) -> bool:
    return bool(patterns.match(name) or patterns.match(path))
