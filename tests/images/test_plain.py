"""What a header tells is what decoding tells, and what other programs see is known."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import pytest
from conftest import draw
from PIL import Image

from image_similarity_search.errors import ImageError
from image_similarity_search.images.decode import decode
from image_similarity_search.images.plain import Header, header_of, plain_rgb


def saved(image: Image.Image, format_: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


_FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "TGA", "ICO"]


@pytest.mark.parametrize("format_", _FORMATS)
def test_every_format_tells_its_size(format_: str) -> None:
    data = saved(draw(1, (48, 40)), format_)
    decoded = decode(data)
    assert header_of(data) == Header(decoded.width, decoded.height, plain=True)


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_the_size_is_that_of_the_upright_picture(format_: str, orientation: int) -> None:
    data = saved(draw(1, (48, 40)), format_, exif=turned(orientation))
    decoded, header = decode(data), header_of(data)
    assert header
    assert (header.width, header.height) == (decoded.width, decoded.height)
    seen_alike = _mean(decoded.image) == _mean(plain_rgb(data))
    assert header.plain == seen_alike


def _mean(image: Image.Image | None) -> tuple[object, ...]:
    """One pixel of each half, which differ when a picture is turned."""
    assert image
    return image.size, image.getpixel((2, 2)), image.getpixel((image.width - 3, 2))


def test_what_is_not_opaque_is_not_plain() -> None:
    picture = draw(2).convert("RGBA")
    for format_ in ("PNG", "WEBP", "TIFF"):
        assert header_of(saved(picture, format_)) == Header(96, 72, plain=True)
    picture.putpixel((5, 5), (0, 0, 0, 0))
    for format_ in ("PNG", "WEBP", "TIFF"):
        assert header_of(saved(picture, format_)) == Header(96, 72, plain=False)
    assert header_of(saved(picture, "GIF")) == Header(96, 72, plain=False)
    palette = draw(2).quantize(8)
    assert header_of(saved(palette, "PNG")) == Header(96, 72, plain=True)
    assert header_of(saved(palette, "PNG", transparency=0)) == Header(96, 72, plain=False)


def test_what_has_other_colours_or_depth_is_not_plain() -> None:
    assert header_of(saved(draw(3).convert("CMYK"), "JPEG")) == Header(96, 72, plain=False)
    assert header_of(saved(Image.new("I;16", (5, 4), 999), "PNG")) == Header(5, 4, plain=False)
    assert header_of(saved(draw(3).convert("L"), "JPEG")) == Header(96, 72, plain=True)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" * 9])
def test_what_is_no_picture_has_no_header(data: bytes) -> None:
    assert header_of(data) is None
    assert plain_rgb(data) is None


def test_what_can_not_be_decoded_is_not_seen() -> None:
    data = saved(draw(1), "PNG")
    assert plain_rgb(data[: len(data) // 2]) is None
    assert plain_rgb(data) is not None


def test_pictures_of_far_too_many_pixels_are_not_touched() -> None:
    huge = bytearray(saved(Image.new("1", (8, 8)), "BMP"))
    huge[18:26] = (100_000).to_bytes(4, "little") * 2
    assert header_of(bytes(huge)) is None
    assert plain_rgb(bytes(huge)) is None


@pytest.mark.filterwarnings("ignore")
def test_headers_of_odd_pictures_tell_what_decoding_tells(test_data: Path) -> None:
    seen = 0
    for folder, _, names in os.walk(test_data / "odd"):
        for name in names:
            data = Path(folder, name).read_bytes()
            try:
                decoded = decode(data, name=name)
            except ImageError:
                continue
            header = header_of(data)
            assert header, name
            assert (header.width, header.height) == (decoded.width, decoded.height), name
            seen += 1
    assert seen > 100
