"""A file of lines, each a value as JSON with its checksum, which only grows."""

from __future__ import annotations

import json
import logging
import os
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from image_similarity_search.errors import CollectionUnavailableError, reason_of, unwritable

_UNREAD = "change its permissions, or move it away: the collection can be searched without it"
_DECODER = json.JSONDecoder()
_CHECKSUM = 8  # digits

_log = logging.getLogger(__name__)


class JsonLines:
    """The lines of the file ``path``; whoever adds some holds the writer lock.

    ``fits`` says whether a value is one that may stand there.
    """

    def __init__(self, path: str, fits: Callable[[Any], bool]) -> None:
        self.path = path
        self._fits = fits
        self._told = 0  # damaged lines

    def add(self, *values: object) -> None:
        """Add a line for each value, and wait for the disk to have them.

        Raises:
            CollectionUnwritableError: that can't be done.
        """
        with unwritable(self.path), open(self.path, "a", encoding="ascii") as file:
            # begins after a line that a full disk, or a kill, cut short
            file.writelines(f"\n{_line(value)}" for value in values)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())

    def __iter__(self) -> Iterator[Any]:
        """The values, the first first; nothing where there is no file.

        Damaged lines are passed over, with one warning.

        Raises:
            CollectionUnavailableError: they can't be read.
        """
        values, damaged = self.read()
        if len(damaged) > self._told:
            self._told = len(damaged)
            many = f", and {len(damaged) - 1:,} more" if len(damaged) > 1 else ""
            message = "%s: line %d is damaged%s; what it says is passed over"
            _log.warning(message, self.path, damaged[0], many)
        yield from values

    def read(self) -> tuple[list[Any], list[int]]:
        """The values, and the numbers of the lines that are damaged.

        Raises:
            CollectionUnavailableError: they can't be read.
        """
        values, damaged = [], []
        for number, line in enumerate(self._lines(), 1):
            try:
                value = _value(line.strip())
            except (ValueError, RecursionError):
                damaged.append(number)
                continue
            if value is not None and self._fits(value):
                values.append(value)
            elif value is not None:
                damaged.append(number)
        return values, damaged

    def _lines(self) -> list[str]:
        try:
            if os.path.exists(self.path) and not os.path.isfile(self.path):
                raise OSError("it is no file")  # a pipe would be waited for
            with open(self.path, encoding="ascii", errors="replace") as file:
                return file.read().split("\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            reason = f"it can't be read ({reason_of(error)})"
            raise CollectionUnavailableError(self.path, reason, _UNREAD) from error


def _line(value: object) -> str:
    text = json.dumps(value)
    return f"{text}\t{_checksum(text)}"


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):0{_CHECKSUM}x}"


def _value(line: str) -> Any:
    """What a line says; None where it is empty, or was cut short.

    Lines of former versions have no checksum.

    Raises:
        ValueError, RecursionError: it is damaged.
    """
    text, tab, checksum = line.partition("\t")
    if not text or (tab and len(checksum) < _CHECKSUM):
        return None
    if tab and checksum != _checksum(text):
        raise ValueError("another checksum")
    try:
        value, end = _DECODER.raw_decode(text)
    except ValueError:
        if tab:
            raise
        return None
    if end < len(text):
        raise ValueError("more than a value")
    return value
