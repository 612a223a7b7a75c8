"""Compares what lies in object storage with what the catalog knows of it, a page at a time.

A listing may be of any length and in any order, so what was seen is remembered as one bit for each
image, and what was not is found at the end, when the whole listing was read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from image_similarity_search.addresses import bucket_of, is_odd
from image_similarity_search.catalog.places import Place, relative
from image_similarity_search.catalog.values import FileStat, Known
from image_similarity_search.collection.scanning import Scan
from image_similarity_search.images.formats import SNIFF_BYTES, looks_like_picture
from image_similarity_search.images.rules import Rules
from image_similarity_search.objects import storage
from image_similarity_search.objects.stored import Stored
from image_similarity_search.types import Progress

_KNOWN_AT_ONCE = 1_000  # images looked at together when it comes to what is gone


@dataclass(frozen=True, slots=True)
class _Found:
    folder: str  # relative to the root
    name: str
    object: Stored


def scan_objects(scan: Scan, root_id: int, start: str) -> None:
    """Go through the objects below the folder ``start`` of a root.

    Raises:
        SourceUnavailableError: they can't be listed to the end; nothing counts as gone.
    """
    places = scan.catalog.places
    root = places.roots()[root_id]
    folder = f"{root}/{start}" if start else root
    known = places.folders_below(root_id, start)
    seen, empty, count = _Seen(), True, 0
    rules = _rules(scan, root)

    def passed_over(address: str) -> bool:
        return rules.leaves_out(relative(address, root) or "", start)

    for page in storage.pages(folder, passed_over):
        empty = empty and not page
        found = _pictures(scan, root, start, page)
        _compare(scan, root_id, found, seen)
        count += len(found)
        scan.progress(Progress("scanning", count, None))
    if empty and known:
        scan.report.unreadable_folders.append(
            f"{folder}: it is empty now; its images are kept ('iss remove' drops them)"
        )
        return
    for folder_id in known.values():
        for images in _all_known(scan, folder_id):
            scan.vanish(image for image in images if image.id not in seen)


def _rules(scan: Scan, root: str) -> Rules:
    options = scan.options
    return Rules(options.include, options.exclude, options.all_files, (), root)


def _pictures(scan: Scan, root: str, start: str, page: list[Stored]) -> list[_Found]:
    """The pictures of a page; what no name tells is told by the first bytes."""
    rules = _rules(scan, root)
    pictures, unsure = [], []
    for stored in page:
        inner = relative(stored.address, root)
        if not inner or stored.address.endswith("/"):  # what some programs put there for a folder
            continue
        folder, _, name = inner.rpartition("/")
        if is_odd(bucket_of(stored.address)[1]):
            scan.pass_over(name, stored.address, "its key can't be split into folder and name")
            continue
        if rules.leaves_out(inner, start) or not rules.includes(name, inner):
            continue
        said = rules.says_picture(name) if stored.size else bool(rules.says_picture(name))
        if said is None:
            unsure.append(_Found(folder, name, stored))
        elif said:
            pictures.append(_Found(folder, name, stored))
        else:
            scan.pass_over(name, stored.address)
    unread = [found.object.address for found in unsure if found.object.begin is None]
    read = dict(zip(unread, storage.begins(unread, SNIFF_BYTES), strict=True))
    for found in unsure:
        data = found.object.begin if found.object.begin is not None else read[found.object.address]
        if looks_like_picture(data):
            pictures.append(found)
        else:
            scan.pass_over(found.name, found.object.address)
    return pictures


def _compare(scan: Scan, root_id: int, page: list[_Found], seen: _Seen) -> None:
    by_folder: defaultdict[str, list[_Found]] = defaultdict(list)
    for found in page:
        by_folder[found.folder].append(found)
    touched: list[tuple[int, Place, FileStat]] = []
    for folder, files in by_folder.items():
        folder_id = scan.catalog.places.require_folder(root_id, folder)
        known = scan.catalog.files.named(folder_id, (file.name for file in files))
        for file in files:
            stat = FileStat(file.object.size, file.object.mtime_ns, file.object.etag)
            old = known.get(file.name)
            if old:
                seen.add(old.id)
                if old.stat.agrees_with(stat) and old.stat != stat:
                    touched.append((old.id, Place(folder_id, file.name), stat))
            scan.compare(folder, file.name, file.object.address, stat, old)
    if touched:
        with scan.catalog.transaction():
            for id_, place, stat in touched:
                scan.catalog.changes.move(id_, place, stat)


def _all_known(scan: Scan, folder_id: int) -> Iterator[list[Known]]:
    name = ""
    while known := scan.catalog.files.after(folder_id, name, _KNOWN_AT_ONCE):
        yield list(known.values())
        name = next(reversed(known))


class _Seen:
    """A set of ids, in a bit for each."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, id_: int) -> None:
        byte = id_ >> 3
        if byte >= len(self._bits):
            self._bits.extend(bytes(byte + 1 - len(self._bits)))
        self._bits[byte] |= 1 << (id_ & 7)

    def __contains__(self, id_: int) -> bool:
        byte = id_ >> 3
        return byte < len(self._bits) and bool(self._bits[byte] & (1 << (id_ & 7)))
