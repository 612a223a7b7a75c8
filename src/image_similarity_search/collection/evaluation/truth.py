"""Which images belong together: from what a caller says to numbers of groups."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from image_similarity_search.addresses import is_address
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.places import canonical, relative
from image_similarity_search.errors import ConfigError
from image_similarity_search.evaluation import Truth
from image_similarity_search.types import IdArray, ImageRecord

FOLDERS = "folders"
FOLDER_NAMES = "folder-names"
NO_GROUP = -1
# what the columns are called in a first row that is no image
_PATHS = {"path", "file", "filename", "file_name", "filepath", "image", "name"}
_GROUPS = {"group", "label", "class", "category", "folder", "target", "id"}


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


def labels_of(catalog: Catalog, truth: Truth, allowed: IdArray | None) -> Labels:
    """The labels of the images of a catalog, or of those ``allowed``.

    Raises:
        ConfigError: the truth can't be read, contradicts itself, or leaves no group of two.
    """
    wanted = None if allowed is None else set(allowed.tolist())
    records = [one for one in catalog.all_records() if wanted is None or one.id in wanted]
    missing: list[str] = []
    if isinstance(truth, str) and truth in (FOLDERS, FOLDER_NAMES):
        group_of = _by_folder(records, sorted(catalog.places.roots().values()))
        if truth == FOLDER_NAMES:
            group_of = {id_: os.path.basename(name) for id_, name in group_of.items()}
    else:
        group_of, missing = _by_path(records, _said(truth))
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
        why = "the collection has no images: index some first"
    elif not records:
        why = "the filter lets no image of the collection through"
    elif truth in (FOLDERS, FOLDER_NAMES) and not group_of:
        why = (
            "all images lie in the indexed folder itself, so that folders don't tell what belongs"
            " together: say so in a CSV file of paths and groups"
        )
    elif missing and not group_of:
        why = (
            f"no path of {name} is that of an image, such as {missing[0]}"
            f" (paths are relative to where the file is{_and_no_utf8(missing[0])})"
        )
    else:
        why = f"no group of {name} has two of the images"
    expected = "a group of two images of the collection, or more"
    return ConfigError("truth", truth, expected, f"nothing to evaluate: {why}")


def _and_no_utf8(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError:
        return ", and it is no UTF-8, which is expected"
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


def _by_path(
    records: list[ImageRecord], said: Mapping[str, str]
) -> tuple[dict[int, str], list[str]]:
    ids = {record.path: record.id for record in records}
    found: dict[int, str] = {}
    missing = []
    for path, group in said.items():
        absolute = path if is_address(path) else os.path.abspath(path)
        id_ = ids.get(absolute) or ids.get(canonical(absolute))
        if id_ is None:
            missing.append(path)
        elif found.setdefault(id_, group) != group:
            raise ConfigError("truth", path, f"one group for an image, not {found[id_]!r} too")
    return found, missing


def _said(truth: Truth) -> Mapping[str, str]:
    if isinstance(truth, Mapping):
        return {os.fspath(path): str(group) for path, group in truth.items()}
    return dict(_rows_of(os.fspath(truth)))


def _rows_of(file: str) -> Iterator[tuple[str, str]]:
    """The paths, made absolute from where the file is, and groups of a CSV file."""
    folder = os.path.dirname(os.path.abspath(file))
    seen: dict[str, str] = {}
    _refuse_wide(file)
    try:
        with open(file, encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
            for number, row in enumerate(csv.reader(lines), 1):
                if not row or (number == 1 and _is_header(row)):
                    continue
                if len(row) != 2 or not all(row):
                    raise ConfigError("truth", f"{file}, row {number}", "a path and a group")
                path, group = row
                path = path if is_address(path) else os.path.join(folder, path)
                if seen.setdefault(path, group) != group:
                    expected = f"one group for an image, not {seen[path]!r} too"
                    raise ConfigError("truth", f"{file}, row {number}", expected)
                yield path, group
    except FileNotFoundError as error:
        raise _no_table(file, "there is no such file") from error
    except (OSError, csv.Error) as error:
        reason = str(getattr(error, "strerror", None) or error).lower()
        raise _no_table(file, f"it can't be read: {reason}") from error


def _no_table(file: str, reason: str) -> ConfigError:
    expected = f"'{FOLDERS}', '{FOLDER_NAMES}', or a CSV file of paths and groups ({reason})"
    return ConfigError("truth", file, expected)


def _is_header(row: list[str]) -> bool:
    words = [word.strip().lower() for word in row]
    return len(words) == 2 and words[0] in _PATHS and words[1] in _GROUPS


def _refuse_wide(file: str) -> None:
    """Refuse a file of two bytes or more for each character, as some programs write them."""
    with suppress(OSError), open(file, "rb") as data:  # one that can't be read is told of later
        if b"\0" in data.read(1_000):
            expected = "a CSV file of paths and groups as UTF-8; save it so"
            raise ConfigError("truth", file, expected)
