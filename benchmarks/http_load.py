"""Requests sent over many connections at once, by one process, and how long each took.

A client of a few lines over asyncio's streams: a full one would take more of the processors than
the service that is measured.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np


@dataclass(slots=True)
class Load:
    """What came of it: seconds of each answer, answers by status, and those that never came."""

    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    broken: int = 0
    wall: float = 0.0

    def figures(self) -> dict[str, float]:
        """As figures of a benchmark."""
        milliseconds = np.array(self.seconds or [0.0]) * 1e3
        good = self.statuses.get(200, 0)
        return {
            "requests": len(self.seconds),
            "errors": self.broken + sum(self.statuses.values()) - good,
            "requests_per_second": round(good / self.wall, 1),
            "p50_ms": round(float(np.percentile(milliseconds, 50)), 2),
            "p95_ms": round(float(np.percentile(milliseconds, 95)), 2),
            "p99_ms": round(float(np.percentile(milliseconds, 99)), 2),
            "max_ms": round(float(milliseconds.max()), 2),
        }


def send(url: str, requests: Iterator[bytes], connections: int, seconds: float) -> Load:
    """Send requests over so many connections, each waiting for its answer, for so long.

    It ends earlier when there are no more ``requests``, each of which is a whole one (``get``).
    """
    return asyncio.run(_send(url, requests, connections, seconds))


def get(path: str) -> bytes:
    """A request that asks for ``path``."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    """A request that sends the bytes of a picture."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _send(url: str, requests: Iterator[bytes], connections: int, seconds: float) -> Load:
    load, started = Load(), time.perf_counter()
    place = urlsplit(url)
    end = started + seconds

    async def work() -> None:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        while time.perf_counter() < end and (request := next(requests, b"")):
            before = time.perf_counter()
            writer.write(request)
            status = await _status(reader)
            load.seconds.append(time.perf_counter() - before)
            load.statuses[status] = load.statuses.get(status, 0) + 1
        writer.close()

    for result in await asyncio.gather(
        *(work() for _ in range(connections)), return_exceptions=True
    ):
        load.broken += isinstance(result, BaseException)
    load.wall = time.perf_counter() - started
    return load


async def _status(reader: asyncio.StreamReader) -> int:
    """Read an answer to its end; its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    lengths = [line[15:] for line in lines if line.lower().startswith(b"content-length:")]
    await reader.readexactly(int(lengths[0]))
    return int(lines[0].split()[1])


def cpu_seconds(pid: int, *but: int) -> float:
    """Processor time of a process and of those that it started and that live, ``but`` for some.

    Where the system says it (Linux); elsewhere 0.
    """
    ticks = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent, *rest = file.read_text("ascii", "replace").rpartition(")")[2].split()[1:]
        except (OSError, ValueError):  # it ended meanwhile
            continue
        own = int(file.parent.name)
        if pid in (own, int(parent)) and own not in but:
            ticks += int(rest[9]) + int(rest[10])
    return ticks / os.sysconf("SC_CLK_TCK") if ticks else 0.0


def memory_mib(pid: int) -> float:
    """Resident memory of a process, where the system says it (Linux); elsewhere 0."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            line = next(line for line in file if line.startswith("VmRSS:"))
    except OSError:
        return 0.0
    return round(int(line.split()[1]) / 1024, 1)
