"""Finding the picture files below a folder: every one once, in the same order each time."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from image_similarity_search.errors import reason_of
from image_similarity_search.images.formats import SNIFF_BYTES, is_picture_name, looks_like_picture
from image_similarity_search.images.rules import Rules
from image_similarity_search.types import storable_time

_Identity = tuple[int, int]  # device and inode


class FoundFile(NamedTuple):
    """A picture file; of a link, its name and what it points to.

    Attributes:
        name: the name in its folder; bytes that are no UTF-8 are kept as surrogates.
        size: bytes.
        mtime_ns: time of last change, nanoseconds since the epoch; one that a catalog can hold.
    """

    name: str
    size: int
    mtime_ns: int


class PassedOver(NamedTuple):
    """A link, or a file that a link led to before, that does not count.

    Attributes:
        name: the name in its folder.
        why: what it is, in a few words.
        counted_as: the path, relative to the root, by which the same file counts; empty where
            it does not.
    """

    name: str
    why: str
    counted_as: str = ""


@dataclass(frozen=True, slots=True)
class FoundFolder:
    """What one folder holds.

    Attributes:
        path: relative to the root, with "/" between the parts; "" is the root.
        files: its pictures, by name.
        others: names of its files that are no pictures; hidden, junk and excluded ones don't count.
        error: why it couldn't be listed (then ``files`` is empty), or None.
        is_disk: whether a disk is mounted there: on another device than the folder above it, and
            not come to by a link.
        passed_over: its links that don't count.
    """

    path: str
    files: list[FoundFile]
    others: Sequence[str]
    error: str | None
    is_disk: bool = False
    passed_over: Sequence[PassedOver] = ()


def walk(
    root: str,
    start: str = "",
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    follow_symlinks: bool = False,
    all_files: bool = False,
    skip: Collection[str] = (),
) -> Iterator[FoundFolder]:
    """Visit a folder and all folders below it, depth first, each one's names in order.

    Hidden and junk names are passed over, and so are the previews in the libraries of photo
    applications, pipes, sockets, devices and broken links.
    A linked file counts where the walk doesn't come to the real one by itself, and only the
    first of several links to it. Hard links are separate files. A folder that can't be listed
    (also one whose path is too long) is reported by its ``error``, nothing below it is visited,
    and the walk goes on.

    Args:
        root: the folder that paths are relative to. It may itself be hidden.
        start: the folder to start in, relative to the root.
        include: patterns (``fnmatch``, in any case), of which a file must match one, by its
            name or by its path relative to the root.
        exclude: patterns of files and folders to pass over, matched likewise.
        follow_symlinks: enter linked folders too: never one that the walk comes to by itself,
            never one twice.
        all_files: find every regular file, not only pictures.
        skip: absolute real paths of folders not to enter.
    """
    rules = Rules(include, exclude, all_files, skip, os.path.realpath(root))
    return _Walk(root, start, rules, follow_symlinks).folders()


def _device_above(path: str) -> int | None:
    """The device that the folder above ``path`` is on; None where there is none."""
    try:
        return os.stat(os.path.dirname(os.path.abspath(path))).st_dev
    except OSError:
        return None


def _first_bytes(path: str) -> bytes:
    # without waiting, should a pipe have taken the file's place meanwhile
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(path, flags), "rb", buffering=0) as file:
            return file.read(SNIFF_BYTES) or b""
    except OSError:
        return b""


@dataclass(frozen=True, slots=True)
class _Folder:
    path: str  # relative to the root
    real: str  # absolute, without links


class _Walk:
    """One walk: what is pending, and what it came to by way of links."""

    def __init__(self, root: str, start: str, rules: Rules, follow_symlinks: bool) -> None:
        self._root = root
        self._rules = rules
        self._follow = follow_symlinks
        self._simple = rules.by_extension and not follow_symlinks
        self._linked_files: dict[_Identity, str] = {}  # and the path of the link that counts
        # the root and every linked folder that is entered: what is below them is come to
        self._bases = [_Folder("", os.path.realpath(root))]
        path = start.strip("/")
        first = _Folder(path, os.path.realpath(os.path.join(root, path)))
        if self._path_of(first.real) is None:
            self._bases.append(first)
        # with the device of the folder that each was found in
        self._pending = [(first, _device_above(os.path.join(root, path)))]

    def folders(self) -> Iterator[FoundFolder]:
        while self._pending:
            yield self._visit(*self._pending.pop())

    def _visit(self, folder: _Folder, above: int | None) -> FoundFolder:
        path = os.path.join(self._root, folder.path)
        try:
            device = os.stat(path).st_dev
            with os.scandir(path) as listing:
                entries = sorted(listing, key=attrgetter("name"))
            is_disk = device != above and self._is_mount_point(folder, path)
            found, below = self._sort_out(folder, entries, is_disk=is_disk)
        except OSError as error:
            return FoundFolder(folder.path, [], [], reason_of(error))
        self._pending.extend((inner, device) for inner in reversed(below))
        return found

    def _is_mount_point(self, folder: _Folder, path: str) -> bool:
        """Whether a disk is mounted at a folder's path itself, and no link leads there."""
        above = os.path.dirname(folder.path)
        by_itself = os.path.normpath(os.path.join(self._bases[0].real, above))
        return os.path.ismount(path) and os.path.realpath(os.path.dirname(path)) == by_itself

    def _sort_out(
        self, folder: _Folder, entries: list[os.DirEntry[str]], *, is_disk: bool
    ) -> tuple[FoundFolder, list[_Folder]]:
        """What a folder holds, and the folders in it."""
        files, rest = self._plain_pictures(entries) if self._simple else ([], entries)
        below: list[_Folder] = []
        passed_over: list[PassedOver] = []
        others: list[str] = []
        plain = len(files)
        for entry in rest:
            path = _join(folder.path, entry.name)
            if self._rules.passes_over(entry.name, path):
                continue
            found: _Folder | os.stat_result | PassedOver | None
            if _is_link(entry):
                found = self._behind_link(entry, path)
            else:
                found = self._itself(entry, path, os.path.join(folder.real, entry.name))
            if isinstance(found, _Folder):
                below.append(found)
            elif isinstance(found, PassedOver):
                passed_over.append(found)
            elif found is not None and self._rules.includes(entry.name, path):
                if not self._is_picture(entry.name, entry.path):
                    others.append(entry.name)
                elif first := self._counted_before(entry, path, found):
                    passed_over.append(PassedOver(entry.name, f"the same file as {first}", first))
                else:
                    changed = storable_time(found.st_mtime_ns)
                    files.append(FoundFile(entry.name, found.st_size, changed))
        if plain < len(files):
            files.sort()  # the names are in order again
        return FoundFolder(folder.path, files, others, None, is_disk, passed_over), below

    def _plain_pictures(
        self, entries: list[os.DirEntry[str]]
    ) -> tuple[list[FoundFile], list[os.DirEntry[str]]]:
        """The files that no rule and no link can have a say in, and the other entries.

        Most are such files: it is written for speed.
        """
        files, rest = [], []
        for entry in entries:
            name = entry.name
            try:
                if (
                    is_picture_name(name)
                    and name[0] != "."
                    and entry.is_file(follow_symlinks=False)
                ):
                    status = entry.stat(follow_symlinks=False)
                    changed = storable_time(status.st_mtime_ns)
                    files.append(FoundFile(name, status.st_size, changed))
                else:
                    rest.append(entry)
            except OSError:
                rest.append(entry)
        return files, rest

    def _itself(
        self, entry: os.DirEntry[str], path: str, real: str
    ) -> _Folder | os.stat_result | None:
        """The folder to enter, or the status of the regular file, that an entry is."""
        if entry.is_dir(follow_symlinks=False):
            come_to_by_link = any(real == base.real for base in self._bases)
            enter = self._rules.enters(real) and not come_to_by_link
            return _Folder(path, real) if enter else None
        if not entry.is_file(follow_symlinks=False):
            return None
        try:
            return entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # gone since it was listed
            return None

    def _behind_link(
        self, entry: os.DirEntry[str], path: str
    ) -> _Folder | os.stat_result | PassedOver:
        """The folder to enter, or the status of the regular file, that a link points to.

        Passed over where the walk comes to it by itself, or to none.
        """
        try:
            status = os.stat(entry.path)
        except OSError as error:
            why = f"a link that leads nowhere ({reason_of(error)})"
            return PassedOver(entry.name, why)
        real = os.path.realpath(entry.path)
        by_itself = self._path_of(real)
        if stat.S_ISDIR(status.st_mode):
            return self._linked_folder(entry.name, _Folder(path, real), by_itself)
        if not stat.S_ISREG(status.st_mode):
            return PassedOver(entry.name, "a link to something that is not a file")
        name = os.path.basename(real)
        if (
            by_itself is not None
            and self._rules.includes(name, by_itself)
            and self._is_picture(name, real)
        ):
            return PassedOver(
                entry.name, f"a link to {by_itself}, which is indexed itself", by_itself
            )
        return status

    def _linked_folder(
        self, name: str, linked: _Folder, by_itself: str | None
    ) -> _Folder | PassedOver:
        if by_itself is not None:
            return PassedOver(
                name, f"a link to the folder {by_itself or '.'}, which is indexed itself"
            )
        if not self._follow:
            return PassedOver(name, "a link to a folder, and these are not followed")
        if not self._rules.enters(linked.real):
            return PassedOver(name, "a link to a folder that is left out")
        self._bases.append(linked)
        return linked

    def _is_picture(self, name: str, full_path: str) -> bool:
        said = self._rules.says_picture(name)
        return looks_like_picture(_first_bytes(full_path)) if said is None else said

    def _counted_before(
        self, entry: os.DirEntry[str], path: str, status: os.stat_result
    ) -> str | None:
        """The link met before that led to this file; of the first, remember where it leads."""
        identity = (status.st_dev, status.st_ino)
        if _is_link(entry):
            first = self._linked_files.setdefault(identity, path)
            return None if first == path else first
        # a file in a folder that was entered by a link may have been linked to before
        return self._linked_files.get(identity) if self._follow else None

    def _path_of(self, real: str) -> str | None:
        """The path by which the walk comes to a real path without more links, or None."""
        for base in self._bases:
            path = self._path_below(base, real)
            if path is not None:
                return path
        return None

    def _path_below(self, base: _Folder, real: str) -> str | None:
        prefix = os.path.join(base.real, "")
        if not os.path.join(real, "").startswith(prefix):
            return None
        path, so_far = base.path, base.real
        for name in real[len(prefix) :].split(os.sep) if real != base.real else []:
            path, so_far = _join(path, name), os.path.join(so_far, name)
            if self._rules.passes_over(name, path) or not self._rules.enters(so_far):
                return None
        return path


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _is_link(entry: os.DirEntry[str]) -> bool:
    is_junction = getattr(entry, "is_junction", None)  # Python 3.12, and only Windows has any
    return entry.is_symlink() or bool(is_junction and is_junction())
