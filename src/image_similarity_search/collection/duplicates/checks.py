"""Whether a file is still what was compared, so that something may be done with it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from image_similarity_search.addresses import is_address
from image_similarity_search.catalog.places import relative
from image_similarity_search.errors import ConfigError, ImageError, reason_of
from image_similarity_search.images import decode
from image_similarity_search.images.rules import Rules
from image_similarity_search.types import ImageRecord

_CHUNK = 1 << 20


def problem_with(image: ImageRecord) -> str:
    """Why nothing may be done because of this image, or with it; empty where nothing is wrong.

    It must be a file, not a link, in no linked folder, and have the content that was indexed.
    """
    path = image.path
    if is_address(path):
        return "it is in object storage or a Parquet file, which are never changed"
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            return "a link, or not a file"
        folder = os.path.dirname(path)
        if os.path.realpath(folder) != folder:
            return "it is in a linked folder"
        if not image.content_hash:
            return "its content was never read"
        if decode.content_hash(decode.read_file(path)) != image.content_hash:
            return "it changed since it was indexed"
    except ImageError as error:
        return error.reason
    except OSError as error:
        return reason_of(error)
    return ""


def check_not_indexed(folder: str, roots: Iterable[str]) -> None:
    """Refuse a folder in which the next sync would find what was moved there.

    Raises:
        ConfigError: it is one of ``roots``, which are indexed, or lies in one, not hidden there.
    """
    real, rules = os.path.realpath(folder), Rules((), (), all_files=False, skip=())
    for root in roots:
        inner = relative(real, root)
        if inner is not None and not rules.leaves_out(inner):
            expected = (
                f"a folder outside of {root}: that folder is indexed, so 'iss index' would"
                " add the moved files again (only folders whose names begin with a dot are"
                " skipped)"
            )
            raise ConfigError("to", folder, expected)


def same_file(path: str, other: str) -> bool:
    """Whether two paths lead to one file, so that nothing is won without the one of them."""
    return os.path.samestat(os.lstat(path), os.lstat(other))


def is_same_file(path: str, other: str) -> bool:
    """The same of two that may be gone, or in object storage: then they are told apart."""
    try:
        return same_file(path, other)
    except (OSError, ValueError):  # a displaced image has a NUL in its name
        return False


def are_files(*paths: str) -> bool:
    """Whether all of these are files, and none a link."""
    return all(stat.S_ISREG(os.lstat(path).st_mode) for path in paths)


def begins_with(path: str, part: str) -> bool:
    """Whether a file begins with all that is in another one."""
    with open(path, "rb") as one, open(part, "rb") as two:
        while data := two.read(_CHUNK):
            if one.read(len(data)) != data:
                return False
    return True


def same_bytes(path: str, other: str) -> bool:
    """Whether two files hold the same, byte for byte."""
    with open(path, "rb") as one, open(other, "rb") as two:
        while True:
            part = one.read(_CHUNK)
            if part != two.read(_CHUNK):
                return False
            if not part:
                return True
