"""What indexing from object storage costs beside the same files on the disk.

    python benchmarks/object_storage.py PHOTOS [--pictures 1000] [--rounds 3]

A real S3 server (moto's, in Python) runs on loopback: what a network takes is not in it, but the
server shares the processors with the indexing, and how much of them it took is printed too. Needs
``s3fs`` and ``moto[server]``.
"""

from __future__ import annotations

import argparse
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.machine import machine
from many_pictures import copied

_BUCKET = "pictures"
_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure in turns, and print medians."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        scratch = Path(folder)
        pictures = Path(copied(options.photos, scratch / "pictures", options.pictures))
        with _server(scratch) as server:
            _upload(pictures)
            found = [_round(pictures, scratch / str(n), server) for n in range(options.rounds)]
    load = machine()["load"]
    print(f"{options.pictures:,} pictures, {options.rounds} rounds; load at the end: {load}")
    for name in ("disk", "storage"):
        rates = [options.pictures / one[name] for one in found]
        seconds = [one[f"{name}_cpu"] for one in found]
        print(
            f"from {name}: {statistics.median(rates):.0f} images/s"
            f" ({min(rates):.0f} to {max(rates):.0f}),"
            f" {1000 * statistics.median(seconds) / options.pictures:.1f} ms of processor an image"
        )
    server_ms = 1000 * statistics.median(one["server_cpu"] for one in found) / options.pictures
    print(f"the server beside it: {server_ms:.1f} ms of processor an image")
    for what in ("", "_cpu"):
        ratio = statistics.median(one[f"storage{what}"] / one[f"disk{what}"] for one in found)
        print(f"storage / disk, {'processor' if what else 'wall'} time: {ratio:.2f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", help="a folder of photographs")
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def _round(pictures: Path, index: Path, server: int) -> dict[str, float]:
    """Seconds that indexing took from the disk and from the server, in turns."""
    found = {}
    for name, source in (("disk", str(pictures)), ("storage", f"s3://{_BUCKET}")):
        used, served, began = _used(), _seconds_of(server), time.perf_counter()
        command = [sys.executable, "-m", "image_similarity_search", "index", source]
        subprocess.run(
            [*command, "--index-dir", f"{index}-{name}"], check=True, stdout=subprocess.DEVNULL
        )
        found[name] = time.perf_counter() - began
        found[f"{name}_cpu"] = _used() - used
        found["server_cpu"] = _seconds_of(server) - served
    return found


def _used() -> float:
    """Seconds of processor of the processes that ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _seconds_of(pid: int) -> float:
    """Seconds of processor of a running process, on Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def _server(scratch: Path) -> Iterator[int]:
    """An S3 server to which the environment leads, to the end of the block; its process."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with open(scratch / "moto.log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "AKIAOFBENCHMARKS",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        deadline = time.monotonic() + 60
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"moto's server did not start: {(scratch / 'moto.log').read_text()}")
            time.sleep(0.1)
        yield process.pid
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _upload(pictures: Path) -> None:
    import fsspec

    storage: Any = fsspec.filesystem("s3")
    storage.call_s3("create_bucket", Bucket=_BUCKET)
    for path in sorted(pictures.rglob("*")):
        if path.is_file():
            key = path.relative_to(pictures).as_posix()
            storage.call_s3("put_object", Bucket=_BUCKET, Key=key, Body=path.read_bytes())


if __name__ == "__main__":
    main()
