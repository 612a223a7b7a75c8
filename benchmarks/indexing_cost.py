"""What indexing costs: beside its own parts, beside what others take, and in memory.

Each function measures one thing together with its baseline, and takes folders and numbers. Peers
make no thumbnails, so that indexing beside them or beside its parts makes none either; what these
cost, ``thumbnails.py`` says.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from bench import child
from bench.machine import cores
from bench.registry import Figures
from many_pictures import copied, enlarged, jpegs_in
from models import spec_of
from PIL import Image

from image_similarity_search import Collection, Encoder, EncoderSpec, create_encoder
from image_similarity_search.catalog.places import Place
from image_similarity_search.catalog.values import FileStat
from image_similarity_search.collection.pipeline import BATCH, Decoders, Job
from image_similarity_search.encoders.devices import Device
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.images import decode
from image_similarity_search.types import DEFAULT_TIME_LIMIT, PixelArray

_PEERS = Path(__file__).resolve().parent / "recipe_torch.py"
_LARGE = (4000, 3000)


def beside_its_parts(photos: str, scratch: str, pictures: int = 3000, rounds: int = 3) -> Figures:
    """The rate beside that of decoding and encoding alone, perfectly overlapped; in turns.

    ``limit_per_s`` is one over the sum of the seconds that a picture takes to be decoded, on all
    processors, and to be encoded, on all of them: no order of work can be quicker.
    ``cpu_of_parts_ratio`` is the share of the processor time of indexing that the two take: what
    ``of_limit_ratio`` would be on a machine with nothing else to do.
    """
    folder = copied(photos, Path(scratch) / "pictures", pictures)
    some = [str(path) for path in jpegs_in(folder)[:1000]]
    found = []
    for number in range(rounds):
        index = Path(scratch) / f"index-{number}"
        done = child.run("indexing_cost", "indexed", folder, index)
        alone = child.run("indexing_cost", "parts", *some)
        limit = 1 / (alone["decode_s"] + alone["encode_s"])
        found.append((1 / done["wall_s"], limit, alone, done))
    return {
        "images": pictures,
        "per_s": statistics.median(rate for rate, *_ in found),
        "limit_per_s": statistics.median(limit for _, limit, *_ in found),
        "decode_alone_per_s": statistics.median(1 / alone["decode_s"] for *_, alone, _ in found),
        "encode_alone_per_s": statistics.median(1 / alone["encode_s"] for *_, alone, _ in found),
        "of_limit_ratio": statistics.median(rate / limit for rate, limit, *_ in found),
        "cpu_ms": 1000 * statistics.median(done["cpu_s"] for *_, done in found),
        "cpu_of_parts_ratio": statistics.median(
            alone["cpu_s"] / done["cpu_s"] for *_, alone, done in found
        ),
    }


def beside_others(
    photos: str,
    scratch: str,
    python: str,
    pictures: int = 3000,
    devices: str = "cpu openvino",
    rounds: int = 3,
) -> Figures:
    """The rate beside the recipe and beside imagededup, by MobileNetV3; medians, in turns.

    ``python`` is an interpreter with torch; see ``recipe_torch.py``. The ``_cpu_ratio`` compare
    processor time of a picture, which other work on the machine hardly changes.
    """
    folder = copied(photos, Path(scratch) / "pictures", pictures)
    found: list[Figures] = []
    for turn in range(rounds):
        peers = {name: _peer(python, name, folder, most) for name, most in _PEER_PICTURES}
        figures: Figures = {f"{name}_per_s": peer["per_s"] for name, peer in peers.items()}
        for device in devices.split():
            index = Path(scratch) / f"{device}-{turn}"
            done = child.run("indexing_cost", "indexed", folder, index, device)
            figures |= _beside(device, done, peers)
        found.append(figures)
    medians = {name: statistics.median(one[name] for one in found) for name in found[0]}
    return {"images": pictures, "rounds": rounds} | medians


def with_resnet50(photos: str, scratch: str, python: str, devices: str = "cpu openvino") -> Figures:
    """The rate with ``resnet50`` of random weights beside the recipe, the same network."""
    weights = spec_of("resnet50", Path(scratch), random=True).weights
    recipe = _peer(python, "recipe", photos, 100)
    figures: Figures = {"recipe_per_s": recipe["per_s"]}
    for device, pictures in (("cpu", 200), ("openvino", 1000)):
        if device not in devices.split():
            continue
        folder = copied(photos, Path(scratch) / f"pictures-{device}", pictures)
        index = Path(scratch) / f"index-{device}"
        done = child.run("indexing_cost", "indexed", folder, index, device, weights)
        figures |= _beside(device, done, {"recipe": recipe})
    return figures


_PEER_PICTURES = (("recipe", 150), ("imagededup", 800))


def _peer(python: str, name: str, folder: str, most: int) -> Figures:
    command = [python, str(_PEERS), name, folder, str(most)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def _beside(device: str, done: Figures, peers: dict[str, Figures]) -> Figures:
    figures: Figures = {f"{device}_per_s": 1 / done["wall_s"]}
    for name, peer in peers.items():
        figures[f"{device}_over_{name}_ratio"] = 1 / done["wall_s"] / peer["per_s"]
        figures[f"{device}_over_{name}_cpu_ratio"] = peer["cpu_ms"] / (1000 * done["cpu_s"])
    return figures


def memory(photos: str, scratch: str, few: int = 2000, many: int = 20_000) -> Figures:
    """Peak memory of all processes while indexing many pictures, and its ratio to that of few."""
    figures: Figures = {}
    for name, count in (("few", few), ("many", many)):
        folder = copied(photos, Path(scratch) / name, count)
        index = Path(scratch) / f"index-{name}"
        done = child.run("indexing_cost", "indexed", folder, index, peak=True)
        figures |= {f"{name}_images": count, f"{name}_peak_mib": done["peak_mib"]}
    return figures | {"peak_ratio": figures["many_peak_mib"] / figures["few_peak_mib"]}


def large_pictures(photos: str, scratch: str, pictures: int = 12) -> Figures:
    """Decoding JPEG files of 12 megapixels for the encoder, beside decoding them in full."""
    paths = jpegs_in(enlarged(photos, Path(scratch) / "large", pictures, _LARGE))
    view = _viewer(Preprocessing())
    ratios, ours = [], []
    for path in paths:
        full = min(_seconds(partial(_decoded_in_full, str(path))) for _ in range(3))
        seconds = min(_seconds(partial(view, str(path))) for _ in range(3))
        ours.append(seconds)
        ratios.append(full / seconds)
    return {
        "megapixels": _LARGE[0] * _LARGE[1] / 1e6,
        "decode_ms": 1000 * statistics.median(ours),
        "full_decode_over_ours_ratio": statistics.median(ratios),
    }


def by_processors(photos: str, scratch: str, pictures: int = 1500) -> Figures:
    """The rate on one processor, on two, and so on by doubling, as far as there are any."""
    folder = copied(photos, Path(scratch) / "pictures", pictures)
    figures: Figures = {"images": pictures}
    counts = [2**power for power in range(10) if 2**power <= cores()]
    for count in counts:
        index = Path(scratch) / f"index-{count}"
        done = child.run("indexing_cost", "indexed", folder, index, "cpu", "", count)
        figures[f"on_{count}_per_s"] = 1 / done["wall_s"]
        figures[f"on_{count}_ratio"] = figures[f"on_{count}_per_s"] / figures["on_1_per_s"]
    return figures


def through_workers(photos: str, pictures: int = 400, rounds: int = 5) -> Figures:
    """What it costs to decode in worker processes: processor time of a picture, in turns."""
    paths = [str(path) for path in jpegs_in(photos)[:pictures]]
    preprocessing = Preprocessing()
    view = _viewer(preprocessing)
    here, there, started = [], [], []
    for _ in range(rounds):
        here.append(_cpu_seconds(lambda: [view(path) for path in paths]))
        there.append(_cpu_seconds(lambda: _by_workers(paths, preprocessing)))
        started.append(_cpu_seconds(lambda: _by_workers(paths[:1], preprocessing)))
    inside, outside = statistics.median(here), statistics.median(there)
    return {
        "images": len(paths),
        "in_the_process_cpu_ms": 1000 * inside / len(paths),
        "in_workers_cpu_ms": 1000 * outside / len(paths),
        "in_workers_ratio": outside / inside,
        "start_cpu_ms": 1000 * statistics.median(started),
    }


# What runs in processes of their own


def indexed(
    folder: str, index_dir: str, device: Device = "cpu", weights: str = "", processors: str = ""
) -> Figures:
    """Index a folder into a new collection without thumbnails: seconds of each picture."""
    if processors:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(processors)])
    encoder = EncoderSpec("resnet50", weights=weights) if weights else None
    wall, cpu = time.perf_counter(), _cpu()
    with Collection.open(
        index_dir, encoder=encoder, device=device, create=True, thumbnails=False
    ) as collection:
        report = collection.sync(folder)
    wall, cpu = time.perf_counter() - wall, _cpu() - cpu
    images = report.encoded
    return {"images": images, "wall_s": wall / images, "cpu_s": cpu / images}


def parts(*paths: str) -> Figures:
    """Seconds of a picture to decode alone and to encode alone, each on all processors."""
    encoder = create_encoder(device="cpu")
    count = cores()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=spawn) as pool:
        view_all = partial(_view_all, encoder.preprocessing)
        list(pool.map(view_all, [paths[:8]] * 2 * count))  # they start, and import
        shares = [paths[number :: 4 * count] for number in range(4 * count)]
        started = time.perf_counter()
        decode_cpu = sum(pool.map(view_all, shares))
        decoding = time.perf_counter() - started
    view = _viewer(encoder.preprocessing)
    views = [view(path) for path in paths[:256]]
    started, cpu = time.perf_counter(), time.process_time()
    _encode_all(encoder, views * 4)
    encoding, encode_cpu = time.perf_counter() - started, time.process_time() - cpu
    return {
        "decode_s": decoding / len(paths),
        "encode_s": encoding / (4 * len(views)),
        "cpu_s": decode_cpu / len(paths) + encode_cpu / (4 * len(views)),
    }


def _view_all(preprocessing: Preprocessing, paths: Sequence[str]) -> float:
    """Processor seconds of decoding these."""
    view, started = _viewer(preprocessing), time.process_time()
    for path in paths:
        view(path)
    return time.process_time() - started


def _encode_all(encoder: Encoder, views: list[PixelArray]) -> None:
    batches = [np.stack(views[at : at + BATCH]) for at in range(0, len(views), BATCH)]
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(encoder.encode, batches))


def _viewer(preprocessing: Preprocessing) -> Callable[[str], PixelArray]:
    """What a worker does with a file."""

    def view(path: str) -> PixelArray:
        data = decode.read_file(path)
        decode.content_hash(data)
        return preprocessing.view(decode.decode(data, min_side=preprocessing.resize).image)

    return view


def _by_workers(paths: Sequence[str], preprocessing: Preprocessing) -> None:
    jobs = (Job(path, Place(0, path), FileStat(0, 0), None) for path in paths)
    decoders = Decoders()
    for _ in decoders.load_all(jobs, preprocessing, DEFAULT_TIME_LIMIT):
        pass
    decoders.close()


def _decoded_in_full(path: str) -> None:
    with Image.open(path) as image:
        Preprocessing().view(image.convert("RGB"))


def _cpu() -> float:
    """CPU seconds of this process and of those it started that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _cpu_seconds(work: Callable[[], Any]) -> float:
    before = _cpu()
    work()
    return _cpu() - before


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
