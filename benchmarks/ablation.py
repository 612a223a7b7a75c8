"""What would find more: ways to see a picture, and to make one vector of the last features.

    python benchmarks/ablation.py PHOTOS UKBENCH [COUNT] [--json FILE]

Every variant uses the weights of the bundled encoder; only what comes before and after differs.
Objects: pictures of UKBench, four in a row for each, searched for by one another. Copies: the first
COUNT photographs (400) altered in many ways, each copy searched for among all photographs and all
of UKBench. Intervals are of 95 %, by the bootstrap over objects and over photographs; differences
are to the first variant, by the same queries. No variant learns from PHOTOS or UKBENCH, but for
those named "learned": they learn on the one and are judged on the other. The "head" is that of
the encoder ``efficientnet-lite0-whole``, learned on other photographs by ``tools/encoder/head.py``.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import duplicates
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from image_similarity_search.collection.evaluation.figures import figures_of
from image_similarity_search.collection.evaluation.intervals import Values, estimates
from image_similarity_search.encoders.head import Head
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.evaluation import Estimate
from image_similarity_search.images import decode

_BATCH = 16
_OBJECT_SIZE = 4
_FIGURES = ("N-S", "mAP", "P@1", "copies: R@1", "copies: mAP")

Rows = NDArray[np.float32]
Alteration = Callable[[Image.Image], Image.Image]


def _part(area: float, image: Image.Image) -> Image.Image:
    """The middle, of so much of the area."""
    cut = (1 - area**0.5) / 2
    x, y = round(cut * image.width), round(cut * image.height)
    return image.crop((x, y, image.width - x, image.height - y))


def _noisy(image: Image.Image) -> Image.Image:
    noise = np.random.default_rng(1).normal(0.0, 20.0, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def _middle(image: Image.Image) -> Image.Image:
    """Half of the width: another shape altogether."""
    return image.crop((image.width // 4, 0, image.width // 4 + image.width // 2, image.height))


def _letterboxed(image: Image.Image) -> Image.Image:
    return ImageOps.pad(image, (max(image.size),) * 2)


ALTERATIONS: Mapping[str, tuple[Alteration, int]] = {
    name: value
    for name, value in duplicates.ALTERATIONS.items()
    if name not in {"saved at quality 60", "half the size", "5 % cut off"}  # found by all
} | {
    "saved at quality 10": (lambda image: image, 10),
    "25 % of the area": (partial(_part, 0.25), 90),
    "10 % of the area": (partial(_part, 0.1), 90),
    "half of the width": (_middle, 90),
    "letterboxed": (_letterboxed, 90),
    "much blurred": (lambda image: image.filter(ImageFilter.GaussianBlur(6)), 90),
    "noise": (_noisy, 90),
    "turned by 15 degrees": (lambda i: i.rotate(15, Image.Resampling.BICUBIC, expand=True), 90),
    "turned by 270 degrees": (lambda image: image.transpose(Image.Transpose.ROTATE_270), 90),
}

VIEWS = {
    "256, crop 224": Preprocessing(256, 224),
    "224, crop 224": Preprocessing(224, 224),
    "256, crop 256": Preprocessing(256, 256),
    "stretched to 224": Preprocessing(224, 224, fit="stretch"),
    "stretched by bilinear": Preprocessing(224, 224, "bilinear", fit="stretch"),
    "stretched by hamming-bicubic": Preprocessing(224, 224, "hamming-bicubic", fit="stretch"),
}
POOLINGS: Mapping[str, Callable[[Rows], Rows]] = {
    "mean": lambda maps: maps.mean(axis=2),
    "rms": lambda maps: np.sqrt(np.square(maps).mean(axis=2)),
    "cubic": lambda maps: np.cbrt((maps * maps * maps).mean(axis=2)),
}


def _centred(rows: Rows) -> Rows:
    return np.asarray(rows - rows.mean(axis=1, keepdims=True), np.float32)


def _powered(power: float, rows: Rows) -> Rows:
    return np.asarray(np.sign(rows) * np.abs(rows) ** power, np.float32)


_MODELS = files("image_similarity_search.encoders") / "models"
_headed = Head(str(_MODELS / "efficientnet-lite0-head.npy")).applied

# name: view, pooling, and what is done with the vector
VARIANTS: Mapping[str, tuple[str, str, Callable[[Rows], Rows]]] = {
    "256, crop 224; mean": ("256, crop 224", "mean", lambda rows: rows),
    "root mean square": ("256, crop 224", "rms", lambda rows: rows),
    "cubic mean": ("256, crop 224", "cubic", lambda rows: rows),
    "power 0.7": ("256, crop 224", "mean", partial(_powered, 0.7)),
    "centred": ("256, crop 224", "mean", _centred),
    "rms, centred": ("256, crop 224", "rms", _centred),
    "224, crop 224": ("224, crop 224", "mean", lambda rows: rows),
    "224, crop 224; rms, centred": ("224, crop 224", "rms", _centred),
    "256, crop 256": ("256, crop 256", "mean", lambda rows: rows),
    "256, crop 256; rms, centred": ("256, crop 256", "rms", _centred),
    "stretched": ("stretched to 224", "mean", lambda rows: rows),
    "stretched; rms": ("stretched to 224", "rms", lambda rows: rows),
    "stretched; rms, centred": ("stretched to 224", "rms", _centred),
    "256, crop 224; rms, head": ("256, crop 224", "rms", _headed),
    "stretched; rms, head": ("stretched to 224", "rms", _headed),
    "stretched by bilinear; rms, head": ("stretched by bilinear", "rms", _headed),
    "stretched by hamming-bicubic; rms, head: efficientnet-lite0-whole": (
        "stretched by hamming-bicubic",
        "rms",
        _headed,
    ),
}
_LEARNED = (256, 0.0), (256, 0.25)  # dimensions, and how much they are whitened


class Pools:
    """The bundled network up to its last features, pooled in each way."""

    def __init__(self) -> None:
        model = onnx.load_from_string((_MODELS / "efficientnet-lite0-int8.onnx").read_bytes())
        pool = next(node for node in model.graph.node if node.op_type == "GlobalAveragePool")
        self._maps = pool.input[0]
        maps = onnx.helper.make_tensor_value_info(self._maps, onnx.TensorProto.FLOAT, None)
        model.graph.output.append(maps)
        self._session = onnxruntime.InferenceSession(model.SerializeToString())

    def __call__(self, images: Iterator[Image.Image]) -> dict[tuple[str, str], Rows]:
        """By view and pooling, a row for each picture."""
        found: dict[tuple[str, str], list[Rows]] = {}
        batch: list[Image.Image] = []
        for image in images:
            batch.append(image)
            if len(batch) == _BATCH:
                self._add(batch, found)
                batch = []
        if batch:
            self._add(batch, found)
        return {key: np.concatenate(rows) for key, rows in found.items()}

    def _add(self, batch: list[Image.Image], found: dict[tuple[str, str], list[Rows]]) -> None:
        for view, preprocessing in VIEWS.items():
            pixels = np.stack([preprocessing.view(image) for image in batch])
            (maps,) = self._session.run([self._maps], {"pixels": pixels})
            maps = maps.reshape(*maps.shape[:2], -1)
            for name, pooled in POOLINGS.items():
                found.setdefault((view, name), []).append(pooled(maps))


def _decoded(paths: list[Path], alter: Alteration, quality: int) -> Iterator[Image.Image]:
    for path in paths:
        altered = alter(decode.decode(path.read_bytes()).image)
        data = BytesIO()
        altered.save(data, "JPEG", quality=quality)
        yield Image.open(data).convert("RGB")


def _plain(paths: list[Path]) -> Iterator[Image.Image]:
    for path in paths:
        yield decode.decode(path.read_bytes()).image


def _unit(rows: Rows) -> Rows:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1)[:, None], 1e-12), np.float32)


def of_objects(rows: Rows, objects: NDArray[np.int64]) -> Values:
    """N-S, average precision and P@1 of each picture."""
    units = _unit(rows)
    alike = units @ units.T
    np.fill_diagonal(alike, -np.inf)
    order = np.argsort(-alike, axis=1, kind="stable")[:, :-1]
    found = []
    for row, ranked in enumerate(order):
        ranks = np.flatnonzero(objects[ranked] == objects[row]) + 1
        figures = figures_of(ranks, _OBJECT_SIZE - 1, (1,))
        found.append([figures["N-S"], figures["mAP"], figures["P@1"]])
    return np.array(found)


def of_copies(copies: Rows, originals: Rows, others: Rows) -> Values:
    """R@1 and average precision of each copy: there is one right answer."""
    gallery = _unit(np.concatenate([originals, others]))
    alike = _unit(copies) @ gallery.T
    own = alike[np.arange(len(copies)), np.arange(len(copies))]
    ranks = 1 + (alike > own[:, None]).sum(axis=1)
    return np.stack([ranks == 1, 1 / ranks], axis=1).astype(np.float64)


class Judged:
    """The figures of each query of one variant."""

    def __init__(
        self, objects: Values, copies: Mapping[str, Values], labels: NDArray[np.int64]
    ) -> None:
        self.objects, self.copies, self._labels = objects, copies, labels

    def estimates(self, beside: Judged | None = None) -> dict[str, Estimate]:
        """The figures, or how much better they are than ``beside``."""
        of_objects_, of_copies_ = self.objects, np.stack(list(self.copies.values())).mean(axis=0)
        if beside is not None:
            of_objects_ = of_objects_ - beside.objects
            of_copies_ = of_copies_ - np.stack(list(beside.copies.values())).mean(axis=0)
        found = estimates(of_objects_, self._labels)
        found += estimates(of_copies_, np.arange(len(of_copies_)))
        return dict(zip(_FIGURES, found, strict=True))


def _learned(rows: Rows, dim: int, whitened: float) -> Callable[[Rows], Rows]:
    """A projection to the main axes of ``rows``."""
    mean = rows.mean(axis=0)
    _, spread, axes = np.linalg.svd(rows - mean, full_matrices=False)
    matrix = axes[:dim].T * (spread[:dim] ** -whitened)
    return lambda other: np.asarray((other - mean) @ matrix, np.float32)


def judged(photos: list[Path], ukbench: list[Path]) -> dict[str, Judged]:
    """Every variant."""
    pools = Pools()
    views, originals = pools(_plain(ukbench)), pools(_plain(photos))
    copies = {}
    for name, (alter, quality) in ALTERATIONS.items():
        copies[name] = pools(_decoded(photos, alter, quality))
        print(".", end="", flush=True)
    print()
    objects = np.array([_object_of(path) for path in ukbench])

    def one(
        key: tuple[str, str], change: Callable[[Rows], Rows], other: Callable[[Rows], Rows]
    ) -> Judged:
        found = {
            name: of_copies(other(rows[key]), other(originals[key]), other(views[key]))
            for name, rows in copies.items()
        }
        return Judged(of_objects(change(views[key]), objects), found, objects)

    out = {
        name: one((view, pool), change, change) for name, (view, pool, change) in VARIANTS.items()
    }
    key = ("256, crop 224", "mean")
    for dim, whitened in _LEARNED:
        on_photos = _learned(_unit(originals[key]), dim, whitened)
        on_objects = _learned(_unit(views[key]), dim, whitened)
        out[f"learned on the other set, {dim} dimensions, whitened {whitened:g}"] = one(
            key, on_photos, on_objects
        )
    return out


def _object_of(path: Path) -> int:
    digits = re.search(r"(\d+)\.\w+$", path.name)
    if digits is None:
        raise SystemExit(f"{path} is not named as UKBench's files are")
    return int(digits[1]) // _OBJECT_SIZE


def _told(variants: Mapping[str, Judged]) -> dict[str, Any]:
    first = next(iter(variants.values()))
    print(f"| | {' | '.join(_FIGURES)} |\n|{'---|' * (len(_FIGURES) + 1)}")
    told: dict[str, Any] = {}
    for name, one in variants.items():
        values, beside = one.estimates(), one.estimates(first)
        cells = []
        for figure in _FIGURES:
            value, change = values[figure], beside[figure]
            around = (value.low, value.high) if one is first else (change.low, change.high)
            sign = "" if one is first else "+"
            cells.append(f"{value.value:.4f} ({around[0]:{sign}.4f} to {around[1]:{sign}.4f})")
        print(f"| {name} | {' | '.join(cells)} |")
        told[name] = {figure: values[figure].value for figure in _FIGURES}
    print(f"\n| R@1 | {' | '.join(variants)} |\n|{'---|' * (len(variants) + 1)}")
    for alteration in ALTERATIONS:
        found = [one.copies[alteration][:, 0].mean() for one in variants.values()]
        print(f"| {alteration} | {' | '.join(f'{value:.3f}' for value in found)} |")
        for name, value in zip(variants, found, strict=True):
            told[name][alteration] = float(value)
    return told


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("ukbench", type=Path)
    parser.add_argument("count", type=int, nargs="?", default=400)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    photos, ukbench = sorted(options.photos.iterdir()), sorted(options.ukbench.iterdir())
    told = _told(judged(photos[: options.count], ukbench))
    if options.json:
        options.json.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
