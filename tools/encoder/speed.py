"""Images a second of encoder files, taking turns, and the time to the first vector.

python -m tools.encoder.speed FILE.onnx [...] [--rounds 15] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import onnxruntime

BATCH = 16


def session_of(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """A session as the project opens it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def rates(files: list[Path], threads: int, rounds: int) -> dict[str, dict[str, float]]:
    """Median and best images a second of every file."""
    sessions = {str(file): session_of(file, threads) for file in files}
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, 224, 224, 3), np.uint8)
    found: dict[str, list[float]] = {name: [] for name in sessions}
    for turn in range(rounds + 1):
        for name, session in sessions.items():
            began = time.perf_counter()
            session.run(None, {"pixels": pixels})
            if turn:
                found[name].append(BATCH / (time.perf_counter() - began))
    return {
        name: {"median": statistics.median(values), "best": max(values)}
        for name, values in found.items()
    }


def first_vector(file: Path, rounds: int) -> dict[str, float]:
    """Milliseconds to open a session, and from there to the first vector: medians."""
    pixels = np.zeros((1, 224, 224, 3), np.uint8)
    opening, running = [], []
    for _ in range(rounds):
        began = time.perf_counter()
        session = session_of(file, 2)
        opened = time.perf_counter()
        session.run(None, {"pixels": pixels})
        opening.append((opened - began) * 1e3)
        running.append((time.perf_counter() - opened) * 1e3)
    return {"session ms": statistics.median(opening), "first run ms": statistics.median(running)}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result: dict[str, object] = {
        f"images a second, {threads} threads": rates(options.files, threads, options.rounds)
        for threads in (1, 2)
    }
    result["start"] = {str(file): first_vector(file, options.rounds) for file in options.files}
    if options.json:
        print(json.dumps(result, indent=1))
        return
    for name, value in result.items():
        print(name)
        assert isinstance(value, dict)
        for file, figures in value.items():
            row = ", ".join(f"{figure} {number:.1f}" for figure, number in figures.items())
            print(f"  {file}: {row}")


if __name__ == "__main__":
    main()
