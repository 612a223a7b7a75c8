"""A set of demo pictures: which files there are, and how to make each one."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from PIL import Image

from image_similarity_search.replacing import replaced

Recipes: TypeAlias = Mapping[str, Callable[[], bytes]]
"""Paths below a folder, with ``/``, and what makes the file's bytes."""


@dataclass(frozen=True, slots=True)
class PictureSet:
    """Pictures to search in and pictures to search for.

    Attributes:
        name: the folder for the pictures.
        pictures: the files to search in.
        queries: the files to search for, of different things; not among ``pictures``.
        source: one line for a person: where the pictures come from, and their licence.
        credits: the same in full, a file's text.
    """

    name: str
    pictures: Recipes
    queries: Recipes
    source: str
    credits: str


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """The picture as bytes of the format ``kind``, which is one of Pillow's names."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def write_missing(folder: str, recipes: Recipes) -> list[str]:
    """Make the files that are not there yet.

    Args:
        folder: made with its subfolders where it is missing.
        recipes: the files; those that exist are left alone.

    Returns:
        The paths of all the files, there before or not.
    """
    paths = []
    for name, make in recipes.items():
        path = os.path.join(folder, *name.split("/"))
        paths.append(path)
        if not os.path.exists(path):
            write(path, make())
    return paths


def write(path: str, data: bytes) -> None:
    """Write a file as a whole or not at all, so that a later run sees no half picture."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with replaced(path, durable=False) as (aside,):
        Path(aside).write_bytes(data)
