"""``iss serve`` under load: many searches while a sync runs, uploads, memory, and a graceful stop.

    python benchmarks/serve_load.py PHOTOS     # a folder of some hundred photographs
    python benchmarks/serve_load.py PHOTOS searches_while_syncing seconds=600 by=locust

Everything is on one machine: the service, its sync, and what sends the requests share its
processors.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from embeddings import grown
from http_load import cpu_seconds, get, memory_mib, post, send
from synthetic import build

from image_similarity_search import Collection
from image_similarity_search.collection.pipeline import BATCH
from image_similarity_search.collection.queries import pixels_of
from image_similarity_search.processors import available_processors

_NAME = "load"
_HERE = f"/v1/collections/{_NAME}"


@contextmanager
def service(index: Path, workers: int = 1) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A service of the collection in ``index``: its address and process. Ended by SIGTERM."""
    command = [sys.executable, "-m", "image_similarity_search", "serve", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--index-dir", f"{_NAME}={index}", "--workers", str(workers)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    address = re.search(r"http://[\d.:]+", process.stderr.readline())
    assert address
    url = address[0]
    while True:
        try:
            _json(f"{url}/readyz")
            break
        except OSError:
            assert process.poll() is None
            time.sleep(0.05)
    try:
        yield url, process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate()


def searches_while_syncing(
    photos: str,
    images: str = "20000",
    seconds: str = "60",
    connections: str = "64",
    by: str = "streams",
) -> dict[str, Any]:
    """Searches by id over many connections, while syncs encode the photographs again and again.

    They are sent ``by`` ``http_load``'s streams, or by ``locust`` (``pip install locust``).
    """
    sent = {"streams": _by_streams, "locust": _by_locust}[by]
    with tempfile.TemporaryDirectory() as folder:
        index, root = _collection(Path(folder), photos, int(images))
        with service(index) as (url, process):
            resident = [memory_mib(process.pid)]
            stop, counts = threading.Event(), {"syncs": 0, "encoded": 0}
            beside = [
                threading.Thread(target=_sync_all_along, args=(url, root, stop, counts)),
                threading.Thread(target=_note_memory, args=(process.pid, stop, resident)),
            ]
            for thread in beside:
                thread.start()
            told = sent(url, int(images), float(seconds), int(connections))
            stop.set()
            for thread in beside:
                thread.join()
            resident.append(memory_mib(process.pid))
            quiet = _by_streams(url, int(images), 5.0, int(connections))
    return {
        "images": int(images),
        **told,
        **counts,
        "without_sync_requests_per_second": quiet["requests_per_second"],
        "without_sync_p99_ms": quiet["p99_ms"],
        "rss_mib_by_minute": resident,
    }


def _note_memory(pid: int, stop: threading.Event, resident: list[float]) -> None:
    while not stop.wait(60.0):
        resident.append(memory_mib(pid))


def _by_streams(url: str, images: int, seconds: float, connections: int) -> dict[str, Any]:
    return dict(send(url, _ids(images), connections, seconds).figures())


def _by_locust(url: str, images: int, seconds: float, connections: int) -> dict[str, Any]:
    file = Path(__file__).with_name("locust_searches.py")
    command = ["locust", "-f", str(file), "--host", url, "--headless", "--json", "--only-summary"]
    command += ["-u", str(connections), "-r", str(connections), "-t", f"{seconds:.0f}s"]
    environment = os.environ | {"IMAGES": str(images)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    [told] = json.loads(done.stdout[done.stdout.index("[") :])
    times = {int(ms): count for ms, count in told["response_times"].items()}
    slowest, left = 0, 0.01 * sum(times.values())
    for slowest in sorted(times, reverse=True):
        left -= times[slowest]
        if left < 0:
            break
    return {
        "requests": told["num_requests"],
        "errors": told["num_failures"],
        "requests_per_second": round(told["num_requests"] / seconds, 1),
        "p99_ms": slowest,
        "max_ms": round(told["max_response_time"], 1),
    }


def uploads(photos: str, connections: str = "32", rounds: str = "5") -> dict[str, Any]:
    """Searches by uploads, and in turns what they can be compared with, of the same photographs.

    ``embedded``: decoded and encoded as uploads are, and nothing else. ``encoded``: by the encoder
    alone, of pixels that were decoded before. ``indexed``: as ``iss index`` takes them in.
    Processor time does not depend on who else is at work, nor on what this takes to send requests.
    """
    cpu_ms: dict[str, list[float]] = {"uploads": [], "embedded": [], "client": []}
    rates: dict[str, list[float]] = {"uploads": [], "embedded": [], "encoded": [], "indexed": []}
    with tempfile.TemporaryDirectory() as folder:
        index, root = _collection(Path(folder), photos, 0)
        files = [file.read_bytes() for file in sorted(root.iterdir())]
        with service(index) as (url, process), Collection.open(index) as collection:
            requests = [post(f"{_HERE}/search?k=10", data) for data in files]
            send(url, iter(requests[:64]), int(connections), 60.0)
            for number in range(int(rounds)):
                rate, cpu = _embedding_rate(collection, files, int(connections), process.pid)
                rates["embedded"].append(rate)
                cpu_ms["embedded"].append(cpu)
                before, own = cpu_seconds(process.pid), time.process_time()
                load = send(url, iter(requests), int(connections), 300.0)
                for name, seconds in (
                    ("uploads", cpu_seconds(process.pid) - before),
                    ("client", time.process_time() - own),
                ):
                    cpu_ms[name].append(1e3 * seconds / len(files))
                rates["uploads"].append(load.figures()["requests_per_second"])
                rates["encoded"].append(_encoding_rate(collection, files))
                rates["indexed"].append(_indexing_rate(Path(folder) / f"again{number}", root))
    figures = load.figures() | {
        f"{name}_per_second": median(found) for name, found in rates.items()
    }
    for name in ("embedded", "encoded", "indexed"):
        ratios = [up / other for up, other in zip(rates["uploads"], rates[name], strict=True)]
        figures[f"upload_of_{name}_ratio"] = round(median(ratios), 3)
    figures |= {f"{name}_cpu_ms": round(median(found), 2) for name, found in cpu_ms.items()}
    pairs = zip(cpu_ms["embedded"], cpu_ms["uploads"], strict=True)
    figures["embedded_of_upload_cpu_ratio"] = round(median(one / all_ for one, all_ in pairs), 3)
    return figures


def memory(photos: str, seconds: str = "120") -> dict[str, Any]:
    """Resident memory of the service, while uploads and searches go on."""
    with tempfile.TemporaryDirectory() as folder:
        index, root = _collection(Path(folder), photos, 2_000)
        files = [post(f"{_HERE}/search", file.read_bytes()) for file in sorted(root.iterdir())]
        with service(index) as (url, process):
            seen = []
            for _ in range(8):
                mixed = _mixed(files, 2_000)
                load = send(url, mixed, 16, float(seconds) / 8)
                seen.append(memory_mib(process.pid))
    return {"rss_mib": seen, "rss_last_of_second_ratio": round(seen[-1] / seen[1], 3)} | {
        "errors": load.figures()["errors"]
    }


def graceful_stop(photos: str) -> dict[str, Any]:
    """SIGTERM amid uploads and a sync: every request that was taken is answered in full."""
    with tempfile.TemporaryDirectory() as folder:
        index, root = _collection(Path(folder), photos, 0)
        files = [post(f"{_HERE}/search", file.read_bytes()) for file in sorted(root.iterdir())]
        with service(index) as (url, process):
            _touch(root)
            _json(f"{url}{_HERE}/sync", b"{}")
            threading.Timer(2.0, process.send_signal, (signal.SIGTERM,)).start()
            load = send(url, itertools.cycle(files), 16, 20.0)
            started = time.perf_counter()
            process.wait()
            waited = time.perf_counter() - started
        with Collection.open(index) as collection:
            damaged = collection.verify().damaged
    return {
        "answered": sum(load.statuses.values()),
        "statuses": load.statuses,
        "exit_status": process.returncode,
        "seconds_to_end": round(waited, 2),
        "damaged": damaged,
    }


def _collection(folder: Path, photos: str, more: int) -> tuple[Path, Path]:
    """An index of copies of the photographs, and of ``more`` images of which there are no files."""
    index, root = folder / "index", folder / "photos"
    shutil.copytree(photos, root)
    if more:
        with Collection.open(folder / "real", create=True) as real:
            real.sync(root)
            base = real.embed([str(file) for file in sorted(root.iterdir())])
        build(index, folder / "elsewhere", grown(base, more))
    with Collection.open(index, create=True) as collection:
        collection.sync(root)
    return index, root


def _ids(count: int) -> Iterator[bytes]:
    rng = random.Random(0)
    while True:
        yield get(f"{_HERE}/images/{rng.randint(1, count)}/similar?k=10")


def _mixed(uploads_: list[bytes], count: int) -> Iterator[bytes]:
    ids = _ids(count)
    for upload in itertools.cycle(uploads_):
        yield upload
        yield from itertools.islice(ids, 8)


def _sync_all_along(url: str, root: Path, stop: threading.Event, counts: dict[str, int]) -> None:
    while not stop.is_set():
        _touch(root)
        job = _json(f"{url}{_HERE}/sync", json.dumps({"root": root.name}).encode())
        while job["state"] == "running":
            time.sleep(0.3)
            job = _json(f"{url}/v1/jobs/{job['id']}")
        assert job["state"] == "done", job
        counts["syncs"] += 1
        counts["encoded"] += job["report"]["encoded"]


def _touch(root: Path) -> None:
    """Make every file another one, which shows the same."""
    for file in root.iterdir():
        with open(file, "ab") as out:
            out.write(os.urandom(8))


def _indexing_rate(index: Path, root: Path) -> float:
    with Collection.open(index, create=True) as collection:
        return collection.sync(root).images_per_second


def _embedding_rate(
    collection: Collection, files: list[bytes], at_once: int, service_: int
) -> tuple[float, float]:
    """Pictures a second that are decoded and encoded, so many under way at any time.

    And the processor time of each in ms, without what the service of this process id takes.
    """
    with collection.uploads() as embedding:
        for first in [embedding.embed(data) for data in files[:64]]:  # all processes start
            first.result()
        before = cpu_seconds(os.getpid(), service_)
        started, under_way = time.perf_counter(), deque[Future[Any]]()
        for data in files:
            if len(under_way) == at_once:
                under_way.popleft().result()
            under_way.append(embedding.embed(data))
        for last in under_way:
            last.result()
        rate = round(len(files) / (time.perf_counter() - started), 1)
        return rate, 1e3 * (cpu_seconds(os.getpid(), service_) - before) / len(files)


def _encoding_rate(collection: Collection, files: list[bytes]) -> float:
    """Pictures a second that the encoder takes, by as many threads as it has a use for."""
    encoder = collection.encoder
    views = np.stack([pixels_of(data, encoder.preprocessing) for data in files])
    batches = [views[start : start + BATCH] for start in range(0, len(views), BATCH)]
    with ThreadPoolExecutor(available_processors()) as threads:
        list(threads.map(encoder.encode, batches[:4]))
        started = time.perf_counter()
        list(threads.map(encoder.encode, batches))
        return round(len(files) / (time.perf_counter() - started), 1)


def _json(url: str, body: bytes | None = None) -> Any:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


if __name__ == "__main__":
    options = dict(word.split("=", 1) for word in sys.argv[2:] if "=" in word)
    chosen = [word for word in sys.argv[2:] if "=" not in word]
    for name in chosen or ["searches_while_syncing", "uploads", "memory", "graceful_stop"]:
        print(name, json.dumps(globals()[name](sys.argv[1], **options), indent=2))
