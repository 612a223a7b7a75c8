"""Demo pictures from free photographs that other packages hold, each in several views.

The views are what people have on their disks: the original, a crop, a mirrored and darker
copy, what a chat left of it, a crooked scan, two pictures from a phone, a black and white one.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pillow_heif
from PIL import ExifTags, Image, ImageEnhance, ImageOps, features

from image_similarity_search.cli.demo.picture_set import PictureSet, Recipes, encoded

_ENOUGH = 6  # photographs; with fewer the search has nothing to tell apart
_LONGEST = 800  # pixels, the longer side of a view


@dataclass(frozen=True, slots=True)
class Photograph:
    """A free photograph in another package: where it is, what it shows, and to whom it is owed."""

    package: str
    file: str
    title: str
    author: str
    licence: str
    origin: str = ""


_CC0 = "CC0 1.0"
_NASA = "public domain (NASA)"
_CC_BY = "CC BY 2.0, https://creativecommons.org/licenses/by/2.0/"
_TEXTURES = "https://cc0textures.com"
_FLICKR = "https://www.flickr.com/photos"
_SKI, _SKL = "skimage", "sklearn"
_DISTRIBUTION = {_SKI: "scikit-image", _SKL: "scikit-learn"}

# Only photographs whose licence their package states: the others in there are left alone.
PHOTOGRAPHS = (
    Photograph(_SKI, "data/chelsea.png", "Chelsea the cat", "Stefan van der Walt", _CC0),
    Photograph(_SKI, "data/coffee.png", "Espresso", "Rachel Michetti", _CC0),
    Photograph(_SKL, "datasets/images/china.jpg", "Summer Palace", "danielbuechele", _CC_BY,
               f"{_FLICKR}/danielbuechele/6061409035"),
    Photograph(_SKI, "data/rocket.jpg", "Rocket at dusk", "SpaceX", "public domain",
               f"{_FLICKR}/spacexphotos/16511594820"),
    Photograph(_SKL, "datasets/images/flower.jpg", "Dahlia", "vultilion", _CC_BY,
               f"{_FLICKR}/vultilion/6056698931"),
    Photograph(_SKI, "data/astronaut.png", "Eileen Collins", "NASA", _NASA,
               "https://flic.kr/p/r9qvLn"),
    Photograph(_SKI, "data/camera.png", "Man with a camera", "Lav Varshney", _CC0),
    Photograph(_SKI, "data/coins.png", "Coins from Pompeii", "Brooklyn Museum",
               "no known copyright restrictions",
               "https://www.brooklynmuseum.org/opencollection/archives/image/51611"),
    Photograph(_SKI, "data/hubble_deep_field.jpg", "Deep field", "NASA, Hubble", _NASA,
               "http://hubblesite.org/newscenter/archive/releases/2012/37/image/a/"),
    Photograph(_SKI, "data/retina.jpg", "Back of an eye", "Mikael Häggström", _CC0,
               "https://commons.wikimedia.org/wiki/File:Fundus_photograph_of_normal_left_eye.jpg"),
    Photograph(_SKI, "data/brick.png", "Brick wall", "CC0Textures", _CC0,
               f"{_TEXTURES}/view.php?tex=Bricks25"),
    Photograph(_SKI, "data/gravel.png", "Gravel", "CC0Textures", _CC0,
               f"{_TEXTURES}/view.php?tex=Gravel04"),
    Photograph(_SKI, "data/grass.png", "Grass", "linolafett", _CC0,
               "https://www.deviantart.com/linolafett/art/Grass-01-434853879"),
)  # fmt: skip


def photographs() -> PictureSet | None:
    """The set of pictures that can be made from the packages installed; None without them."""
    found = [(n, p, path) for n, p in enumerate(PHOTOGRAPHS) if (path := _installed(p))]
    if len(found) < _ENOUGH:
        return None
    pictures = [item for n, p, path in found for item in _views(n, p, path).items()]
    queries = {f"{p.title}.jpg": _recipe(_query, n, path) for n, p, path in found[:3]}
    packages = " and ".join(dict.fromkeys(_DISTRIBUTION[p.package] for _, p, _ in found))
    return PictureSet(
        name="photographs",
        pictures=dict(pictures),
        queries=queries,
        source=f"{len(pictures)} views of {len(found)} free photographs that come with "
        f"{packages} (public domain, CC0, CC BY: see SOURCES.txt)",
        credits=_credits([p for _, p, _ in found]),
    )


def _installed(photograph: Photograph) -> str | None:
    spec = importlib.util.find_spec(photograph.package)  # finds, does not import
    for folder in (spec and spec.submodule_search_locations) or ():
        path = os.path.join(folder, *photograph.file.split("/"))
        if os.path.isfile(path):
            return path
    return None


def _views(number: int, photograph: Photograph, path: str) -> Recipes:
    title, extension = photograph.title, os.path.splitext(path)[1]
    heic = {f"Phone/写真/IMG_{5230 + 3 * number}.heic": _recipe(_phone_heic, number, path)}
    return {
        f"Originals/{title}{extension}": functools.partial(_original, path),
        f"Für Oma/{title}, cropped.webp": _recipe(_cropped, number, path),
        f"Downloads/mirror ({number + 1}).{_modern().lower()}": _recipe(_mirrored, number, path),
        f"Chats/Zoë & Noël/IMG-20240807-WA{number:04}.jpg": _recipe(_chat, number, path),
        f"Scans/old prints/scan {number + 1:02}.png": _recipe(_scanned, number, path),
        f"Phone/Été 2024/IMG_{4021 + 7 * number}.jpg": _recipe(_phone, number, path),
        **(heic if pillow_heif.libheif_info()["HEIF"] else {}),  # some builds only decode
        f"Black & white/{number + 1:02}.gif": _recipe(_grey, number, path),
    }


def _modern() -> str:
    return "AVIF" if features.check("avif") else "WEBP"  # not every build of Pillow has AVIF


View = Callable[[Image.Image, np.random.Generator], bytes]


def _recipe(view: View, number: int, path: str) -> Callable[[], bytes]:
    seed = [number, *view.__name__.encode()]  # so that a view doesn't depend on the others
    return lambda: view(_upright(path), np.random.default_rng(seed))


def _original(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


@functools.lru_cache(maxsize=1)  # the views of one photograph are made one after the other
def _upright(path: str) -> Image.Image:
    with Image.open(path) as image:
        picture = ImageOps.exif_transpose(image).convert("RGB")
    picture.thumbnail((_LONGEST, _LONGEST))
    return picture


def _part(image: Image.Image, rng: np.random.Generator, share: float) -> Image.Image:
    """A part of the picture, ``share`` of each side long, somewhere near the middle."""
    width, height = round(image.width * share), round(image.height * share)
    left = round((image.width - width) * rng.uniform(0.25, 0.75))
    top = round((image.height - height) * rng.uniform(0.25, 0.75))
    return image.crop((left, top, left + width, top + height))


def _tinted(image: Image.Image, red: float, blue: float) -> Image.Image:
    pixels = np.asarray(image, np.float32) * np.array([red, 1.0, blue], np.float32)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _cropped(image: Image.Image, rng: np.random.Generator) -> bytes:
    return encoded(_part(image, rng, 0.7), "WEBP", quality=80)


def _mirrored(image: Image.Image, rng: np.random.Generator) -> bytes:
    darker = ImageEnhance.Brightness(ImageOps.mirror(image)).enhance(rng.uniform(0.68, 0.8))
    return encoded(darker, _modern(), quality=70, speed=9)


def _chat(image: Image.Image, rng: np.random.Generator) -> bytes:
    small = ImageOps.contain(image, (240, 240))
    return encoded(small, "JPEG", quality=int(rng.integers(22, 34)))


def _scanned(image: Image.Image, rng: np.random.Generator) -> bytes:
    print_ = ImageOps.expand(ImageOps.contain(image, (480, 480)), 14, "#f6f1e4")
    angle = float(rng.choice([-1, 1]) * rng.uniform(3, 7))
    crooked = print_.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor="#d9d6cf")
    return encoded(_tinted(crooked, 1.03, 0.94), "PNG", compress_level=1)


def _phone(image: Image.Image, rng: np.random.Generator) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # to be turned right by a quarter before it is shown
    lying = _tinted(_part(image, rng, 0.9), 1.06, 0.92).transpose(Image.Transpose.ROTATE_90)
    return encoded(lying, "JPEG", quality=85, exif=exif)


def _phone_heic(image: Image.Image, rng: np.random.Generator) -> bytes:
    brighter = ImageEnhance.Brightness(_part(image, rng, 0.85)).enhance(1.15)
    buffer = io.BytesIO()
    pillow_heif.from_pillow(_tinted(brighter, 0.96, 1.05)).save(
        buffer, quality=60, enc_params={"preset": "ultrafast"}
    )
    return buffer.getvalue()


def _grey(image: Image.Image, rng: np.random.Generator) -> bytes:
    grey = ImageOps.autocontrast(_part(image, rng, 0.95).convert("L"), cutoff=1)
    return encoded(ImageOps.contain(grey, (360, 360)), "GIF")


def _query(image: Image.Image, rng: np.random.Generator) -> bytes:
    part = ImageEnhance.Color(_part(image, rng, 0.82)).enhance(1.15)
    turned = part.rotate(float(rng.uniform(2, 4)), Image.Resampling.BICUBIC)
    margin = 0.08 * min(turned.size)  # cuts the corners that turning left empty
    return encoded(ImageOps.crop(turned, round(margin)), "JPEG", quality=88)


def _credits(used: list[Photograph]) -> str:
    lines = [
        "Where these pictures come from",
        "",
        "Each file is a view of one of the photographs below: copied, cropped, mirrored, turned,",
        "resized, or changed in its colours.",
    ]
    for photograph in used:
        place = f"{_DISTRIBUTION[photograph.package]}, {photograph.package}/{photograph.file}"
        lines += [
            "",
            photograph.title,
            f"  by:       {photograph.author}",
            f"  licence:  {photograph.licence}",
            f"  found in: {place}",
        ]
        if photograph.origin:
            lines.append(f"  from:     {photograph.origin}")
    return "\n".join(lines) + "\n"
