"""Measure what this project says of itself, on this machine, and print it as a table.

Every figure comes from a fresh process that did nothing else; this one stays small (a child's
peak memory is never reported below that of the process that started it) and imports nothing
but the standard library.

**The limit of the indexing rate.** Each picture costs the processors ``decode`` seconds (read,
hash, decode, crop) and ``encode`` seconds, so no order of work can index more than::

    processors / (decode CPU seconds + encode CPU seconds)        pictures a second

with no processor ever idle and nothing else to do. Both are CPU time, measured alone, each on as
many threads and in batches as large as indexing uses, right after the indexing runs. What other
programs take of the processors counts against the rate but not against that limit; so a second
limit is told, of the same load: ``1 / (decode wall seconds + encode wall seconds)``, that is
the two done one after the other, each on all processors. ``of_limit`` divides the median rate
by the first and ``of_limit_same_load`` by the second. ``processors_got`` is CPU over wall time
of indexing: where it is well below ``processors``, either the machine was busy or indexing
waited; ``limit_cpu / cpu`` says how much of its CPU time was decoding and encoding.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from tree_memory import peak_of

if TYPE_CHECKING:
    from image_similarity_search import Collection
    from image_similarity_search.encoders.preprocessing import Preprocessing
    from image_similarity_search.types import PixelArray

Figures: TypeAlias = dict[str, Any]

_PROJECT = Path(__file__).resolve().parent.parent
_PACKAGES = ("numpy", "onnxruntime", "faiss-cpu", "pillow", "pillow-heif", "click")
_SAMPLE = 1000  # pictures of which decoding and encoding are measured alone
_QUERIES = 100
_COLD_RUNS = 7
_OBJECT_SIZE = 4  # UKBench shows each object in so many pictures
_MIB = 2**20


# What a child process does: `figures.py --task NAME ARGUMENT ...` prints one JSON object


def sync(photos: str, index_dir: str) -> Figures:
    """Index a folder into a new collection."""
    from image_similarity_search import Collection

    wall, cpu = time.perf_counter(), _cpu()
    with Collection.open(index_dir, create=True) as collection:
        report = collection.sync(photos)
    wall, cpu = time.perf_counter() - wall, _cpu() - cpu
    if not report.encoded:
        raise SystemExit(f"no picture in {photos}")
    images = report.encoded
    return {"images": images, "wall": wall / images, "cpu": cpu / images, "main_mib": _peak()}


def _cpu() -> float:
    """CPU seconds of this process and of those it started that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def parts(index_dir: str) -> Figures:
    """Decoding alone and encoding alone, of a collection's own pictures."""
    import numpy as np

    from image_similarity_search import Collection
    from image_similarity_search.collection.pipeline import BATCH
    from image_similarity_search.processors import available_processors

    with Collection.open(index_dir) as collection:
        paths = [record.path for record, _ in zip(collection, range(_SAMPLE), strict=False)]
        encoder = collection.encoder
    with ThreadPoolExecutor(available_processors()) as pool:
        decoding, views = _timed(lambda: list(pool.map(_viewer(encoder.preprocessing), paths)))
    batches = [np.stack(views[at : at + BATCH]) for at in range(0, len(views), BATCH)]
    encoder.encode(batches[0])  # the first run allocates
    encoding, _ = _timed(lambda: [encoder.encode(batch) for batch in batches])
    count = len(paths)
    return {
        "decode_wall": decoding[0] / count,
        "decode_cpu": decoding[1] / count,
        "encode_wall": encoding[0] / count,
        "encode_cpu": encoding[1] / count,
    }


def _viewer(preprocessing: Preprocessing) -> Callable[[str], PixelArray]:
    from image_similarity_search.images import decode

    def view(path: str) -> PixelArray:
        data = decode.read_file(path)
        decode.content_hash(data)
        decoded = decode.decode(data, name=path, min_side=preprocessing.resize)
        return preprocessing.view(decoded.image)

    return view


def copies(photos: str, folder: str, times: str) -> Figures:
    """Write each photo ``times`` times into ``folder``, at as many JPEG qualities."""
    from PIL import Image

    made = 0
    for number, path in enumerate(sorted(Path(photos).rglob("*"))):
        try:
            with Image.open(path) as file:
                image = file.convert("RGB")
        except OSError:
            continue
        for copy in range(int(times)):
            image.save(Path(folder) / f"{number:06}-{copy:03}.jpg", quality=95 - copy % 60)
            made += 1
    return {"made": made}


