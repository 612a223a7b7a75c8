"""Compares a folder of this machine with what the catalog knows of it."""

from __future__ import annotations

import contextlib
import logging
import os

from image_similarity_search.catalog.values import FileStat, Known
from image_similarity_search.collection.disks import Disks, is_on, links_to_nothing
from image_similarity_search.collection.logs import shown
from image_similarity_search.collection.scanning import Scan, WalkOptions
from image_similarity_search.errors import ConfigError
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
            f"{folder}: it is empty, as if its disk were not mounted; its images are kept ('iss"
            " remove' drops them)"
        )
        return
    disks, gone = Disks(scan.catalog, folder), dict[str, list[Known]]()
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
        path = os.path.join(root, found.path) if found.path else root
        if found.error is not None:
            disks.meet(path, found, 0)
            unvisited = _kept(scan, f"{path}: {found.error}", unvisited, found.path)
            continue
        known, missing = _compare(scan, root, found, unvisited.pop(found.path, None))
        disks.meet(path, found, known)
        if missing:
            gone[path] = missing
        seen += len(found.files)
        scan.progress(Progress("scanning", seen, None))
    for inner, folder_id in unvisited.items():
        path = os.path.join(root, inner) if inner else root
        gone[path] = list(scan.catalog.files.in_folder(folder_id).values())
    if not seen and (options.include or options.exclude) and _are_there(gone):
        _refuse_to_empty(options)
    _vanish(scan, disks, gone)


def _are_there(files: dict[str, list[Known]]) -> bool:
    """Whether any of these files, by the paths of their folders, is there."""
    return any(
        os.path.lexists(os.path.join(os.fsencode(folder), one.place[1]))
        for folder, known in files.items()
        for one in known
    )


def _refuse_to_empty(options: WalkOptions) -> None:
    """Refuse patterns that let no picture through, which are a slip more often than a wish."""
    name = "include" if options.include else "exclude"
    expected = (
        "patterns that leave at least one indexed picture of the folder; to drop them all use"
        " 'iss remove FOLDER'"
    )
    raise ConfigError(name, ", ".join(options.include or options.exclude), expected)


def _kept(scan: Scan, unreadable: str, unvisited: dict[str, int], inner: str) -> dict[str, int]:
    """Tell of a folder that can't be read; the ``unvisited`` ones that are not at or below it."""
    others = _without(unvisited, inner)
    if len(others) < len(unvisited):
        unreadable += "; its images are kept"
    scan.report.unreadable_folders.append(unreadable)
    _log.info("%s", shown(unreadable))
    return others


def _compare(
    scan: Scan, root: str, found: FoundFolder, folder_id: int | None
) -> tuple[int, list[Known]]:
    """How many known files are in a folder below ``root``, and those that are not."""
    path = os.path.join(root, found.path)
    for name in found.others:
        scan.pass_over(name, os.path.join(path, name))
    files, known = _to_look_at(scan, found, folder_id)
    there = len(found.files) - len(files)
    for file in files:
        stat, old = FileStat(file.size, file.mtime_ns), known.pop(file.name, None)
        there += old is not None
        scan.compare(found.path, file.name, os.path.join(path, file.name), stat, old)
    for link in found.passed_over:
        _log.debug("%s: ignored: %s", shown(os.path.join(path, link.name)), link.why)
        if link.counted_as and link.name in known:
            counted_as = os.path.join(root, *link.counted_as.split("/"))
            scan.missing_files.add_alias(known[link.name].id, counted_as)
    return there, list(known.values())


def _vanish(scan: Scan, disks: Disks, gone: dict[str, list[Known]]) -> None:
    """Note what is gone from each folder, and keep what is on disks that are not there."""
    unplugged = disks.away({folder: len(files) for folder, files in gone.items()})
    why = dict.fromkeys(unplugged, "its disk is not mounted")
    if scan.options.follow_symlinks:
        nothing = "it is a link that leads nowhere, or to an empty folder"
        why |= dict.fromkeys(links_to_nothing(gone), nothing)
    away = set(why)
    for folder, files in gone.items():
        if is_on(folder, unplugged):
            scan.leave(files)
        else:
            scan.vanish(files, forget=not is_on(folder, away))
    for place in sorted(away):
        if not is_on(os.path.dirname(place), away):
            scan.report.unreadable_folders.append(
                f"{place}: {why[place]}; its images are kept ('iss remove' drops them)"
            )


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
