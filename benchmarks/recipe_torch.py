"""What others index with, to compare with: the well-known recipe, and imagededup's way.

A program for an environment of its own, for this project doesn't need torch::

    python -m venv .venv-recipe
    .venv-recipe/bin/pip install torch==2.13.0 pillow faiss-cpu
    .venv-recipe/bin/pip install --no-deps torchvision==0.28.0
    .venv-recipe/bin/python benchmarks/recipe_torch.py recipe FOLDER [PICTURES]

It prints one JSON object. The weights are random: they are as quick as trained ones.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch
from PIL import Image

_IMAGEDEDUP_BATCH = 64  # as imagededup.methods.CNN has it


def recipe(folder: str, most: int) -> dict[str, Any]:
    """ResNet-50 in torch, a picture at a time, into a flat FAISS index."""
    models, transforms = _torchvision()
    network = models.resnet50(weights=None)
    network.fc = torch.nn.Identity()
    network.eval()
    prepare = _usual_view(transforms)
    index = faiss.IndexFlatL2(2048)

    def take(paths: list[str]) -> None:
        for path in paths:
            with Image.open(path) as image:
                pixels = prepare(image.convert("RGB"))
            with torch.no_grad():
                row = network(pixels[None]).numpy()
            index.add(row)

    return _timed(take, folder, most)


def mobilenet(folder: str, most: int) -> dict[str, Any]:
    """MobileNetV3-Small in torch as imagededup's ``CNN.encode_images`` runs it: in batches."""
    models, transforms = _torchvision()
    network = models.mobilenet_v3_small(weights=None)
    features = torch.nn.Sequential(network.features, network.avgpool).eval()
    prepare = _usual_view(transforms)

    def load(path: str) -> Any:
        with Image.open(path) as image:
            return prepare(image.convert("RGB"))

    def take(paths: list[str]) -> None:
        loader = torch.utils.data.DataLoader(
            _Pictures(paths, load), batch_size=_IMAGEDEDUP_BATCH, num_workers=0
        )
        with torch.no_grad():
            rows = [features(batch).squeeze(dim=(2, 3)).numpy() for batch in loader]
        np.concatenate(rows)

    return _timed(take, folder, most)


class _Pictures:
    """What a DataLoader takes pictures from, one by one."""

    def __init__(self, paths: list[str], load: Callable[[str], Any]) -> None:
        self._paths = paths
        self._load = load

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, number: int) -> Any:
        return self._load(self._paths[number])


def _usual_view(transforms: Any) -> Callable[[Image.Image], Any]:
    view: Callable[[Image.Image], Any] = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    return view


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
    measure = {"recipe": recipe, "mobilenet": mobilenet}[sys.argv[1]]
    most = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    print(json.dumps(measure(sys.argv[2], most)))


if __name__ == "__main__":
    main()