def warm(index_dir: str) -> Figures:
    """Milliseconds of a search by id in a collection that is open."""
    from image_similarity_search import Collection

    with Collection.open(index_dir) as collection:
        ids = [record.id for record, _ in zip(collection, range(_QUERIES), strict=False)]
        collection.search(ids[0])  # loads the store
        times = [_timed(partial(collection.search, id_))[0][0] for id_ in ids]
    return {"queries": len(ids), "p50_ms": 1000 * statistics.median(times)}


def ukbench(photos: str, index_dir: str) -> Figures:
    """The N-S score of a UKBench folder: of 4 pictures of an object, how many are in the top 4.

    The query counts as one of them: it is in the collection, and nothing is nearer to it.
    """
    from image_similarity_search import Collection

    with Collection.open(index_dir, create=True) as collection:
        collection.sync(photos)
        found = [_same_object(collection, record.id, record.path) for record in collection]
    return {
        "images": len(found),
        "n_s": 1 + statistics.fmean(sum(same) for same in found),
        "top1": statistics.fmean(same[0] for same in found),
    }


def _same_object(collection: Collection, id_: int, path: str) -> list[bool]:
    hits = collection.search(id_, _OBJECT_SIZE - 1)
    return [_object_of(hit.path) == _object_of(path) for hit in hits]


def _object_of(path: str) -> int:
    digits = re.search(r"(\d+)\.\w+$", path)
    if digits is None:
        raise SystemExit(f"{path} is not named as UKBench's files are")
    return int(digits[1]) // _OBJECT_SIZE


