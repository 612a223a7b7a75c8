"""Files that lie beside a picture and belong to it, by their names: films, notes, labels."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator

from image_similarity_search.addresses import is_address
from image_similarity_search.collection.duplicates.checks import same_bytes
from image_similarity_search.images.formats import is_picture_name

_EXTENSIONS = {
    *(".mov", ".mp4", ".m4v", ".3gp", ".wav", ".thm"),  # of cameras: live photos, spoken notes
    *(".aae", ".xmp", ".pp3", ".dop", ".arp", ".on1", ".vrd"),  # what programs did to it
    *(".json", ".xml", ".txt", ".csv"),  # what online services and people know of it
}
_LARGE = 1 << 20  # bytes; two films of one size are taken for the same unread


class Sidecars:
    """What lies beside pictures; each of their folders is listed once."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, list[str]]] = {}

    def beside(self, path: str) -> list[str]:
        """The sidecars of a picture, in order: ``a.mov`` and ``a.jpg.xmp`` of ``a.jpg``."""
        if is_address(path):
            return []
        folder, name = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = _listed(folder)
        listed, name = self._folders[folder], name.lower()
        return [*listed.get(os.path.splitext(name)[0], ()), *listed.get(name, ())]

    def only_beside(self, path: str, other: str) -> list[str]:
        """The sidecars of a picture that another one neither shares, nor has the same of."""
        theirs = self.beside(other)
        lacking = (one for one in self.beside(path) if one not in theirs)
        return [one for one in lacking if not any(_is_same(one, its) for its in theirs)]


def _listed(folder: str) -> dict[str, list[str]]:
    """By the name of a picture, or that without its extension, the paths of what is beside it."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return {}
    for name in names:
        stem, extension = os.path.splitext(name.lower())
        if extension in _EXTENSIONS:
            for of in _pictures(stem):
                found[of].append(os.path.join(folder, name))
    return dict(found)


def _pictures(stem: str) -> Iterator[str]:
    yield stem
    longer = stem.rpartition(".")[0]  # a.jpg.supplemental-metadata.json, of Google Takeout
    if is_picture_name(longer or "."):
        yield longer


def _is_same(one: str, other: str) -> bool:
    if os.path.splitext(one)[1].lower() != os.path.splitext(other)[1].lower():
        return False
    try:
        size = os.path.getsize(one)
        same_size = size == os.path.getsize(other)
        return same_size and (size > _LARGE or same_bytes(one, other))
    except OSError:
        return False
