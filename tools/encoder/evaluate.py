"""Compares encoder files: top-1, object retrieval (N-S), altered copies (R@1), agreement.

    python -m tools.encoder.evaluate FLOAT.onnx INT8.onnx [...] --photos DIR --ukbench DIR [--json]

``--photos``: photographs whose names start with a WordNet id (``n01443537_goldfish.jpg``) serve
for top-1 and for altered copies; names without one serve for altered copies only.
``--ukbench``: pictures of which four in a row, by name, show one object.
The first file is the one that the others are compared with. Vectors are compared by cosine.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import io
import json
import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

Pixels = NDArray[np.uint8]
Vectors = NDArray[np.float32]
BATCH = 16


def prepare(image: Image.Image, short_side: int = 256, size: int = 224) -> Pixels:
    """Short side to 256 by bicubic, centre crop of 224: the encoder's preprocessing."""
    width, height = image.size
    factor = short_side / min(width, height)
    image = image.resize(
        (max(size, round(width * factor)), max(size, round(height * factor))),
        Image.Resampling.BICUBIC,
    )
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return np.asarray(image.crop((left, top, left + size, top + size)), np.uint8)


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality)
    return Image.open(data).convert("RGB")


def _side(image: Image.Image, side: int) -> Image.Image:
    factor = side / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.BICUBIC)


def _part(image: Image.Image, area: float, place: tuple[float, float]) -> Image.Image:
    width, height = (max(1, round(side * math.sqrt(area))) for side in image.size)
    x, y = round((image.width - width) * place[0]), round((image.height - height) * place[1])
    return image.crop((x, y, x + width, y + height))


