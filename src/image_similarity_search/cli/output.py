"""What is printed: data on standard output, talk on standard error."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from image_similarity_search.reports import (
    CollectionInfo,
    RepairReport,
    SyncReport,
    Tuning,
    VerifyReport,
    WatchEvent,
)
from image_similarity_search.types import Hit, ImageRecord

if TYPE_CHECKING:
    from image_similarity_search.encoders.base import Encoder
    from image_similarity_search.filters import Filter

_DEVICES = {"cuda": "the GPU (CUDA)", "openvino": "the processor (OpenVINO)"}
_OUTGROWN = 2  # times as many images as a recall was measured among: that says little of them
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Text on one line that can do nothing to a terminal and can be encoded."""
    escaped = _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)
    encoding = sys.stdout.encoding or "utf-8"
    return escaped.encode(encoding, "backslashreplace").decode(encoding)


def say(message: str) -> None:
    """A line for the person who watches, on standard error."""
    print(printable(message), file=sys.stderr)  # noqa: T201 - the one place that talks


def write(line: str) -> None:
    """A line of data for a person, on standard output."""
    print(printable(line))  # noqa: T201 - the one place that writes lines


@contextmanager
def read_or_not(go_on: bool) -> Iterator[None]:
    """Where asked to ``go_on``, what a closed standard output can't take any more is dropped."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        if not go_on:
            raise
        drop_the_rest()


def drop_the_rest() -> None:
    """Lead standard output nowhere: its reader, such as head, has seen enough."""
    nowhere, out, err = os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno(), sys.stderr.fileno()
    if os.path.samestat(os.fstat(out), os.fstat(err)):  # as with 2>&1
        os.dup2(nowhere, err)
    os.dup2(nowhere, out)


def write_text(text: str) -> None:
    """Lines of data as they are."""
    sys.stdout.write(text + "\n")


def write_json(value: Any) -> None:
    """One JSON document; undecodable bytes of paths are lone surrogates, as in Python."""
    write_text(json.dumps(value, indent=2))


def tuning_in_words(tuning: Tuning, images: int) -> str:
    """What was made of a recall that was asked for, in a collection of so many ``images``."""
    asked = f"target recall {tuning.target:g}, measured {tuning.recall:.3f}"
    measured = f"{tuning.queries} queries, k {tuning.k}, {tuning.images:,} images"
    best = "" if tuning.reached else ": the target can't be reached"
    outgrown = images >= _OUTGROWN * tuning.images
    again = (
        f"; run 'iss rebuild' to measure it on the present {images:,} images" if outgrown else ""
    )
    return f"{asked} ({measured}){best}{again}"


def count(number: int, one: str, many: str = "") -> str:
    """So many of something: 1 image, 2,000 images."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size_in_words(size: int) -> str:
    """So many bytes: 512 bytes, 5.2 kB, 1,400.0 MB."""
    if size < 1_000:
        return count(size, "byte")
    return f"{size / 1e3:.1f} kB" if size < 1_000_000 else f"{size / 1e6:,.1f} MB"


def no_images(where: Filter | None) -> str:
    """Why there is nothing to tell of."""
    if where is not None:
        return "no image matches the filter"
    return "the collection is empty; add images with 'iss index FOLDER'"


def write_paths(paths: Iterable[str], *, null: bool) -> None:
    """Paths as they are on disk, byte for byte."""
    end = b"\0" if null else b"\n"
    sys.stdout.flush()
    for path in paths:
        sys.stdout.buffer.write(os.fsencode(path) + end)
    sys.stdout.buffer.flush()


def say_device(encoder: Encoder) -> None:
    """Where the model runs, for those who asked."""
    device = getattr(encoder, "device", "cpu")
    say(f"{encoder.name} runs on {_DEVICES.get(device, 'the processor')}")


def hit_as_json(rank: int, hit: Hit) -> dict[str, Any]:
    """A hit as ``--json`` prints it."""
    return {
        "rank": rank,
        "id": hit.id,
        "path": hit.path,
        "score": hit.score,
        "distance": hit.distance,
        "width": hit.image.width,
        "height": hit.image.height,
        "folded": [image.path for image in hit.folded],
    }


def record_as_json(record: ImageRecord) -> dict[str, Any]:
    """An image as ``--json`` prints it."""
    return {
        "id": record.id,
        "path": record.path,
        "size": record.size,
        "width": record.width,
        "height": record.height,
        "state": record.state,
        "reason": record.reason,
    }


def others_in_words(report: SyncReport) -> str:
    """Which files were passed over, by their extensions."""
    kinds = [
        f"{number:,} {extension or 'without an extension'}"
        for extension, number in report.other_kinds.items()
    ]
    more = report.others - sum(report.other_kinds.values())
    return ", ".join([*kinds, f"{more:,} of other kinds"] if more else kinds)


def report_as_json(report: SyncReport, *, interrupted: bool) -> dict[str, Any]:
    """A sync report as ``--json`` prints it."""
    return {
        "indexed": report.indexed,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "moved": report.moved,
        "removed": report.removed,
        "skipped": report.skipped,
        "encoded": report.encoded,
        "other_files": report.others,
        "other_kinds": report.other_kinds,
        "unreadable_folders": report.unreadable_folders,
        "seconds": round(report.seconds, 3),
        "images_per_second": round(report.images_per_second, 1),
        "interrupted": interrupted,
    }


def event_as_json(event: WatchEvent) -> dict[str, Any]:
    """What became of a folder as ``iss watch --json`` prints it, and as ``--on-change`` gets it."""
    report = report_as_json(event.report or SyncReport(), interrupted=False)
    del report["interrupted"]  # of a watch, that would be the end
    return {"folder": event.folder, "event": event.event, "reason": event.reason, **report}


def store_as_json(info: CollectionInfo) -> dict[str, Any]:
    """What finds the nearest now, as ``--json`` prints it."""
    return {"indexed": info.indexed, "index": info.index, "store": info.store}


def moved_as_json(info: CollectionInfo) -> dict[str, Any]:
    """Where things are now, as ``move --json`` prints it."""
    return store_as_json(info) | {"catalog": info.catalog}


def verify_as_json(report: VerifyReport, repair: RepairReport | None) -> dict[str, Any]:
    """What ``verify`` found, and what a repair saved, as ``--json`` prints it."""
    return {
        "damaged": report.damaged,
        "checked": report.checked,
        "problems": [asdict(problem) for problem in report.problems],
        "problem_counts": report.counts,
        "seconds": round(report.seconds, 3),
        "repair": asdict(repair) if repair else None,
    }


def report_in_words(report: SyncReport) -> str:
    """A sync report as a line."""
    counts = ("indexed", "updated", "unchanged", "moved", "removed", "skipped")
    line = ", ".join(f"{name} {getattr(report, name):,}" for name in counts)
    rate = f" ({report.images_per_second:.0f} images/s)" if report.encoded else ""
    return f"{line} in {report.seconds:.1f} s{rate}"
