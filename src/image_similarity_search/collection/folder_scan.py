"""Compares a folder of this machine with what the catalog knows of it."""

from __future__ import annotations

import contextlib
import logging
import os

from image_similarity_search.catalog.values import FileStat, Known
from image_similarity_search.collection.logs import shown
from image_similarity_search.collection.scanning import Scan
from image_similarity_search.images.walk import FoundFile, FoundFolder, walk
from image_similarity_search.types import Progress

_log = logging.getLogger(__name__)


def scan_folder(scan: Scan, root_id: int, start: str) -> None:
    """Go through the folder ``start`` of a root, and all below it."""
    places, options = scan.catalog.places, scan.options
    root = places.roots()[root_id]
    folder = os.path.join(root, start) if start else root
    unvisited = places.folders_below(root_id, start)
    if unvisited and _is_empty(folder):
        scan.report.unreadable_folders.append(
            f"{folder}: it is empty, as where a disk is not mounted; what is known of it is kept"
            " ('iss remove' forgets it)"
        )
        return
    seen = 0
    for found in walk(
        root,
        start,
        include=options.include,
        exclude=options.exclude,
        follow_symlinks=options.follow_symlinks,
        all_files=options.all_files,
        skip=options.skip,
    ):
        if found.error is not None:
            unreadable = f"{os.path.join(root, found.path)}: {found.error}"
            others = _without(unvisited, found.path)
            if len(others) < len(unvisited):
                unreadable += "; what is known of it is kept"
            scan.report.unreadable_folders.append(unreadable)
            _log.info("%s", shown(unreadable))
            unvisited = others
            continue
        _compare(scan, root, found, unvisited.pop(found.path, None))
        seen += len(found.files)
        scan.progress(Progress("scanning", seen, None))
    for folder_id in unvisited.values():
        scan.vanish(scan.catalog.files.in_folder(folder_id).values())


def _compare(scan: Scan, root: str, found: FoundFolder, folder_id: int | None) -> None:
    scan.report.others += found.others
    files, known = _to_look_at(scan, found, folder_id)
    for file in files:
        stat = FileStat(file.size, file.mtime_ns)
        path = os.path.join(root, found.path, file.name)
        scan.compare(found.path, file.name, path, stat, known.pop(file.name, None))
    scan.vanish(known.values())


def _to_look_at(
    scan: Scan, found: FoundFolder, folder_id: int | None
) -> tuple[list[FoundFile], dict[str, Known]]:
    """The files of a folder, and what is known there, without those that are unchanged."""
    if folder_id is None:
        return found.files, {}
    files = scan.catalog.files
    if scan.options.checksum or _log.isEnabledFor(logging.DEBUG):  # of each there is to say
        return found.files, files.in_folder(folder_id)
    known = files.indexed_as(folder_id)
    left = [file for file in found.files if known.pop(file, None) is None]
    scan.report.unchanged += len(found.files) - len(left)
    return left, files.of(known.values()) if known else {}


def _is_empty(folder: str) -> bool:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return next(entries, None) is None
    return False


def _without(folders: dict[str, int], path: str) -> dict[str, int]:
    """The folders that are not at or below ``path``."""
    if not path:
        return {}
    return {p: i for p, i in folders.items() if p != path and not p.startswith(path + "/")}
