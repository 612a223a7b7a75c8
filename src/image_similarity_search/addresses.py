"""Addresses of pictures in object storage, as text: ``s3://bucket/folder/picture.jpg``.

An address stands wherever a path does, and is taken apart and put together like one: root, folder
and name, with ``/`` between them on every system.
"""

from __future__ import annotations

import re

from image_similarity_search.errors import ConfigError

SCHEMES = ("s3", "gs", "az")
"""The kinds of object storage: Amazon S3 and what speaks its protocol, Google's, Azure's."""

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
    if not bucket:
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
