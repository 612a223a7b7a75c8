"""How quickly pictures are indexed, beside what decoding and encoding them takes alone.

**The limit of the rate.** Each picture costs the processors ``decode`` seconds (read, hash, decode,
crop) and ``encode`` seconds, so no order of work can index more than::

    processors / (decode CPU seconds + encode CPU seconds)        pictures a second

with no processor ever idle and nothing else to do. Both are CPU time, measured alone, each on as
many threads and in batches as large as indexing uses, right after the indexing runs. What other
programs take of the processors counts against the rate but not against that limit; so a second
limit is told, of the same load: ``1 / (decode wall seconds + encode wall seconds)``, that is
the two done one after the other, each on all processors.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import child
from bench.machine import cores
from bench.registry import Figures, Setting

if TYPE_CHECKING:
    from image_similarity_search.encoders.preprocessing import Preprocessing
    from image_similarity_search.types import PixelArray

_SAMPLE = 1000  # pictures of which decoding and encoding are measured alone
_RUNS = 3


def rate(setting: Setting) -> Figures:
    """Indexing in fresh processes, the median of some runs, and the limits of its rate."""
    folder = setting.pictures[0]
    indexes = [setting.scratch / f"indexing-{run}" for run in range(_RUNS)]
    done = [child.run("indexing_rate", "sync", folder, index, peak=True) for index in indexes]
    alone = child.run("indexing_rate", "parts", indexes[0])
    per_s = statistics.median(1 / run["wall_s"] for run in done)
    limit = cores() / (alone["decode_cpu_s"] + alone["encode_cpu_s"])
    limit_same_load = 1 / (alone["decode_wall_s"] + alone["encode_wall_s"])
    return {
        "images": done[0]["images"],
        "runs": _RUNS,
        "per_s": per_s,
        "decode_alone_per_s": 1 / alone["decode_wall_s"],
        "encode_alone_per_s": 1 / alone["encode_wall_s"],
        "limit_per_s": limit,
        "of_limit_ratio": per_s / limit,
        "limit_same_load_per_s": limit_same_load,
        "of_limit_same_load_ratio": per_s / limit_same_load,
        "processors_got": statistics.median(run["cpu_s"] / run["wall_s"] for run in done),
        "peak_mib": max(run["peak_mib"] for run in done),
    }


def memory(setting: Setting) -> Figures:
    """Peak memory of indexing ten times as many pictures, and its ratio to that of once."""
    once, many = setting.scratch / "once", setting.scratch / "many"
    child.run("indexing_rate", "copies", setting.pictures[0], once, 1)
    child.run("indexing_rate", "copies", setting.pictures[0], many, 10)
    few = child.run("indexing_rate", "sync", once, setting.scratch / "index-once", peak=True)
    lots = child.run("indexing_rate", "sync", many, setting.scratch / "index-many", peak=True)
    return {
        "images": lots["images"],
        "images_once": few["images"],
        "peak_mib": lots["peak_mib"],
        "peak_once_mib": few["peak_mib"],
        "peak_ratio": lots["peak_mib"] / few["peak_mib"],
    }


# What runs in processes of their own


def sync(photos: str, index_dir: str) -> Figures:
    """Index a folder into a new collection: seconds of each picture."""
    from image_similarity_search import Collection

    wall, cpu = time.perf_counter(), _cpu()
    with Collection.open(index_dir, create=True) as collection:
        report = collection.sync(photos)
    wall, cpu = time.perf_counter() - wall, _cpu() - cpu
    if not report.encoded:
        raise SystemExit(f"no picture in {photos}")
    images = report.encoded
    return {"images": images, "wall_s": wall / images, "cpu_s": cpu / images}


def parts(index_dir: str) -> Figures:
    """Seconds of decoding alone and encoding alone, of a collection's own pictures."""
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
        "decode_wall_s": decoding[0] / count,
        "decode_cpu_s": decoding[1] / count,
        "encode_wall_s": encoding[0] / count,
        "encode_cpu_s": encoding[1] / count,
    }


def copies(photos: str, folder: str, times: str) -> Figures:
    """Write each photo ``times`` times into ``folder``, at as many JPEG qualities."""
    from PIL import Image

    Path(folder).mkdir()
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


def _viewer(preprocessing: Preprocessing) -> Callable[[str], PixelArray]:
    from image_similarity_search.images import decode

    def view(path: str) -> PixelArray:
        data = decode.read_file(path)
        decode.content_hash(data)
        decoded = decode.decode(data, name=path, min_side=preprocessing.resize)
        return preprocessing.view(decoded.image)

    return view


def _cpu() -> float:
    """CPU seconds of this process and of those it started that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _timed(work: Callable[[], Any]) -> tuple[tuple[float, float], Any]:
    """Wall and CPU seconds of ``work``, and what it gave."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return (time.perf_counter() - wall, time.process_time() - cpu), result
