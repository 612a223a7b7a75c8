"""The folder of pictures that ``iss demo`` searches, made without any download."""

from __future__ import annotations

import os
from dataclasses import dataclass

from image_similarity_search.cli.demo.drawings import drawings
from image_similarity_search.cli.demo.photographs import photographs
from image_similarity_search.cli.demo.picture_set import write, write_missing

CREDITS_FILE = "SOURCES.txt"


@dataclass(frozen=True, slots=True)
class DemoPictures:
    """What was made.

    Attributes:
        folder: the folder of pictures to search in.
        queries: three pictures of different things to search for; they are not in ``folder``.
        source: one line for a person: where the pictures come from, and their licence.
    """

    folder: str
    queries: tuple[str, ...]
    source: str


def make_demo_pictures(folder: str) -> DemoPictures:
    """Fill a folder with pictures worth searching.

    Several views each of free photographs where a package that holds them is installed
    (scikit-image, scikit-learn: they are looked for, not imported), otherwise pictures drawn
    here. The same pictures come out every time, and files that exist are left alone. The two
    kinds go to separate subfolders, each with a ``SOURCES.txt`` of origins and licences.

    Args:
        folder: made where it is missing.

    Returns:
        Where the pictures and the queries are, as absolute paths.
    """
    chosen = photographs() or drawings()
    root = os.path.abspath(folder)
    pictures = os.path.join(root, chosen.name)
    write_missing(pictures, chosen.pictures)
    queries = write_missing(os.path.join(root, "queries"), chosen.queries)
    # always anew: which packages are installed may have changed, and this text must be true
    write(os.path.join(pictures, CREDITS_FILE), chosen.credits.encode("utf-8"))
    return DemoPictures(pictures, tuple(queries), chosen.source)
