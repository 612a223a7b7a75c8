"""Addresses of pictures that are no files of their own, as text: ``s3://bucket/folder/picture.jpg``.

They lie in object storage, or are rows of Parquet files on this machine. An address stands wherever
a path does, and is taken apart and put together like one: root, folder and name, with ``/`` between
them on every system.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from image_similarity_search.errors import ConfigError

PARQUET = "parquet"

SCHEMES = ("s3", "gs", "az", PARQUET)
"""The kinds of object storage: Amazon S3 and what speaks its protocol, Google's, Azure's; and rows
of Parquet files, which have no bucket but a path: ``parquet:///data/train.parquet``."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_EXPECTED = "the address of a bucket, or of a folder or picture in one: s3://bucket/folder"


def is_address(path: str) -> bool:
    """Whether this is an address, of whatever kind, and no path on this machine."""
    return "://" in path and _SCHEME.match(path) is not None


def checked_address(address: str) -> str:
    """The one form of an address: its scheme in lower case, no ``/`` at the end.

    Raises:
        ConfigError: nothing of the kind is read here, or it holds credentials. What it holds is
            not told, for it may be a secret.
    """
    scheme, _, rest = address.partition("://")
    scheme = scheme.lower()
    if scheme not in SCHEMES:
        kinds = ", ".join(f"{known}://" for known in SCHEMES)
        raise ConfigError("address", f"{scheme}://…", f"a path on this machine, or one of {kinds}")
    bucket, _, key = rest.rstrip("/").partition("/")
    if "@" in bucket or ":" in bucket:
        expected = "one without credentials: these come from the environment"
        raise ConfigError("address", f"{scheme}://…@…", expected)
    if scheme == PARQUET and (bucket or not key):
        raise ConfigError("address", address, "an absolute path after parquet://, with three '/'")
    if scheme != PARQUET and not bucket:
        raise ConfigError("address", f"{scheme}://", _EXPECTED)
    if is_odd(key):
        raise ConfigError("address", address, f"{_EXPECTED}, with no part of it empty")
    return f"{scheme}://{bucket}/{key}" if key else f"{scheme}://{bucket}"


def is_odd(key: str) -> bool:
    """Whether a key can't be told apart as folder and name: ``a//b``, ``/a``, ``a/../b``."""
    parts = key.split("/") if key else []
    return "\0" in key or any(part in ("", ".", "..") for part in parts)


def is_row(path: str) -> bool:
    """Whether this is the address of rows of Parquet files, or of one."""
    return path.startswith(f"{PARQUET}://")


def scheme_of(address: str) -> str:
    """The scheme of an address."""
    return address.partition("://")[0]


def bucket_of(address: str) -> tuple[str, str]:
    """The bucket of an address, and the key below it; empty where it is the bucket itself."""
    bucket, _, key = address.partition("://")[2].partition("/")
    return bucket, key


def address_of(path: str) -> str | None:
    """The address that ``path`` is, or that a Parquet file or a folder so called has; else None.

    In its one form: of rows on this machine links to their folder are followed, as of files.

    Raises:
        ConfigError: as ``checked_address``.
    """
    if is_address(path):
        address = checked_address(path)
        return _resolved(address, _canonical) if scheme_of(address) == PARQUET else address
    return _resolved(rows_at(path), _canonical) if path.endswith(f".{PARQUET}") else None


def real_address(address: str) -> str:
    """The same with all links followed, so that it can be told what a row lies in.

    Raises:
        ConfigError: as ``checked_address``.
    """
    address = checked_address(address)
    return _resolved(address, os.path.realpath) if scheme_of(address) == PARQUET else address


def rows_at(path: str) -> str:
    """The address of a Parquet file at ``path``, or of a folder of such.

    Raises:
        ConfigError: it lies on another computer, by a path of Windows that names it.
    """
    path = os.path.abspath(path).replace(os.sep, "/")
    if path.startswith("//"):
        raise ConfigError("path", path, "one that begins with the letter of a drive")
    return f"{PARQUET}:///{path.lstrip('/')}"


def file_of(address: str) -> str:
    """The path that ``rows_at`` was given, and below it a row, if it is the address of one."""
    path = bucket_of(address)[1]
    return path if os.name == "nt" else f"/{path}"


def _canonical(path: str) -> str:
    if os.path.isdir(path):
        return os.path.realpath(path)
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)


def _resolved(address: str, resolve: Callable[[str], str]) -> str:
    path = file_of(address)
    file, row = os.path.split(path)
    if file.endswith(f".{PARQUET}") and not os.path.isdir(file):
        return f"{rows_at(resolve(file))}/{row}"
    return rows_at(resolve(path))
