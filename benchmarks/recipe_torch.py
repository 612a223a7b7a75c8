"""What others index with, to compare with: the well-known recipe, and imagededup.

A program for an environment of its own, for this project doesn't need torch::

    python -m venv .venv-recipe
    .venv-recipe/bin/pip install torch==2.13.0 pillow faiss-cpu
    .venv-recipe/bin/pip install --no-deps torchvision==0.28.0 imagededup==0.3.3.post2
    .venv-recipe/bin/pip install tqdm scikit-learn PyWavelets matplotlib  # which imagededup needs
    .venv-recipe/bin/python benchmarks/recipe_torch.py recipe FOLDER [PICTURES]

It prints one JSON object. The weights are random: they are as quick as trained ones.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import faiss
import torch
from PIL import Image


def recipe(folder: str, most: int) -> dict[str, Any]:
    """ResNet-50 in torch, a picture at a time, into a flat FAISS index."""
    models, transforms = _torchvision()
    network = models.resnet50(weights=None)
    network.fc = torch.nn.Identity()
    network.eval()
    prepare = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    index = faiss.IndexFlatL2(2048)

    def take(paths: list[str]) -> None:
        for path in paths:
            with Image.open(path) as image:
                pixels = prepare(image.convert("RGB"))
            with torch.no_grad():
                row = network(pixels[None]).numpy()
            index.add(row)

    return _timed(take, folder, most)


def imagededup(folder: str, most: int) -> dict[str, Any]:
    """MobileNetV3-Small in torch, in batches, by ``CNN.encode_images`` of imagededup itself."""
    models, _ = _torchvision()
    network = models.mobilenet_v3_small
    models.mobilenet_v3_small = lambda weights: network(weights=None)  # it would fetch them
    from imagededup.methods import CNN

    encoder = CNN(verbose=False)

    def take(paths: list[str]) -> None:
        with TemporaryDirectory() as inner:
            for number, path in enumerate(paths):
                os.symlink(os.path.abspath(path), os.path.join(inner, f"{number:06}.jpg"))
            encoder.encode_images(inner)

    return _timed(take, folder, most)


def _timed(take: Callable[[list[str]], None], folder: str, most: int) -> dict[str, Any]:
    """How many pictures a second ``take`` takes, once it is warm."""
    found = (path for path in sorted(Path(folder).rglob("*")) if path.is_file())
    paths = [str(path) for path in islice(found, most)]
    take(paths[:8])
    started, cpu = time.perf_counter(), time.process_time()
    take(paths)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return {
        "images": len(paths),
        "per_s": len(paths) / seconds,
        "cpu_ms": 1000 * cpu / len(paths),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def _torchvision() -> tuple[Any, Any]:
    """Its models and transforms; where its build does not fit that of torch, made to be loaded."""
    try:
        from torchvision import models, transforms
    except RuntimeError:  # operator torchvision::nms does not exist
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        from torchvision import models, transforms

        models.declared_here = library  # what is declared goes with the object
    return models, transforms


def main() -> None:
    """Measure what the first argument names."""
    measure = {"recipe": recipe, "imagededup": imagededup}[sys.argv[1]]
    most = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    print(json.dumps(measure(sys.argv[2], most)))


if __name__ == "__main__":
    main()
