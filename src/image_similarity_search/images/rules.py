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
_PACKAGES = {  # what the folders of photo applications end with, in lower case
    ".photoslibrary": "Photos",
    ".photolibrary": "iPhoto",
    ".migratedphotolibrary": "iPhoto, taken over by Photos",
    ".aplibrary": "Aperture",
    ".migratedaplibrary": "Aperture, taken over by Photos",
    ".lrdata": "Lightroom: previews alone",
    ".lrlibrary": "Lightroom in the cloud",
    ".cocatalog": "Capture One",
}
_MADE_IN_PACKAGES = {  # folders directly in them that hold no picture but what was made of others
    *("resources", "previews", "thumbnails", "data", "data.noindex", "ipod photo cache"),
    *("database", "internal", "private", "cache"),
}
_CAPTURE_ONE = "captureone"  # the folder that it keeps beside the pictures


class Rules:
    """Which names are passed over, and which files count as pictures."""

    def __init__(
        self,
        include: Sequence[str],
        exclude: Sequence[str],
        all_files: bool,
        skip: Collection[str],
        root: str = "",
    ) -> None:
        self._include = _any_of(include)
        self._exclude = _any_of(exclude)
        self._all_files = all_files
        self._skip = frozenset(os.path.normcase(path) for path in skip)
        self._root = os.path.basename(root.rstrip("/\\"))

    @property
    def by_extension(self) -> bool:
        """Whether a file with the extension of a picture counts, whatever its path."""
        return self._include is None and self._exclude is None

    def passes_over(self, name: str, path: str) -> bool:
        """Whether a file or folder is hidden, junk, made by a photo application, or excluded.

        ``path`` is relative to the root.
        """
        lower = name.lower()
        if name.startswith(".") or lower in _JUNK or self._is_made(lower, path):
            return True
        return self._exclude is not None and _matches(self._exclude, name, path)

    def leaves_out(self, path: str, start: str = "") -> bool:
        """Whether ``path``, or a folder on the way to it from ``start``, is passed over."""
        end = len(start) + 1 if start else 0
        while end >= 0:
            end = path.find("/", end)
            so_far = path if end < 0 else path[:end]
            if self.passes_over(so_far.rpartition("/")[2], so_far):
                return True
            end = end + 1 if end >= 0 else end
        return False

    def _is_made(self, name: str, path: str) -> bool:
        """Whether it holds but what an application made of the pictures in its library."""
        if name.endswith(".lrdata"):
            return True
        if name not in _MADE_IN_PACKAGES:
            return False
        parent = path.rpartition("/")[0].rpartition("/")[2] or self._root
        if parent.lower() == _CAPTURE_ONE:  # which may be anybody's folder
            return name == "cache"
        return bool(package_in(parent))

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


def package_in(path: str) -> str:
    """The folder of a photo application that is on a path, or empty: what lies in it is its own."""
    for name in path.replace(os.sep, "/").split("/"):
        if name.lower().endswith(tuple(_PACKAGES)) or name.lower() == _CAPTURE_ONE:
            return name
    return ""


def _any_of(patterns: Sequence[str]) -> re.Pattern[str] | None:
    if not patterns:
        return None
    alternatives = "|".join(fnmatch.translate(pattern.rstrip("/")) for pattern in patterns)
    return re.compile(alternatives, re.IGNORECASE)


def _matches(patterns: re.Pattern[str], name: str, path: str) -> bool:
    return bool(patterns.match(name) or patterns.match(path))
