"""Files that are written aside, and take the place of others when they are whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def replaced(*paths: str, ending: str = ".tmp", durable: bool = True) -> Iterator[list[str]]:
    """Names of files to write in the block, which then take the place of ``paths``, or are removed.

    A link stays, and leads to the new file.

    Args:
        paths: the files to be, each in a folder that is there.
        ending: of the names to write. A fixed one is for places with one writer: what a killed one
            left is written over.
        durable: have them on disk before any of them takes a place, whatever happens to the power.

    Raises:
        OSError: a file can't be written.
    """
    targets = [os.path.realpath(path) for path in paths]
    asides = [f"{target}{ending}" for target in targets]
    try:
        yield asides
        for aside in asides if durable else ():
            with open(aside, "rb+") as file:
                os.fsync(file.fileno())
        for aside, target in zip(asides, targets, strict=True):
            os.replace(aside, target)
    finally:
        for aside in asides:
            with suppress(OSError):
                os.remove(aside)
