"""Which images belong together: from what a caller says to numbers of groups."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from image_similarity_search.addresses import is_address
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.places import canonical, relative
from image_similarity_search.collection.evaluation.label_column import by_column
from image_similarity_search.collection.evaluation.labels_file import rows_of
from image_similarity_search.collection.queries import checked_path, is_id
from image_similarity_search.errors import ConfigError
from image_similarity_search.evaluation import Truth
from image_similarity_search.types import IdArray, ImageRecord

FOLDERS = "folders"
FOLDER_NAMES = "folder-names"
COLUMN = "column:"
NO_GROUP = -1


@dataclass(frozen=True, slots=True)
class Labels:
    """The images to search among, by id, and the group of each.

    Attributes:
        ids: in order, ``(n,)``.
        groups: a number of ``names`` for each, or ``NO_GROUP``.
        names: of the groups.
        missing: paths of the truth that are not among them.
    """

    ids: IdArray
    groups: IdArray
    names: list[str]
    missing: list[str]

    def by_id(self) -> dict[int, str]:
        """The name of the group of each image that has one."""
        pairs = zip(self.ids.tolist(), self.groups.tolist(), strict=True)
        return {id_: self.names[group] for id_, group in pairs if group != NO_GROUP}


def labels_of(
    catalog: Catalog,
    truth: Truth,
    relative_to: str | os.PathLike[str] | None,
    allowed: IdArray | None,
) -> Labels:
    """The labels of the images of a catalog, or of those ``allowed``.

    Raises:
        ConfigError: the truth can't be read, contradicts itself, or leaves no group of two.
    """
    wanted = None if allowed is None else set(allowed.tolist())
    records = [one for one in catalog.all_records() if wanted is None or one.id in wanted]
    missing: list[str] = []
    word = truth if isinstance(truth, str) and _is_word(truth) else None
    if word and relative_to is not None:
        raise ConfigError("relative_to", relative_to, f"a truth with paths, unlike {word!r}")
    if word and word.startswith(COLUMN):
        group_of = by_column(records, word.removeprefix(COLUMN))
    elif word:
        group_of = _by_folder(records, sorted(catalog.places.roots().values()))
        if truth == FOLDER_NAMES:
            group_of = {id_: os.path.basename(name) for id_, name in group_of.items()}
    else:
        group_of, missing = _by_name(records, _said(truth, relative_to))
    names = sorted(set(group_of.values()))
    numbers = {name: number for number, name in enumerate(names)}
    groups = [numbers[group_of[one.id]] if one.id in group_of else NO_GROUP for one in records]
    labels = Labels(
        np.array([one.id for one in records], dtype=np.int64),
        np.array(groups, dtype=np.int64),
        names,
        missing,
    )
    if not len(names) or np.bincount(labels.groups[labels.groups >= 0]).max() < 2:
        raise _no_group(catalog, truth, records, group_of, missing)
    return labels


def _is_word(truth: str) -> bool:
    """Whether this is no file."""
    return truth in (FOLDERS, FOLDER_NAMES) or truth.startswith(COLUMN)


def _no_group(
    catalog: Catalog,
    truth: Truth,
    records: list[ImageRecord],
    group_of: dict[int, str],
    missing: list[str],
) -> ConfigError:
    """Why there is nothing to evaluate."""
    name = "the truth" if isinstance(truth, Mapping) else os.fspath(truth)
    if not catalog.counts().indexed:
        why = "the collection is empty: index images first"
    elif not records:
        why = "no image of the collection matches the filter"
    elif truth in (FOLDERS, FOLDER_NAMES) and not group_of:
        why = (
            "all images are directly in the indexed folder, so folders don't show what"
            " belongs together: give a CSV file of paths and groups, or column:NAME for"
            " images in Parquet files"
        )
    elif missing and not group_of:
        why = (
            f"no path in {name} is an image of the collection, such as {missing[0]}"
            " (relative paths start from the folder of the file, or from --relative-to"
            f" (relative_to=){_and_no_utf8(missing[0])})"
        )
    else:
        why = f"no group in {name} has two images of the collection"
    expected = "a group of two images of the collection, or more"
    return ConfigError("truth", truth, expected, f"nothing to evaluate: {why}")


def _and_no_utf8(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError:
        return ", and it is not UTF-8, which is expected"
    return ""


def _by_folder(records: list[ImageRecord], roots: list[str]) -> dict[int, str]:
    """The folder of each image, by id; an image that lies in a root itself has none."""
    found = {}
    for record in records:
        folder = os.path.dirname(record.path)
        if folder not in roots:
            found[record.id] = _name(folder, roots)
    return found


def _name(folder: str, roots: list[str]) -> str:
    within = relative(folder, roots[0]) if len(roots) == 1 else None
    return folder if within is None else within


def _by_name(
    records: list[ImageRecord], said: Iterable[tuple[str, int | str, str]]
) -> tuple[dict[int, str], list[str]]:
    """The group of each image, by id, and what of ``said`` is none of the images.

    ``said`` has where it is said, a path or an id, and a group, which is empty where there is none.
    """
    ids = {record.path: record.id for record in records}
    known = set(ids.values())
    groups: dict[int | str, str] = {}
    for where, image, group in said:
        name = image if isinstance(image, int) else _id_at(image, ids) or image
        if groups.setdefault(name, group) != group:
            raise ConfigError("truth", where, f"one group per image, not also {groups[name]!r}")
    found = {name: group for name, group in groups.items() if name in known}
    missing = [str(name) for name in groups if name not in found]
    return {int(name): group for name, group in found.items() if group}, missing


def _id_at(path: str, ids: Mapping[str, int]) -> int | None:
    absolute = path if is_address(path) else os.path.abspath(path)
    return ids.get(absolute) or ids.get(canonical(absolute))


def _said(
    truth: Truth, relative_to: str | os.PathLike[str] | None
) -> Iterator[tuple[str, int | str, str]]:
    """Where it is said, the path or id, and the group, empty where there is none."""
    folder = None if relative_to is None else os.path.abspath(checked_path(relative_to))
    if isinstance(truth, Mapping):
        for image, group in truth.items():
            word = "" if group is None else str(group)
            if is_id(image):
                yield str(image), int(image), word
            elif isinstance(image, str | os.PathLike):
                yield str(image), _within(folder or "", os.fspath(image)), word
            else:
                raise ConfigError("truth", image, "paths or ids of images, and their groups")
        return
    file = checked_path(truth)
    folder = os.path.dirname(os.path.abspath(file)) if folder is None else folder
    for number, path, group in rows_of(file):
        yield f"{file}, row {number}", _within(folder, path), group


def _within(folder: str, path: str) -> str:
    return path if is_address(path) else os.path.join(folder, path)
