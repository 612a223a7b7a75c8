"""What it costs to keep a large collection up to date: a rescan of it, one more picture.

Each function measures one thing and returns plain figures; times are of a quiet machine, the
ratios are what to look at.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from many_pictures import copied, jpegs_in
from synthetic import build, write_files

from image_similarity_search import Collection
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.types import FloatArray, PixelArray

Figures = dict[str, Any]


class TinyEncoder:
    """Eight numbers, so that a collection of any size is made in no time."""

    name = "tiny"
    dim = 8
    preprocessing = Preprocessing(8, 8, "box")
    fingerprint = f"tiny;{preprocessing.fingerprint}"

    def encode(self, pixels: PixelArray) -> FloatArray:
        """The mean of each row of pixels."""
        return np.asarray(pixels.mean(axis=(2, 3)), dtype=np.float32)


def rescan(scratch: str, files: int = 100_000, rounds: int = 5) -> Figures:
    """A sync of so many unchanged files beside a bare walk that asks for their status, in turns.

    Run it in a fresh process; ``scratch`` is an empty folder, which it fills.
    """
    root, index_dir = Path(scratch) / "files", Path(scratch) / "index"
    write_files(root, files)
    build(index_dir, root, _noise(files, TinyEncoder.dim), encoder=TinyEncoder())
    bare, synced = [], []
    with Collection.open(index_dir, encoder=TinyEncoder()) as collection:
        for number in range(rounds + 1):
            walked = _seconds(lambda: _walked(str(root)))
            rescanned = _seconds(lambda: _unchanged(collection, root, files))
            if number:  # the first round fills the caches
                bare.append(walked)
                synced.append(rescanned)
    return {
        "files": files,
        "bare_walk_ms": 1000 * statistics.median(bare),
        "sync_ms": 1000 * statistics.median(synced),
        "sync_over_bare_walk_ratio": statistics.median(
            one / other for one, other in zip(synced, bare, strict=True)
        ),
    }


def adding(index_dir: str, photos: str, scratch: str, pictures: int = 40) -> Figures:
    """Adding one picture after the other to a collection that is there and open, and searching.

    ``beyond_encoding_ms`` is an add without what it takes to decode and encode the picture, and
    with what the next search takes longer than one that follows no change. What was added is
    forgotten at the end. Run it in a fresh process.
    """
    paths = jpegs_in(copied(photos, Path(scratch) / "pictures", pictures + 1))
    times: dict[str, list[float]] = {"encode": [], "add": [], "search": [], "search_after": []}
    with Collection.open(index_dir) as collection:
        count = len(collection)
        some = next(iter(collection)).id
        collection.search(some)
        collection.add(paths[0])  # which starts the decoding process
        for path in paths[1:]:
            collection.search(some)
            times["search"].append(_seconds(partial(collection.search, some)))
            times["encode"].append(_seconds(partial(collection.embed, [path])))
            times["add"].append(_seconds(partial(collection.add, path)))
            times["search_after"].append(_seconds(partial(collection.search, some)))
        collection.remove(*paths)
    beyond = [
        add - encode + after - search
        for add, encode, after, search in zip(
            times["add"], times["encode"], times["search_after"], times["search"], strict=True
        )
    ]
    return {
        "images": count,
        "beyond_encoding_ms": 1000 * statistics.median(beyond),
        "beyond_encoding_p90_ms": 1000 * statistics.quantiles(beyond, n=10)[-1],
    } | {f"{name}_ms": 1000 * statistics.median(values) for name, values in times.items()}


def _walked(folder: str) -> int:
    """A walk that asks for nothing but what tells that a file is as it was."""
    count, pending = 0, [folder]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    entry.stat(follow_symlinks=False)
                    count += 1
    return count


def _unchanged(collection: Collection, root: Path, files: int) -> None:
    report = collection.sync(root)
    if report.unchanged != files:
        raise SystemExit(f"{report.unchanged} of {files} files are unchanged: {report}")


def _noise(count: int, dim: int) -> Iterator[FloatArray]:
    rng = np.random.default_rng(0)
    for start in range(0, count, 4096):
        yield rng.standard_normal((min(4096, count - start), dim), dtype=np.float32)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
