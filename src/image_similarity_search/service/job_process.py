"""The process of a job: apart from the service, so that neither slows or ends the other.

It is given what to do as JSON, as its one argument, and tells how far it is as lines of JSON. It
stops when its standard input ends: that of a service that is gone ends, too.
"""

from __future__ import annotations

import _thread
import contextlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TextIO

from image_similarity_search.collection import Collection
from image_similarity_search.collection.other_files import most_of
from image_similarity_search.duplicates import DuplicateReport
from image_similarity_search.errors import (
    FolderNotFoundError,
    ImageError,
    ImageSearchError,
    SourceUnavailableError,
)
from image_similarity_search.filters import Filter
from image_similarity_search.reports import SyncInterrupted, SyncReport
from image_similarity_search.service import kinds
from image_similarity_search.service.roots import Roots
from image_similarity_search.types import Progress

_NICE = 10  # searches come first
_SECONDS = 0.2  # between two lines
_COUNTS = ("indexed", "updated", "unchanged", "moved", "removed", "skipped", "encoded")


class _Line:
    """Writes lines of JSON; those about progress not too often."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._next = 0.0

    def say(self, **values: Any) -> None:
        self._out.write(json.dumps(values) + "\n")
        self._out.flush()

    def tell(self, root: str | None, progress: Progress) -> None:
        now = time.monotonic()
        if now >= self._next or progress.done == progress.total:
            self._next = now + _SECONDS
            self.say(root=root, phase=progress.phase, done=progress.done, total=progress.total)


@dataclass(frozen=True, slots=True)
class _Job:
    collection: Collection
    task: dict[str, Any]
    line: _Line

    def sync(self) -> dict[str, Any]:
        """Sync the folders of the collection, one after the other; those that are away, not."""
        roots, reports = Roots(self.collection.roots()), []
        away: dict[str, ImageError] = {}
        state = "done"
        try:
            for name in self.task["roots"]:
                self.line.say(root=name, phase="scanning", done=0, total=None)
                try:
                    reports.append(self._synced(roots, name))
                except (FolderNotFoundError, SourceUnavailableError) as error:
                    away[name] = error
        except SyncInterrupted as interrupt:
            reports.append(interrupt.report)
            state = "cancelled"
        reasons = [f"{name}: {error.reason}" for name, error in away.items()]
        if not reports:
            kind = kinds.kind_of(next(iter(away.values())))
            return _failed(kind, "; ".join(reasons), "; ".join(map(str, away.values())))
        report = _together(reports, roots)
        report["unreadable_folders"] += reasons
        return {"state": state, "report": report}

    def _synced(self, roots: Roots, name: str) -> SyncReport:
        return self.collection.sync(
            roots.folder(name),
            retry_skipped=self.task["retry_skipped"],
            progress=lambda progress: self.line.tell(name, progress),
        )

    def duplicates(self) -> dict[str, Any]:
        """Find duplicates."""
        fields = self.task["filter"]
        report = self.collection.duplicates(
            self.task["level"],
            thorough=self.task["thorough"],
            where=Filter(**fields) if fields else None,
            progress=lambda progress: self.line.tell(None, progress),
        )
        return {"state": "done", "report": _counted(report), "groups": _groups(report)}


def main() -> None:
    """Do a job, and tell of it."""
    task: dict[str, Any] = json.loads(sys.argv[1])
    # a service that was started in the background by a script has it ignored, and so have we
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with _only_lines() as out:
        line = _Line(out)
        with contextlib.suppress(OSError, AttributeError):
            os.nice(_NICE)
        try:
            threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
            with Collection.open(task["index_dir"]) as collection:
                job = _Job(collection, task, line)
                end = job.sync() if task["kind"] == "sync" else job.duplicates()
        except KeyboardInterrupt:
            end = {"state": "cancelled"}
        except ImageSearchError as error:
            end = _failed(kinds.kind_of(error), kinds.detail_of(error), str(error))
        except Exception:  # whatever it is, the log of the service is to tell it
            end = _failed(kinds.INTERNAL, kinds.LOGGED, traceback.format_exc())
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # there is nothing left to stop
        line.say(**end)


def _failed(kind: kinds.Kind, detail: str, why: str) -> dict[str, Any]:
    """The end of a job that failed: with what a client may know of it, and ``why`` for the log."""
    return {"state": "failed", "error": kinds.problem(kind, detail), "why": why}


def _together(reports: list[SyncReport], roots: Roots) -> dict[str, Any]:
    """What several syncs did, as ``schemas.SyncReportOut`` has it."""
    folders = [folder for report in reports for folder in report.unreadable_folders]
    return {name: sum(getattr(report, name) for report in reports) for name in _COUNTS} | {
        "other_files": sum(report.others for report in reports),
        "other_kinds": most_of(report.other_kinds for report in reports),
        "unreadable_folders": [roots.without_folders(folder) for folder in folders],
        "seconds": round(sum(report.seconds for report in reports), 3),
    }


def _counted(report: DuplicateReport) -> dict[str, Any]:
    """What was found, as ``schemas.DuplicateReportOut`` has it."""
    return {
        "groups": len(report.groups),
        "duplicates": sum(len(group.others) for group in report.copies),
        "staying": sum(len(group.others) for group in report.staying),
        "similar": sum(len(group.others) for group in report.similar),
        "images": report.images,
        "unreadable": len(report.unreadable),
        "dismissed": report.dismissed,
        "linked": report.linked,
        "unmeasured": report.unmeasured,
        "seconds": round(report.seconds, 3),
    }


def _groups(report: DuplicateReport) -> list[dict[str, Any]]:
    """The groups, of images by their ids."""
    return [
        {
            "keep": group.keep.id,
            "why": group.why,
            "level": group.level,
            "goes": group.goes,
            "sharpness": group.sharpness,
            "others": [
                {
                    "id": other.image.id,
                    "level": other.level,
                    "score": other.score,
                    "likeness": other.likeness,
                    "change": other.change,
                    "sharpness": other.sharpness,
                }
                for other in group.others
            ],
        }
        for group in report.groups
    ]


@contextlib.contextmanager
def _only_lines() -> Iterator[TextIO]:
    """Standard output for the lines alone: what codecs print goes nowhere."""
    with open(os.dup(1), "w", encoding="utf-8") as out:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        yield out


def _stop_at_end_of_input() -> None:
    while os.read(0, 4096):  # not by a buffer, whose lock would be held when the process ends
        pass
    _thread.interrupt_main()


if __name__ == "__main__":
    main()
