"""Which catalog an index folder is of: one of its own, or one that other computers share."""

from __future__ import annotations

import os

from image_similarity_search.catalog.postgresql.address import Address
from image_similarity_search.catalog.whereabouts import FILE_NAME, remember, url_of
from image_similarity_search.errors import CollectionMismatchError, unwritable

_ELSEWHERE = "Use another index folder for that one."
_MOVE = f"Move it there with 'iss move --catalog URL'. {_ELSEWHERE}"


def shared_url(folder: str, asked: str | None) -> str:
    """The URL of the shared catalog that is asked for; empty for what ``folder`` has.

    Raises:
        ConfigError: it is no such URL, or has a password in it.
        CollectionMismatchError: the folder has another catalog.
        LegacyIndexError: it has an index that another program made.
    """
    if asked is None:
        return ""
    url, known = str(Address.parse(asked)), url_of(folder)
    own = os.path.join(folder, FILE_NAME)
    if known and known != url:
        raise CollectionMismatchError("catalog", known, url, _ELSEWHERE)
    if not known and os.path.exists(own):
        raise CollectionMismatchError("catalog", own, url, _MOVE)
    if not known:
        from image_similarity_search.collection.interchange.legacy_files import refuse_to_overwrite

        refuse_to_overwrite(folder)
    return url


def joined(folder: str, url: str) -> None:
    """Have ``folder``, which is made if need be, remember the shared catalog at ``url``.

    Raises:
        CollectionUnwritableError: it can't.
    """
    if url_of(folder) == url:
        return
    with unwritable(folder):
        os.makedirs(folder, exist_ok=True)
    remember(folder, url)
