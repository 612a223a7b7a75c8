"""What cameras write into files, and what is made of bytes that are no such thing."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from camera_files import TAKEN, exif
from conftest import draw
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from image_similarity_search.images import decode
from image_similarity_search.images.colours import colours_of
from image_similarity_search.images.exif import exif_of, read_exif
from image_similarity_search.types import NO_TRAITS, Traits


def jpeg(data: Image.Exif | bytes) -> bytes:
    out = BytesIO()
    draw(1).save(out, "JPEG", exif=data)
    return out.getvalue()


def traits_of(**changes: Any) -> Traits:
    return decode.decode(jpeg(exif(**changes))).traits


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tiff", "avif", "heic"])
def test_what_a_camera_wrote_is_read(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"berne.{kind}"
    if kind == "heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    draw(1).save(path, exif=exif())
    for found in (decode.decode(path.read_bytes()).traits, read_exif(str(path))):
        assert found.camera == "Canon EOS 5D"
        if kind == "tiff":
            continue  # Pillow writes no further tables into one
        assert found.taken == TAKEN
        assert found.latitude == pytest.approx(46.948, abs=1e-3)
        assert found.longitude == pytest.approx(7.4473, abs=1e-3)


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("NIKON CORPORATION", "NIKON D70", "NIKON D70"),
        ("Apple", "iPhone 12", "Apple iPhone 12"),
        ("Apple\0\0junk", None, "Apple"),
        (None, "  X\n100\x07 ", "X 100"),
        ("\0", " ", None),
        (None, None, None),
        ("Ricoh", "x" * 5000, "Ricoh " + "x" * 94),
    ],
)
def test_a_camera_has_a_name(make: str | None, model: str | None, camera: str | None) -> None:
    assert traits_of(make=make, model=model).camera == camera


@pytest.mark.parametrize(
    "taken",
    ["0000:00:00 00:00:00", "2024:13:01 00:00:00", "2024:02:30 00:00:00", "    ", "yesterday", ""],
)
def test_what_is_no_date_is_none(taken: str) -> None:
    assert traits_of(taken=taken).taken is None


@pytest.mark.parametrize(
    "changes",
    [
        {"latitude": None},
        {"latitude": (91, 0, 0)},
        {"longitude": (181, 0, 0)},
        {"latitude": (IFDRational(1, 0), IFDRational(0, 0), 0)},
        {"latitude": (0, 0, 0), "longitude": (0, 0, 0)},
    ],
)
def test_what_is_no_place_is_none(changes: dict[str, Any]) -> None:
    found = traits_of(**changes)
    assert (found.latitude, found.longitude) == (None, None)
    assert found.camera


def test_south_and_west_are_less_than_0() -> None:
    found = traits_of(south="S", west="W")
    assert found.latitude
    assert found.longitude
    assert found.latitude < 0 > found.longitude


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow; tests take them for errors
@given(some.binary(max_size=200), some.integers(0, 400), some.booleans())
def test_hostile_exif_is_passed_over(noise: bytes, at: int, prefixed: bool) -> None:
    whole = exif().tobytes()
    cut = min(at, len(whole))
    data = whole[:cut] + noise + whole[cut + len(noise) :]
    picture = jpeg(data if prefixed else b"Exif\0\0" + noise)
    found = decode.decode(picture)
    assert (found.width, found.height) == (96, 72) or found.width == 72  # turned, if it says so
    for value in (found.traits.latitude, found.traits.longitude):
        assert value is None or -180 <= value <= 180
    assert found.traits.camera is None or len(found.traits.camera) <= 100


def test_what_says_nothing_says_nothing(tmp_path: Path) -> None:
    assert exif_of(draw(1)) == NO_TRAITS
    (tmp_path / "text.jpg").write_text("no picture")
    for name in ("text.jpg", "missing.jpg", "."):
        assert read_exif(str(tmp_path / name)) == NO_TRAITS


def test_real_odd_pictures_disturb_nothing(test_data: Path) -> None:
    for path in sorted((test_data / "odd").rglob("*"))[::25]:
        if path.is_file():
            found = read_exif(str(path))
            assert found.camera is None or found.camera.isprintable()


@pytest.mark.parametrize(
    ("pixel", "name"),
    [
        ((220, 30, 30), "red"),
        ((240, 140, 20), "orange"),
        ((120, 70, 20), "brown"),
        ((240, 230, 40), "yellow"),
        ((40, 180, 60), "green"),
        ((40, 200, 210), "cyan"),
        ((30, 60, 220), "blue"),
        ((130, 40, 190), "purple"),
        ((240, 110, 190), "pink"),
        ((10, 10, 12), "black"),
        ((250, 250, 248), "white"),
        ((128, 130, 129), "grey"),
    ],
)
def test_colours_have_names(pixel: tuple[int, int, int], name: str) -> None:
    assert colours_of(Image.new("RGB", (224, 224), pixel)) == (name,)
    assert colours_of(Image.new("RGB", (3, 1), pixel)) == (name,)


def test_a_colour_must_be_of_a_quarter() -> None:
    picture = Image.new("RGB", (200, 200), "white")
    picture.paste((220, 30, 30), (0, 0, 70, 200))
    picture.paste((30, 60, 220), (180, 0, 200, 200))
    assert colours_of(picture) == ("white", "red")


def test_a_png_is_not_decoded_for_its_exif(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert exif_of(image) == NO_TRAITS
        assert image.tile  # what is still to be decoded
