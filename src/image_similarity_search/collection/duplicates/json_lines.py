"""A file of lines, each a value as JSON, which only grows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from image_similarity_search.errors import CollectionUnavailableError, CollectionUnwritableError

_UNREAD = "change its permissions, or move it away: the collection can be searched without it"


class JsonLines:
    """The lines of the file ``path``; whoever adds some holds the writer lock."""

    def __init__(self, path: str) -> None:
        self.path = path

    def add(self, *values: object) -> None:
        """Add a line for each value, and wait for the disk to have them.

        Raises:
            CollectionUnwritableError: that can't be done.
        """
        try:
            with open(self.path, "a", encoding="ascii") as file:
                # begins after a line that a full disk, or a kill, cut short
                file.writelines(f"\n{json.dumps(value)}" for value in values)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise CollectionUnwritableError(self.path, error.strerror or str(error)) from error

    def __iter__(self) -> Iterator[Any]:
        """The values, the first first; nothing where there is no file.

        Raises:
            CollectionUnavailableError: they can't be read.
        """
        try:
            with open(self.path, encoding="ascii", errors="replace") as file:
                lines = file.read().splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            reason = f"it can't be read ({error.strerror or error})"
            raise CollectionUnavailableError(self.path, reason, _UNREAD) from error
        for line in lines:
            try:
                yield json.loads(line)
            except ValueError:
                continue  # empty, or cut short
