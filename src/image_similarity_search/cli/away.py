"""Indexed folders that this computer does not have now."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from image_similarity_search.cli import output

if TYPE_CHECKING:
    from image_similarity_search.collection import Collection

_SECONDS = 1.0  # in which a disk says whether a folder is there


def folders_away(collection: Collection) -> list[str]:
    """The indexed folders that are gone, or empty as where a disk would be mounted.

    One whose disk does not answer may be here.
    """
    from image_similarity_search.collection.bounded import Bounded
    from image_similarity_search.collection.originals import is_away

    def is_known_away(root: str) -> bool:
        return Bounded[bool]().ask(partial(is_away, root), _SECONDS) or False

    return [root for root in collection.roots() if is_known_away(root)]


def say_away(collection: Collection, folders: Iterable[str]) -> None:
    """Say of each that it is not here, and what to do."""
    for folder in folders:
        remedy = "mount it at that path"
        if not collection.info().catalog:
            remedy += ", or give its new location with 'iss relocate OLD NEW'"
        output.say(f"{folder} is not on this computer, or it is empty: {remedy}")
