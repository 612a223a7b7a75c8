"""How quick each model is, on the processor or a GPU, beside the default one in the same minute.

    python benchmarks/models.py --photos DIR [--device cuda|openvino] [--random] [NAME ...]

Prints for each model: pictures a second through the model alone (batches as indexing makes them,
as many at once), the ratio to the default model on the processor, milliseconds of one picture,
and of loading it. With ``--sync``, pictures a second of a whole indexing run too. Without names:
every model whose weights are here. ``--random`` runs the ResNets with random weights: as quick as
the real ones, for a machine that can't fetch them.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_similarity_search import Collection, Encoder, EncoderSpec, create_encoder
from image_similarity_search.collection.embedding import Embedder
from image_similarity_search.collection.pipeline import BATCH
from image_similarity_search.collection.queries import pixels_of
from image_similarity_search.encoders.devices import DEVICES
from image_similarity_search.encoders.registry import is_here
from image_similarity_search.encoders.resnet import ARCHITECTURES, Architecture
from image_similarity_search.encoders.table import ENCODERS
from image_similarity_search.images.walk import walk

_PICTURES = 128
_ROUNDS = 3
_LINE = "{:<20} {:<6} {:>9} {:>6} {:>9} {:>7} {:>6}"


def main() -> None:
    """Measure what the command line names."""
    options = _options()
    paths = list(islice(_pictures(options.photos), _PICTURES))
    names = options.names or [name for name, row in ENCODERS.items() if is_here(row)]
    print(
        f"{'model':<20} {'device':<6} {'images/s':>9} {'ratio':>6} {'1 image':>9} {'load':>7} sync"
    )
    with tempfile.TemporaryDirectory() as scratch:
        _report("the default, cpu", lambda: create_encoder(device="cpu"), paths, options, 0.0)
        for name in names:
            spec = spec_of(name, Path(scratch), random=options.random)
            base = _rate(create_encoder(device="cpu"), paths)  # again: other work comes and goes
            _report(name, lambda s=spec: create_encoder(s, options.device), paths, options, base)  # type: ignore[misc]


def _report(
    name: str,
    make: Callable[[], Encoder],
    paths: list[str],
    options: argparse.Namespace,
    base: float,
) -> None:
    began = time.perf_counter()
    encoder = make()
    loading = time.perf_counter() - began
    rate, one = _rate(encoder, paths), _seconds_of_one(encoder, paths)
    ratio = f"{rate / base:.2f}" if base else "1"
    sync = f"{_sync(encoder, options.photos):.1f}" if options.sync else "-"
    device = getattr(encoder, "device", "cpu")
    words = (f"{rate:.1f}", ratio, f"{1e3 * one:.1f} ms", f"{loading:.2f} s", sync)
    print(_LINE.format(name, device, *words))


def _rate(encoder: Encoder, paths: list[str]) -> float:
    """Pictures a second through the encoder, as indexing calls it; the median of some rounds."""
    embedder = Embedder(encoder)
    views = [pixels_of(path, encoder.preprocessing) for path in paths]
    batches = [views[start : start + BATCH] for start in range(0, len(views), BATCH)]
    times = []
    with ThreadPoolExecutor(embedder.at_once) as pool:
        list(pool.map(embedder.embed, batches[: embedder.at_once]))  # the first runs allocate
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            list(pool.map(embedder.embed, batches))
            times.append(time.perf_counter() - began)
    return len(views) / statistics.median(times)


def _seconds_of_one(encoder: Encoder, paths: list[str]) -> float:
    view = pixels_of(paths[0], encoder.preprocessing)[None]
    times = []
    for _ in range(10):
        began = time.perf_counter()
        encoder.encode(view)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _sync(encoder: Encoder, photos: str) -> float:
    with tempfile.TemporaryDirectory() as scratch:  # noqa: SIM117 - closed before it is removed
        with Collection.open(Path(scratch) / "i", encoder=encoder, create=True) as collection:
            return collection.sync(photos).images_per_second


def _pictures(folder: str) -> list[str]:
    root = Path(folder).resolve()
    return [str(root / found.path / file.name) for found in walk(str(root)) for file in found.files]


def spec_of(name: str, scratch: Path, *, random: bool) -> EncoderSpec:
    """A model, if ``random`` and it is a ResNet with random weights, in a file in ``scratch``."""
    architecture = ENCODERS[name].architecture if random and name in ENCODERS else None
    if architecture is None:
        return EncoderSpec(name)
    from safetensors.numpy import save_file

    file = scratch / f"{name}.safetensors"
    save_file(_random_weights(ARCHITECTURES[architecture]), file)
    return EncoderSpec(name, weights=str(file))


def _random_weights(architecture: Architecture) -> dict[str, NDArray[np.float32]]:
    """Tensors of the right names and shapes, with the usual spread."""
    rng = np.random.default_rng(0)
    tensors: dict[str, NDArray[np.float32]] = {}

    def add(conv: str, norm: str, out: int, into: int, side: int) -> None:
        spread = (2 / (into * side * side)) ** 0.5
        weight = rng.standard_normal((out, into, side, side), dtype=np.float32)
        tensors[f"{conv}.weight"] = weight * np.float32(spread)
        for part, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
            tensors[f"{norm}.{part}"] = np.full(out, value, dtype=np.float32)

    add("conv1", "bn1", 64, 3, 7)
    into = 64
    for stage, blocks in enumerate(architecture.blocks, 1):
        width = 32 * 2**stage
        out = 4 * width if architecture.bottleneck else width
        sides = (1, 3, 1) if architecture.bottleneck else (3, 3)
        for number in range(blocks):
            prefix = f"layer{stage}.{number}"
            channels = [into, *[width] * (len(sides) - 1), out]
            for at, side in enumerate(sides, 1):
                add(f"{prefix}.conv{at}", f"{prefix}.bn{at}", channels[at], channels[at - 1], side)
            if number == 0 and into != out:
                add(f"{prefix}.downsample.0", f"{prefix}.downsample.1", out, into, 1)
            into = out
    return tensors


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a model of 'iss models'")
    parser.add_argument("--photos", required=True, metavar="DIR", help="a folder of photographs")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--random", action="store_true", help="ResNets with random weights")
    parser.add_argument("--sync", action="store_true", help="measure whole indexing runs too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
