"""The process of a sync: apart from the service, so that neither slows or ends the other.

It is given what to do as JSON, as its one argument, and tells how far it is as lines of JSON. It
stops when its standard input ends: that of a service that is gone ends, too.
"""

from __future__ import annotations

import _thread
import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, TextIO

from image_similarity_search.collection import Collection
from image_similarity_search.errors import ImageSearchError
from image_similarity_search.service import problems
from image_similarity_search.service.roots import Roots
from image_similarity_search.service.schemas import SyncReportOut
from image_similarity_search.types import Progress, SyncInterrupted, SyncReport

_NICE = 10  # searches come first
_SECONDS = 0.2  # between two lines


class _Line:
    """Writes lines of JSON; those about progress not too often."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._next = 0.0

    def say(self, **values: Any) -> None:
        self._out.write(json.dumps(values) + "\n")
        self._out.flush()

    def tell(self, root: str, progress: Progress) -> None:
        now = time.monotonic()
        if now >= self._next or progress.done == progress.total:
            self._next = now + _SECONDS
            self.say(root=root, phase=progress.phase, done=progress.done, total=progress.total)


def main() -> None:
    """Sync the folders of a collection, one after the other."""
    task: dict[str, Any] = json.loads(sys.argv[1])
    with _only_lines() as out:
        line = _Line(out)
        threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
        with contextlib.suppress(OSError, AttributeError):
            os.nice(_NICE)
        reports: list[SyncReport] = []
        roots = Roots([])
        state = "done"
        try:
            with Collection.open(task["index_dir"]) as collection:
                roots = Roots(collection.roots())
                _sync(collection, roots, task, line, reports)
        except (SyncInterrupted, KeyboardInterrupt) as interrupt:
            if isinstance(interrupt, SyncInterrupted):
                reports.append(interrupt.report)
            state = "cancelled"
        except ImageSearchError as error:
            kind = problems.kind_of(error)
            told = problems.problem(kind, problems.detail_of(error))
            line.say(state="failed", error=told)
            return
        line.say(state=state, report=SyncReportOut.of(reports, roots).model_dump())


def _sync(
    collection: Collection,
    roots: Roots,
    task: dict[str, Any],
    line: _Line,
    reports: list[SyncReport],
) -> None:
    for name in task["roots"]:
        folder = roots.folder(name)
        report = collection.sync(
            folder,
            retry_skipped=task["retry_skipped"],
            progress=lambda progress, name=name: line.tell(name, progress),  # type: ignore[misc]  # a loop's
        )
        reports.append(report)


@contextlib.contextmanager
def _only_lines() -> Iterator[TextIO]:
    """Standard output for the lines alone: what codecs print goes nowhere."""
    with open(os.dup(1), "w", encoding="utf-8") as out:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        yield out


def _stop_at_end_of_input() -> None:
    sys.stdin.buffer.read()
    _thread.interrupt_main()


if __name__ == "__main__":
    main()
