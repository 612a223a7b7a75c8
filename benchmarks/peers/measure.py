"""Measures one peer: building it in one process, searching it in another."""

from __future__ import annotations

import importlib.util
import math
import shutil
import time
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from bench import child
from bench.registry import Figures, Setting

from image_similarity_search.types import FloatArray
from peers import data
from peers.base import PART, Peer, Searching
from peers.faiss_kinds import Flat, Hnsw, Ivf
from peers.graphs import Hnswlib, UsearchF32, UsearchI8
from peers.lance import LancePq, LanceRq
from peers.ours import Ours, OursInLists

PEERS: dict[str, type[Peer]] = {
    peer.name: peer
    for peer in (
        Ours,
        OursInLists,
        Flat,
        Ivf,
        Hnsw,
        Hnswlib,
        UsearchF32,
        UsearchI8,
        LanceRq,
        LancePq,
    )
}

_LONGEST_BUILD = 1200.0  # seconds, foreseen; beyond, the slope is told instead
_BUILD_LIMIT = 1800.0  # seconds, after which a build is given up
_ENOUGH_TIMES = 500  # searches of one setting
_ENOUGH_SECONDS = 8.0  # or as long as that, but each query once
_BASELINE_QUERIES = 24
_WARMING = 10


def measure(setting: Setting, name: str, count: int) -> Figures:
    """Build a peer of ``count`` rows, search it, and search plainly in the same minutes."""
    peer = PEERS[name]
    if importlib.util.find_spec(peer.module) is None:
        return {"count": count, "skipped": f"{peer.package} is not installed"}
    foreseen = _foreseen(setting, name, count)
    if foreseen and foreseen["build_s"] > _LONGEST_BUILD:
        minutes = foreseen["build_s"] / 60
        return {"count": count, "skipped": f"building it would take about {minutes:.0f} min"} | {
            "foreseen": foreseen
        }
    folder = data.make(setting.cache, count, setting.pictures)
    index = setting.scratch / f"{name}-{count}"
    index.mkdir()
    try:
        built = child.run("peers.measure", "build", name, folder, index, limit=_BUILD_LIMIT)
        before = child.run("peers.measure", "baseline", folder)
        searched = child.run("peers.measure", "search", name, folder, index)
        after = child.run("peers.measure", "baseline", folder)
    except child.ChildFailedError as error:
        return {"count": count, "skipped": str(error)}
    finally:
        shutil.rmtree(index)
    flat = float(np.median(before["times_ms"] + after["times_ms"]))
    flat_cpu = float(np.median(before["cpu_ms"] + after["cpu_ms"]))
    told = {"count": count, "peer": name, "knob": peer.knob}
    told |= {"flat_p50_ms": flat, "flat_cpu_ms": flat_cpu}
    return told | built | searched


def _foreseen(setting: Setting, name: str, count: int) -> Figures | None:
    """How long building would take, by the two largest that were built and are smaller."""
    earlier = [setting.earlier.get(f"peers-{label}-{name}") for label in SIZES]
    points = [
        (figures["count"], figures["build_s"])
        for figures in earlier
        if figures and "build_s" in figures and figures["count"] < count
    ][-2:]
    if not points:
        return None
    (n, seconds), power = points[-1], 1.0
    if len(points) == 2:
        power = max(1.0, math.log(seconds / points[0][1]) / math.log(n / points[0][0]))
    return {"build_s": seconds * (count / n) ** power, "power": power, "from_count": n}


SIZES = {"20k": 20_000, "100k": 100_000, "1m": 1_000_000}


# What runs in processes of their own


def build(name: str, folder: str, index: str) -> Figures:
    """Build a peer of what is in a folder of data; seconds and megabytes on disk."""
    rows = data.load(Path(folder)).rows
    for start in range(0, len(rows), PART):
        rows[start : start + PART].max()  # into the system's cache, for everyone alike
    began = perf_counter()
    figures = PEERS[name]().build(rows, Path(index))
    taken = perf_counter() - began
    files = [path for path in Path(index).rglob("*") if path.is_file()]
    return {"build_s": taken, "disk_mb": sum(path.stat().st_size for path in files) / 1e6} | figures


def baseline(folder: str) -> Figures:
    """Milliseconds of comparing a query with every row, by FAISS, for some queries.

    ``times_ms`` on the clock, ``cpu_ms`` of the processor.
    """
    import faiss

    found = data.load(Path(folder))
    times, cpu = [], []
    for query in found.queries[: _BASELINE_QUERIES + 1]:
        began, cpu_began = perf_counter(), process_time()
        faiss.knn(query[None], found.rows, data.K, metric=faiss.METRIC_INNER_PRODUCT)
        times.append(1e3 * (perf_counter() - began))
        cpu.append(1e3 * (process_time() - cpu_began))
    return {"times_ms": times[1:], "cpu_ms": cpu[1:]}  # the first brings the rows in


def search(name: str, folder: str, index: str) -> Figures:
    """Search a peer with every setting: recall, times, and the memory of this process."""
    peer = PEERS[name]()
    queries = data.queries(Path(folder))
    began = perf_counter()
    opened = peer.open(Path(index))
    opened.set(peer.values[0])
    opened.search(queries[0], data.K)
    opening = perf_counter() - began
    answers, points = [], []
    for value in peer.values:
        opened.set(value)
        cpu, wall = process_time(), perf_counter()
        times, found = _timed(opened, queries)
        cpu, wall = process_time() - cpu, perf_counter() - wall
        answers.append(found)
        points.append(
            {
                "value": value,
                "p50_ms": float(np.percentile(times, 50)),
                "p99_ms": float(np.percentile(times, 99)),
                "searches": len(times),
                "cpu_ms": 1e3 * cpu / (len(times) + _WARMING),
                "processors_got": cpu / wall,
            }
        )
    memory = _memory()
    right = data.load(Path(folder))
    for point, found in zip(points, answers, strict=True):
        point["recall"] = _recall(right, found)
    return {"open_s": opening, "queries": len(queries), "points": points} | memory


def _timed(opened: Searching, queries: FloatArray) -> tuple[list[float], list[list[int]]]:
    """Milliseconds of searches, one at a time, and the answer to each query."""
    for query in queries[:_WARMING]:
        opened.search(query, data.K)
    times: list[float] = []
    answers: list[list[int]] = []
    began = perf_counter()
    while not answers or (len(times) < _ENOUGH_TIMES and perf_counter() - began < _ENOUGH_SECONDS):
        answers = []
        for query in queries:
            start = perf_counter()
            found = opened.search(query, data.K)
            times.append(1e3 * (perf_counter() - start))
            answers.append(found.tolist())
    return times, answers


def _recall(right: data.Data, answers: list[list[int]]) -> float:
    """The share of the ten nearest that was found; equals may stand for each other."""
    hits = 0
    for query, border, found in zip(right.queries, right.borders, answers, strict=True):
        ids = [id_ for id_ in dict.fromkeys(found) if id_ >= 0]
        alike = right.rows[ids] @ query
        hits += min(data.K, int(np.count_nonzero(alike >= border - 1e-6)))
    return hits / (data.K * len(answers))


def _memory() -> Figures:
    """Resident memory of this process, and the part of it that is not pages of files, in MiB."""
    time.sleep(0.1)  # libraries with threads of their own give back what they are done with
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    kib = {line.split(":")[0]: line.split()[1] for line in lines if line.endswith("kB")}
    return {"rss_mib": int(kib["VmRSS"]) / 1024, "rss_anon_mib": int(kib["RssAnon"]) / 1024}
