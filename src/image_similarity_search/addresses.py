"""Addresses of pictures that are no files of their own, as text: ``s3://bucket/folder/picture.jpg``.

They lie in object storage, or are rows of Parquet files on this machine. An address stands wherever
a path does, and is taken apart and put together like one: root, folder and name, with ``/`` between
them on every system.
"""

from __future__ import annotations

import os
import re

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
    if not bucket and not (scheme == PARQUET and key):
        raise ConfigError("address", f"{scheme}://", _EXPECTED)
    if is_odd(key):
        raise ConfigError("address", address, f"{_EXPECTED}, with no part of it empty")
    return f"{scheme}://{bucket}/{key}" if key else f"{scheme}://{bucket}"


def is_odd(key: str) -> bool:
    """Whether a key can't be told apart as folder and name: ``a//b``, ``/a``, ``a/../b``."""
    parts = key.split("/") if key else []
    return "\0" in key or any(part in ("", ".", "..") for part in parts)


def scheme_of(address: str) -> str:
    """The scheme of an address."""
    return address.partition("://")[0]


def bucket_of(address: str) -> tuple[str, str]:
    """The bucket of an address, and the key below it; empty where it is the bucket itself."""
    bucket, _, key = address.partition("://")[2].partition("/")
    return bucket, key


def address_of(path: str) -> str | None:
    """The address that ``path`` is, in its one form, or that a Parquet file has; None for others.

    Raises:
        ConfigError: as ``checked_address``.
    """
    if is_address(path):
        return checked_address(path)
    if path.endswith(f".{PARQUET}") and os.path.isfile(path):
        return parquet_address(path)
    return None


def parquet_address(path: str) -> str:
    """The address of a Parquet file, or of a folder of such."""
    return f"{PARQUET}:///{os.path.realpath(path).replace(os.sep, '/').lstrip('/')}"


def file_of(address: str) -> str:
    """The path that ``parquet_address`` was made of."""
    path = bucket_of(address)[1]
    return path if os.name == "nt" else f"/{path}"
