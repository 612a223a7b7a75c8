"""What thumbnails cost: time of indexing, and room on the disk."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def cost(pictures: str, rounds: int = 5) -> dict[str, float]:
    """Index the folder ``pictures`` with and without thumbnails, in turns, each in a new process.

    Returns medians: ``with_s`` and ``without_s`` of wall time, the ``_cpu_s`` of all processes,
    their ratios, and ``bytes_per_image`` of the file of thumbnails.
    """
    times: dict[str, list[float]] = {"with": [], "without": [], "with_cpu": [], "without_cpu": []}
    size, count = 0, 1
    with tempfile.TemporaryDirectory() as folder:
        for number in range(2 * rounds):
            name = ("with", "without")[(number + number // 2) % 2]  # neither is always first
            index = Path(folder, str(number))
            wall, cpu = _indexed(pictures, index, thumbnails=name == "with")
            times[name].append(wall)
            times[f"{name}_cpu"].append(cpu)
            if name == "with":
                size = os.path.getsize(index / "thumbnails.sqlite")
                count = _count(index)
    medians = {f"{name}_s": statistics.median(values) for name, values in times.items()}
    return medians | {
        "wall_ratio": medians["with_s"] / medians["without_s"],
        "cpu_ratio": medians["with_cpu_s"] / medians["without_cpu_s"],
        "images": count,
        "bytes_per_image": size / count,
    }


def _indexed(pictures: str, index: Path, *, thumbnails: bool) -> tuple[float, float]:
    switch = "--thumbnails" if thumbnails else "--no-thumbnails"
    command = [sys.executable, "-m", "image_similarity_search", "index", pictures]
    before, started = _cpu(), time.perf_counter()
    subprocess.run([*command, "--index-dir", str(index), switch], check=True, capture_output=True)
    return time.perf_counter() - started, _cpu() - before


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _count(index: Path) -> int:
    from image_similarity_search import Collection

    with Collection.open(index) as collection:
        return len(collection)


if __name__ == "__main__":
    for name, value in cost(sys.argv[1]).items():
        print(f"{name:16} {value:,.3f}")