def _timed(work: Callable[[], Any]) -> tuple[tuple[float, float], Any]:
    """Wall and CPU seconds of ``work``, and what it gave."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return (time.perf_counter() - wall, time.process_time() - cpu), result


def _peak() -> float:
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MIB


_TASKS: dict[str, Callable[..., Figures]] = {
    task.__name__: task for task in (sync, parts, copies, warm, ukbench)
}


def _child(task: str, *arguments: str | Path) -> Figures:
    """What a task measured, and the most memory that its processes took together."""
    command = [sys.executable, __file__, "--task", task, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        peak = peak_of(process)
        output = process.communicate()[0]
    if process.returncode:
        raise SystemExit(process.returncode)
    figures: Figures = json.loads(output.splitlines()[-1])
    return figures | {"peak_mib": peak}


# What this process does with it


def indexing(photos: str, scratch: Path, runs: int) -> Figures:
    """The rate of indexing, the limit of it, and its peak memory; leaves ``scratch/run0``."""
    done = [_child("sync", photos, scratch / f"run{run}") for run in range(runs)]
    alone = _child("parts", scratch / "run0")
    rates = [1 / run["wall"] for run in done]
    rate = statistics.median(rates)
    cpu = statistics.median(run["cpu"] for run in done)
    limit_cpu = alone["decode_cpu"] + alone["encode_cpu"]
    limit = _processors() / limit_cpu
    limit_same_load = 1 / (alone["decode_wall"] + alone["encode_wall"])
    return {
        "images": done[0]["images"],
        "runs": runs,
        "best_per_s": max(rates),
        "median_per_s": rate,
        "decode_alone_per_s": 1 / alone["decode_wall"],
        "encode_alone_per_s": 1 / alone["encode_wall"],
        "decode_cpu_ms": 1000 * alone["decode_cpu"],
        "encode_cpu_ms": 1000 * alone["encode_cpu"],
        "limit_per_s": limit,
        "of_limit": rate / limit,
        "limit_same_load_per_s": limit_same_load,
        "of_limit_same_load": rate / limit_same_load,
        "cpu_ms": 1000 * cpu,
        "limit_cpu_ms": 1000 * limit_cpu,
        "processors_got": statistics.median(run["cpu"] / run["wall"] for run in done),
        "peak_mib": max(run["peak_mib"] for run in done),
        "main_mib": max(run["main_mib"] for run in done),
    }


def memory_of_many(photos: str, scratch: Path, times: int, peak_mib: float) -> Figures:
    """Peak memory at ``times`` as many pictures, and its ratio to that at one time."""
    folder = scratch / "copies"
    folder.mkdir()
    _child("copies", photos, folder, str(times))
    many = _child("sync", folder, scratch / "many")
    return {
        "images": many["images"],
        "per_s": 1 / many["wall"],
        "peak_mib": many["peak_mib"],
        "ratio": many["peak_mib"] / peak_mib,
    }


def starting(photos: str, scratch: Path) -> Figures:
    """Fresh processes: a search, and the help, beside what they can't do without.

    The files are in the operating system's cache and the modules compiled, as pip leaves them:
    what is measured is the process.
    """
    picture = next(str(path) for path in sorted(Path(photos).rglob("*")) if path.is_file())
    iss = ["-m", "image_similarity_search"]
    commands = {
        "python": ["-c", "pass"],
        "help": [*iss, "--help"],
        "imports": ["-c", "import numpy, onnxruntime, faiss"],
        "search": [*iss, "search", picture, "--index-dir", str(scratch / "run0")],
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for run in range(_COLD_RUNS + 1):
        for name, command in commands.items():
            seconds = _seconds(command, scratch / "compiled")
            if run:  # the first round fills both caches
                times[name].append(seconds)
    wall = {name: statistics.median(both[0] for both in all_) for name, all_ in times.items()}
    cpu = {name: statistics.median(both[1] for both in all_) for name, all_ in times.items()}
    return {
        "search_s": wall["search"],
        "imports_s": wall["imports"],
        "search_over_imports": wall["search"] / wall["imports"],
        "help_s": wall["help"],
        "python_s": wall["python"],
        "help_above_python_s": wall["help"] - wall["python"],
        "search_cpu_s": cpu["search"],
        "search_over_imports_cpu": cpu["search"] / cpu["imports"],
        "help_above_python_cpu_s": cpu["help"] - cpu["python"],
    }


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


def install_size(scratch: Path) -> Figures:
    """Megabytes on disk of a fresh virtual environment with the project in it."""
    environment = scratch / "venv"
    venv.create(environment, with_pip=True)
    empty = _megabytes(environment)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", _PROJECT], check=True)
    full = _megabytes(environment)
    return {"venv_mb": full, "above_empty_mb": full - empty}


def _megabytes(folder: Path) -> float:
    status = (path.lstat() for path in folder.rglob("*"))
    return sum(getattr(one, "st_blocks", one.st_size / 512) * 512 for one in status) / 1e6


def machine() -> Figures:
    """What the figures were measured on."""
    load = os.getloadavg() if hasattr(os, "getloadavg") else None
    return {
        "cpu": _cpu_model(),
        "processors": _processors(),
        "load_at_start": load,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {package: version(package) for package in _PACKAGES},
        "commit": _git("rev-parse", "--short", "HEAD"),
        "changed_files": len(_git("status", "--porcelain").splitlines()),
        "date": time.strftime("%Y-%m-%d"),
    }


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_model() -> str:
    try:
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _git(*arguments: str) -> str:
    run = ["git", "-C", str(_PROJECT), *arguments]
    try:
        return subprocess.run(run, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def _rows(figures: Figures, prefix: str = "") -> Iterable[tuple[str, str]]:
    for name, value in figures.items():
        label = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _rows(value, f"{label}.")
        else:
            yield label, f"{value:.3f}" if isinstance(value, float) else str(value)


def _print_table(figures: Figures) -> None:
    rows = list(_rows(figures))
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        print(f"{label:{width}}  {value}")


def _measure(options: argparse.Namespace, scratch: Path) -> Figures:
    figures: Figures = {"machine": machine()}
    figures["indexing"] = indexing(options.photos, scratch, options.runs)
    if options.many:
        peak = figures["indexing"]["peak_mib"]
        figures["many"] = memory_of_many(options.photos, scratch, options.many, peak)
    figures["starting"] = starting(options.photos, scratch)
    figures["warm_search"] = _child("warm", scratch / "run0")
    if options.ukbench:
        figures["ukbench"] = _child("ukbench", options.ukbench, scratch / "ukbench")
    if options.install_size:
        figures["install"] = install_size(scratch)
    return figures


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure this project and print the figures.")
    parser.add_argument("--photos", required=True, metavar="DIR", help="photographs to index")
    parser.add_argument("--ukbench", metavar="DIR", help="a folder of UKBench, for the N-S score")
    parser.add_argument("--json", metavar="FILE", help="write the figures there, too")
    parser.add_argument("--runs", type=int, default=3, help="indexing runs (default: 3)")
    parser.add_argument(
        "--many", type=int, nargs="?", const=10, default=0, metavar="TIMES",
        help="also index so many re-encoded copies of each photo (10), for the memory",
    )  # fmt: skip
    parser.add_argument("--install-size", action="store_true", help="also install into a new venv")
    return parser.parse_args()


def main() -> None:
    """Measure, print and keep."""
    if sys.argv[1:2] == ["--task"]:
        print(json.dumps(_TASKS[sys.argv[2]](*sys.argv[3:])))
        return
    options = _options()
    if not os.path.isdir(options.photos):
        raise SystemExit(f"{options.photos}: no such folder")
    with tempfile.TemporaryDirectory(prefix="figures-") as scratch:
        figures = _measure(options, Path(scratch))
    _print_table(figures)
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
