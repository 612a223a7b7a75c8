"""The ETag of an object, kept in the metadata of its image."""

from __future__ import annotations

import json

KEY = "etag"
_NONE = "{}"


def etag_in(metadata: str) -> str:
    """The ETag in the metadata of an image; empty where there is none."""
    if metadata == _NONE:
        return ""
    etag = json.loads(metadata).get(KEY, "")
    return etag if isinstance(etag, str) else ""


def with_etag(metadata: str, etag: str) -> str:
    """The metadata of an image whose file has this ETag; empty: it is no object any more."""
    if metadata == _NONE and not etag:
        return metadata
    rest = {key: value for key, value in json.loads(metadata).items() if key != KEY}
    return json.dumps(rest | {KEY: etag} if etag else rest)
