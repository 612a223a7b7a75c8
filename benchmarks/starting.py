"""Fresh processes: a search, and the help, beside what they can't do without."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from pathlib import Path

from bench import child
from bench.registry import Figures, Setting

_PROJECT = Path(__file__).resolve().parent.parent
_RUNS = 7


def start_up(setting: Setting) -> Figures:
    """``iss search`` and ``iss --help``, beside a bare Python and the libraries, in turns.

    The files are in the operating system's cache and the modules compiled, as pip leaves them:
    what is measured is the process. Medians of wall seconds, and of CPU seconds.
    """
    folder, index = Path(setting.pictures[0]), setting.scratch / "start-up"
    images = child.run("indexing_cost", "indexed", folder, index)["images"]
    picture = next(str(path) for path in sorted(folder.rglob("*")) if path.is_file())
    iss = ["-m", "image_similarity_search"]
    commands = {
        "python": ["-c", "pass"],
        "help": [*iss, "--help"],
        "imports": ["-c", "import numpy, onnxruntime, faiss"],
        "search": [*iss, "search", picture, "--index-dir", str(index)],
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for run in range(_RUNS + 1):
        for name, command in commands.items():
            seconds = _seconds(command, setting.scratch / "compiled")
            if run:  # the first round fills both caches
                times[name].append(seconds)
    wall = {name: statistics.median(both[0] for both in all_) for name, all_ in times.items()}
    cpu = {name: statistics.median(both[1] for both in all_) for name, all_ in times.items()}
    return {
        "images": images,
        "search_s": wall["search"],
        "imports_s": wall["imports"],
        "search_over_imports_ratio": wall["search"] / wall["imports"],
        "search_over_imports_cpu_ratio": cpu["search"] / cpu["imports"],
        "help_s": wall["help"],
        "python_s": wall["python"],
        "help_above_python_s": wall["help"] - wall["python"],
        "help_above_python_cpu_s": cpu["help"] - cpu["python"],
    }


def install_size(setting: Setting) -> Figures:
    """Megabytes on disk of a fresh virtual environment with the project in it."""
    environment = setting.scratch / "venv"
    venv.create(environment, with_pip=True)
    empty = _megabytes(environment)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", str(_PROJECT)]
    if subprocess.run(install, check=False).returncode:
        return {"skipped": "pip can't install it here"}
    full = _megabytes(environment)
    return {"venv_mb": full, "empty_venv_mb": empty, "above_empty_mb": full - empty}


def _seconds(command: Sequence[str], compiled: Path) -> tuple[float, float]:
    """Wall and CPU seconds of Python with these arguments; it keeps compiled modules there."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(compiled)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before, started = os.times(), time.perf_counter()
    run = [sys.executable, *command]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL, env=environment)
    wall, after = time.perf_counter() - started, os.times()
    used = after.children_user + after.children_system
    return wall, used - before.children_user - before.children_system


def _megabytes(folder: Path) -> float:
    status = (path.lstat() for path in folder.rglob("*"))
    return sum(getattr(one, "st_blocks", one.st_size / 512) * 512 for one in status) / 1e6
