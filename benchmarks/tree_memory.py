"""How much memory a process and all that it started take together, while they run (Linux)."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable

_MIB = 1024  # of the kibibytes in /proc


def peak_of(process: subprocess.Popen[str], every: float = 0.05) -> float:
    """Wait for a process; the most memory, in MiB, that it and its descendants took at a time.

    What several of them share (libraries, above all) is counted once: it is the sum of their
    proportional set sizes, looked at every so many seconds. 0.0 where the system has no /proc.
    """
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, sum(_proportional(pid) for pid in _tree(process.pid)))
        time.sleep(every)
    return peak / _MIB


def _tree(root: int) -> Iterable[int]:
    """The ids of a process and of its descendants."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if name.isdigit():
            children.setdefault(_parent(name), []).append(int(name))
    found = [root]
    for pid in found:  # it grows meanwhile
        found += children.get(pid, ())
    return found


def _parent(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:  # it has ended
        return 0


def _proportional(pid: int) -> int:
    """Kibibytes."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("Pss:")), 0)
    except OSError:
        return 0
