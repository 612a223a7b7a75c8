"""The trash of the desktop: into it, and out of it again where that is a folder like any other."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Callable, Iterator
from typing import cast
from urllib.parse import unquote

from image_similarity_search.collection.duplicates.files import put_back
from image_similarity_search.errors import ConfigError
from image_similarity_search.images import decode

_INSTALL = "another action, or: pip install 'image-similarity-search[trash]'"


def check_trash() -> None:
    """Raise ConfigError where there is nothing to put files into the trash with."""
    try:
        importlib.import_module("send2trash")
    except ImportError as error:
        raise ConfigError("action", "trash", _INSTALL) from error


def into_trash(path: str) -> None:
    """Put a file into the trash; OSError where that can't be done."""
    _trash()(path)


def _trash() -> Callable[[str], None]:
    from send2trash import send2trash

    return cast("Callable[[str], None]", send2trash)


def out_of_trash(path: str, content_hash: str) -> str:
    """Put the file of this content back to ``path``; returns where it is, or nothing without one.

    Raises:
        ImageError, OSError: that can't be done.
    """
    for info, file in _trashed(path):
        if decode.content_hash(decode.read_file(file)) == content_hash:
            place = put_back(file, path)
            with contextlib.suppress(OSError):  # it is back all the same
                os.unlink(info)
            return place
    return ""


def _trashed(path: str) -> Iterator[tuple[str, str]]:
    """Files in the trash that came from ``path``, each with the one that says so."""
    for trash, top in _trashes(path):
        try:
            infos = sorted(os.listdir(os.path.join(trash, "info")))
        except OSError:
            continue
        for name in infos:
            info = os.path.join(trash, "info", name)
            file = os.path.join(trash, "files", name.removesuffix(".trashinfo"))
            if os.path.isfile(file) and _original(info, top) == path:
                yield info, file


def _trashes(path: str) -> Iterator[tuple[str, str]]:
    """The folders of the freedesktop trash that may hold ``path``, and what theirs are below."""
    try:
        from send2trash.plat_other import HOMETRASH, find_mount_point, uid
    except (ImportError, AttributeError):  # Windows and macOS, whose trash tells nobody
        return
    yield HOMETRASH, os.path.dirname(HOMETRASH)
    top = find_mount_point(os.path.dirname(path))
    yield os.path.join(top, ".Trash", str(uid)), top
    yield os.path.join(top, f".Trash-{uid}"), top


def _original(info: str, top: str) -> str:
    """Where a file in the trash was."""
    with open(info, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            if line.startswith("Path="):
                quoted = line.removeprefix("Path=").rstrip("\n")
                return os.path.join(top, unquote(quoted, errors="surrogateescape"))
    return ""
