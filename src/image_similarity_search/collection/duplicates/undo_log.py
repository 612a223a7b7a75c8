"""What was done with files, written down before it is done.

A file of lines beside the catalog, each a JSON object and its checksum. A process that is killed
leaves a line for something that was not done, never something done without a line; undoing looks
at what is there.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from image_similarity_search.collection.duplicates.json_lines import JsonLines

FILE_NAME = "undo.jsonl"


@dataclass(frozen=True, slots=True)
class Entry:
    """One action: what is needed to undo it.

    ``run`` tells those that were done together; ``mtime_ns`` and ``mode`` are those of the file
    before. ``tags`` are those of its image, ``handed`` those of them that ``kept`` had not.
    The action ``undone`` says that the run was undone, or of it what was at ``path``; ``tried``
    that nothing of it could be, once; ``tagged`` that the user has put ``tags`` to ``kept`` since.
    """

    run: str
    action: str
    path: str = ""
    to: str = ""
    kept: str = ""
    content_hash: str = ""
    size: int = 0
    mtime_ns: int = 0
    mode: int = 0
    tags: list[str] = field(default_factory=list)
    handed: list[str] = field(default_factory=list)


class UndoLog:
    """The log of the collection in ``folder``; whoever writes holds the writer lock."""

    def __init__(self, folder: str) -> None:
        self._lines = lines_of(folder)

    @property
    def path(self) -> str:
        """Its file."""
        return self._lines.path

    def write(self, entry: Entry) -> None:
        """Add a line, and wait for the disk to have it.

        Raises:
            CollectionUnwritableError: that can't be done.
        """
        self._lines.add(asdict(entry))

    def last_run(self) -> list[Entry]:
        """The actions of the last run that was not undone, the last first."""
        left = [one for one in self.not_undone() if one.action not in ("tagged", "tried")]
        return [entry for entry in reversed(left) if entry.run == left[-1].run]

    def not_undone(self) -> list[Entry]:
        """The lines of all that was not undone, the first first.

        Raises:
            CollectionUnavailableError: they can't be read.
        """
        entries = self._read()
        undone = {(entry.run, entry.path) for entry in entries if entry.action == "undone"}
        return [
            entry
            for entry in entries
            if not undone.intersection([(entry.run, ""), (entry.run, entry.path)])
        ]

    def end(self, run: str, undone: Sequence[Entry], left: Sequence[Entry]) -> None:
        """Write down what came of undoing a run: what is ``left`` is tried again the next time.

        But if nothing could be undone for the second time, the run is given up.

        Raises:
            CollectionUnwritableError, CollectionUnavailableError: that can't be done.
        """
        tried = any(one.action == "tried" and one.run == run for one in self._read())
        if not left or (tried and not undone):
            self.write(Entry(run, "undone"))
        elif not undone:
            self.write(Entry(run, "tried"))
        for entry in undone if left else ():
            self.write(Entry(run, "undone", entry.path))

    def _read(self) -> list[Entry]:
        return [Entry(**values) for values in self._lines]


def lines_of(folder: str) -> JsonLines:
    """The lines of the log of the collection in ``folder``."""
    return JsonLines(os.path.join(folder, FILE_NAME), _is_entry)


_TYPES = {"str": str, "int": int, "list[str]": list}
_FIELDS = {field.name: _TYPES[str(field.type)] for field in fields(Entry)}


def _is_entry(value: Any) -> bool:
    """Whether these are the values of an ``Entry``."""
    if not isinstance(value, dict) or not {"run", "action"} <= value.keys() <= _FIELDS.keys():
        return False
    if not all(isinstance(one, _FIELDS[name]) for name, one in value.items()):
        return False
    return all(isinstance(tag, str) for tag in value.get("tags", []) + value.get("handed", []))
