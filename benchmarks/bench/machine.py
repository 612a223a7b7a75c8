"""What the figures were measured on, and with."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.registry import Figures

_PROJECT = Path(__file__).resolve().parent.parent.parent
_PACKAGES = (
    "faiss-cpu", "hnswlib", "lancedb", "milvus", "numpy", "onnxruntime", "pillow", "pillow-heif",
    "pymilvus", "usearch",
)  # fmt: skip


def machine() -> Figures:
    """Processor, cores, memory, system, versions, commit, and how busy it is now."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
        "commit": _git("rev-parse", "--short", "HEAD"),
        "changed_files": len(_git("status", "--porcelain", "src").splitlines()),
        "date": time.strftime("%Y-%m-%d"),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    return round(total / 2**30, 1)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git(*arguments: str) -> str:
    run = ["git", "-C", str(_PROJECT), *arguments]
    try:
        return subprocess.run(run, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""
