"""What a listing tells of an object."""

from __future__ import annotations

from typing import NamedTuple


class Stored(NamedTuple):
    """An object.

    Attributes:
        address: where it is.
        size: bytes.
        mtime_ns: when it was written, nanoseconds since the epoch.
        etag: what changes with its content.
        begin: its first bytes, where the listing read them anyway.
    """

    address: str
    size: int
    mtime_ns: int
    etag: str
    begin: bytes | None = None