def _overlay(image: Image.Image) -> Image.Image:
    side = min(image.size)
    image = ImageOps.expand(image, side // 12, (255, 255, 255))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, image.height - side // 5, image.width, image.height), fill=(0, 0, 0))
    place = (side // 12, image.height - side // 5)
    draw.text(place, "a caption of this picture", fill=(255, 255, 255), font_size=side / 10)
    return image


def _noise(image: Image.Image) -> Image.Image:
    noise = np.random.default_rng(1).normal(0.0, 20.0, (image.height, image.width, 3))
    pixels = np.asarray(image, np.float64) + noise
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


ALTERATIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "jpeg q30": lambda image: _jpeg(image, 30),
    "jpeg q10": lambda image: _jpeg(image, 10),
    "128 px": lambda image: _side(image, 128),
    "64 px": lambda image: _side(image, 64),
    "crop 50%": lambda image: _part(image, 0.50, (0.3, 0.3)),
    "crop 25%": lambda image: _part(image, 0.25, (0.6, 0.4)),
    "crop 10%": lambda image: _part(image, 0.10, (0.5, 0.5)),
    "blur 2": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
    "blur 6": lambda image: image.filter(ImageFilter.GaussianBlur(6)),
    "turned 15": lambda image: image.rotate(15, Image.Resampling.BICUBIC, expand=True),
    "turned 90": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "mirrored, dark": lambda image: ImageEnhance.Brightness(ImageOps.mirror(image)).enhance(0.4),
    "grey, caption": lambda image: _overlay(image.convert("L").convert("RGB")),
    "noise": _noise,
}


class Encoder:
    """An encoder file under ONNX Runtime."""

    def __init__(self, path: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(path, options)

    def __call__(self, pixels: Pixels) -> Vectors:
        """Raw embeddings of (n, h, w, 3) pixels."""
        vectors: Vectors = self.session.run(None, {"pixels": pixels})[0]
        return vectors


def pictures_of(folder: Path) -> list[Path]:
    """The pictures of a folder, by name."""
    endings = {".jpg", ".jpeg", ".png", ".webp"}
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in endings)


def encode(
    encoders: list[Encoder],
    paths: list[Path],
    alter: Callable[[Image.Image], Image.Image] | None = None,
) -> list[Vectors]:
    """The vectors of the pictures by every encoder; each picture is decoded once."""

    def load(path: Path) -> Pixels:
        with Image.open(path) as image:
            picture = ImageOps.exif_transpose(image).convert("RGB")
        return prepare(alter(picture) if alter else picture)

    vectors: list[list[Vectors]] = [[] for _ in encoders]
    with ThreadPoolExecutor(1) as pool:
        for batch in _batches(pool.map(load, paths)):
            for number, encoder in enumerate(encoders):
                vectors[number].append(encoder(batch))
    return [np.concatenate(parts) for parts in vectors]


def _batches(pixels: Iterable[Pixels]) -> Iterable[Pixels]:
    batch: list[Pixels] = []
    for picture in pixels:
        batch.append(picture)
        if len(batch) == BATCH:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


def unit(vectors: Vectors) -> Vectors:
    """Vectors of length 1."""
    lengths = np.sqrt(np.square(vectors).sum(1, keepdims=True))
    return np.asarray(vectors / lengths, np.float32)


def n_s(vectors: Vectors) -> float:
    """UKBench's score: of the four nearest, how many show the object of the query."""
    similar = unit(vectors) @ unit(vectors).T
    nearest = np.argsort(-similar, axis=1, kind="stable")[:, :4]
    objects = np.arange(len(vectors)) // 4
    return float((objects[nearest] == objects[:, None]).sum(1).mean())


def first_is_right(
    originals: Vectors, altered: Vectors, others: Vectors | None
) -> NDArray[np.bool_]:
    """For each altered copy, whether its original is the nearest of all."""
    gallery = originals if others is None else np.concatenate([originals, others])
    nearest = (unit(altered) @ unit(gallery).T).argmax(1)
    return np.asarray(nearest == np.arange(len(altered)))


def top_1(vectors: Vectors, paths: list[Path]) -> float | None:
    """Share of the photographs named with a WordNet id that the classifier gets right."""
    from .network import load_network

    files = importlib.metadata.files("timm") or []
    synsets = next(file for file in files if str(file).endswith("_info/imagenet_synsets.txt"))
    places = {name: i for i, name in enumerate(Path(str(synsets.locate())).read_text().split())}
    names = [path.name.split("_")[0].split(".")[0] for path in paths]
    known = [i for i, name in enumerate(names) if name in places]
    if not known:
        return None
    table = load_network()
    logits = vectors[known] @ table.classifier_weight.numpy().T + table.classifier_bias.numpy()
    expected = np.array([places[names[i]] for i in known])
    return float((logits.argmax(1) == expected).mean())


def evaluate(
    files: list[Path], photos: Path | None, ukbench: Path | None, threads: int
) -> dict[str, dict[str, float | None]]:
    """Every figure of every file."""
    encoders = [Encoder(file, threads) for file in files]
    labels = [str(file) for file in files]
    result: dict[str, dict[str, float | None]] = {label: {} for label in labels}
    objects: list[Vectors] | None = None
    if ukbench is not None:
        objects = encode(encoders, pictures_of(ukbench))
        for label, vectors in zip(labels, objects, strict=True):
            result[label]["N-S"] = n_s(vectors)
    if photos is not None:
        paths = pictures_of(photos)
        originals = encode(encoders, paths)
        for label, vectors in zip(labels, originals, strict=True):
            result[label]["top-1"] = top_1(vectors, paths)
        _agreement(result, labels, "photographs", originals)
        _copies(result, labels, encoders, paths, originals, objects)
    return result


def _copies(
    result: dict[str, dict[str, float | None]],
    labels: list[str],
    encoders: list[Encoder],
    paths: list[Path],
    originals: list[Vectors],
    others: list[Vectors] | None,
) -> None:
    right: dict[str, list[NDArray[np.bool_]]] = {label: [] for label in labels}
    everything: list[list[Vectors]] = [[] for _ in labels]
    for name, alter in ALTERATIONS.items():
        for number, altered in enumerate(encode(encoders, paths, alter)):
            label = labels[number]
            others_here = others[number] if others is not None else None
            right[label].append(first_is_right(originals[number], altered, others_here))
            result[label][f"R@1 {name}"] = float(right[label][-1].mean())
            everything[number].append(altered)
    for label in labels:
        every = np.stack(right[label])
        result[label]["R@1"] = float(every.mean())
        result[label]["R@1, even photographs"] = float(every[:, 0::2].mean())
        result[label]["R@1, odd photographs"] = float(every[:, 1::2].mean())
    _agreement(result, labels, "copies", [np.concatenate(parts) for parts in everything])


def _agreement(
    result: dict[str, dict[str, float | None]],
    labels: list[str],
    what: str,
    vectors: list[Vectors],
) -> None:
    for label, ours in zip(labels, vectors, strict=True):
        cosines = (unit(ours) * unit(vectors[0])).sum(1)
        result[label][f"cosine to first, {what}, mean"] = float(cosines.mean())
        result[label][f"cosine to first, {what}, 1%"] = float(np.quantile(cosines, 0.01))
        result[label][f"cosine to first, {what}, least"] = float(cosines.min())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--ukbench", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = evaluate(options.files, options.photos, options.ukbench, options.threads)
    if options.json:
        print(json.dumps(result, indent=1))
        return
    for figure in next(iter(result.values())):
        values = (result[label].get(figure) for label in result)
        row = "  ".join("     -" if value is None else f"{value:6.4f}" for value in values)
        print(f"{row}  {figure}")
    print("columns: " + ", ".join(result))


if __name__ == "__main__":
    main()
