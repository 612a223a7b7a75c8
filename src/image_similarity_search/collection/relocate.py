"""Tell a collection that its folders are elsewhere now."""

from __future__ import annotations

import os
import random
from collections import Counter

from image_similarity_search.addresses import is_address
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.places import relative
from image_similarity_search.catalog.schema import LOOSE_ROOT
from image_similarity_search.collection.disks import disks_below
from image_similarity_search.errors import ConfigError, FolderNotFoundError

_FOLDERS_LOOKED_IN, _FILES_LOOKED_FOR = 32, 4  # in each of these folders


def relocated(catalog: Catalog, old: str, new: str, *, force: bool) -> int:
    """Put all images at and below ``old`` below ``new``; returns how many they are.

    No file is read. The caller holds the writer lock. Errors as ``Collection.relocate``.
    """
    for name, path in (("old folder", old), ("new folder", new)):
        if is_address(path):
            expected = (
                "a folder on this computer: for object storage, 'iss index' recognises moved"
                " pictures"
            )
            raise ConfigError(name, path, expected)
    new = os.path.realpath(new)
    roots = catalog.places.roots()
    loose = catalog.places.folders_below(LOOSE_ROOT, "")
    names = dict.fromkeys((old, os.path.abspath(old), os.path.realpath(old)))
    for name in names:
        moved_roots = _moved({path: id_ for id_, path in roots.items()}, name, new)
        moved_loose = _moved(loose, name, new)
        if moved_roots or moved_loose:
            break
    else:
        raise _unknown(old, names, roots)
    loose_after = {id_: path for path, id_ in loose.items()} | moved_loose
    _refuse_overlap(new, [*(roots | moved_roots).values()], [*loose_after.values()])
    folders = {
        id_: os.path.join(moved_roots[root_id], inner)
        for root_id in moved_roots
        for inner, id_ in catalog.places.folders_below(root_id, "").items()
    } | moved_loose
    if not force:
        _look_there(catalog, new, folders)
    with catalog.transaction():
        catalog.places.relocate(moved_roots, moved_loose)
        disks = disks_below(catalog, name)
        there = (os.path.join(new, relative(disk, name) or "").rstrip(os.sep) for disk in disks)
        catalog.disks.change(forget=disks, remember=there)
    return sum(len(catalog.files.in_folder(id_)) for id_ in folders)


def gone_to(catalog: Catalog, new: str) -> str | None:
    """An indexed folder that is gone, and whose files lie in the folder ``new``, if one does."""
    roots = catalog.places.roots()
    if is_address(new) or catalog.places.locate(os.path.realpath(new))[0] in roots:
        return None
    for id_, root in roots.items():
        if is_address(root) or os.path.exists(root):
            continue
        folders = {
            folder_id: os.path.join(new, inner)
            for inner, folder_id in catalog.places.folders_below(id_, "").items()
        }
        paths = _some_files(catalog, folders)
        if paths and 2 * sum(map(os.path.isfile, paths)) > len(paths):
            return root
    return None


def _moved(paths: dict[str, int], old: str, new: str) -> dict[int, str]:
    """The new paths of those that lie at or below ``old``, by id."""
    inner = {id_: relative(path, old) for path, id_ in paths.items()}
    return {
        id_: os.path.join(new, below) if below else new
        for id_, below in inner.items()
        if below is not None
    }


def _unknown(old: str, names: dict[str, None], roots: dict[int, str]) -> FolderNotFoundError:
    for root in roots.values():
        if any(relative(name, root) for name in names):
            return FolderNotFoundError(
                old,
                f"a part of the indexed folder {root}: run 'iss index' on that to recognise"
                " moved pictures; nothing was changed",
            )
    known = ", ".join(sorted(roots.values())) or "none"
    return FolderNotFoundError(
        old, f"not an indexed folder; indexed are: {known}; nothing was changed"
    )


def _refuse_overlap(new: str, roots: list[str], loose: list[str]) -> None:
    """Refuse roots that would lie in one another, or hold a folder of single images."""
    for number, root in enumerate(roots):
        others = roots[:number] + roots[number + 1 :] + loose
        overlapping = [path for path in others if relative(path, root) is not None]
        if overlapping:
            raise _overlap(new, overlapping[0])
    for path, count in Counter(loose).items():
        if count > 1:
            raise _overlap(new, path)


def _overlap(new: str, path: str) -> ConfigError:
    expected = f"a folder that does not overlap with indexed folders, as it does at {path}"
    return ConfigError("new folder", new, expected)


def _look_there(catalog: Catalog, new: str, folders: dict[int, str]) -> None:
    """Refuse where most of a sample of the files are not at their new places."""
    paths = _some_files(catalog, folders)
    missing = [path for path in paths if not os.path.isfile(path)]
    if 2 * len(missing) > len(paths) or not os.path.isdir(new):
        example = f", such as {missing[0]}" if missing else ""
        raise FolderNotFoundError(
            new,
            f"{len(missing)} of {len(paths)} checked files are missing{example}; nothing was"
            " changed (use --force to change the paths anyway)",
        )


def _some_files(catalog: Catalog, folders: dict[int, str]) -> list[str]:
    """The paths of a sample of the files of folders, which are given by id with their paths."""
    drawn = random.Random(0)  # noqa: S311 - a sample, not a secret
    some = drawn.sample(sorted(folders), min(len(folders), _FOLDERS_LOOKED_IN))
    return [
        os.path.join(folders[id_], name)
        for id_ in some
        for name in sorted(catalog.files.in_folder(id_))[:_FILES_LOOKED_FOR]
        if not name.startswith("\0")
    ]
