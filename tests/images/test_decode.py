"""Real files, made with Pillow, in; upright RGB pixels out."""

from __future__ import annotations

import contextlib
import itertools
import os
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.errors import (
    ConfigError,
    ImageError,
    ImageNotFoundError,
    ImageTooLargeError,
    ImageUnreadableError,
)
from image_similarity_search.images import decode as decode_module
from image_similarity_search.images import upright
from image_similarity_search.images.decode import (
    content_hash,
    decode,
    from_array,
    from_image,
    read_file,
)
from image_similarity_search.images.formats import (
    FORMATS,
    format_of,
    is_other_name,
    is_picture_name,
)

ORIENTATION = 0x0112
RED, GREEN, BLUE, WHITE = (200, 40, 30), (30, 180, 60), (40, 50, 210), (255, 255, 255)
# what turns a picture as a person sees it into the pixels of a file with that orientation
AS_STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def scene(width: int = 64, height: int = 48) -> Image.Image:
    """Four smooth corners of different colours: no turn and no flip of it is the same."""
    corners = Image.new("RGB", (2, 2))
    corners.putdata([RED, GREEN, BLUE, (240, 230, 90)])
    return corners.resize((width, height), Image.Resampling.BILINEAR)


def save(image: Image.Image, format_: str, **options: Any) -> bytes:
    if format_ == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    file = BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def pixels(image: Image.Image) -> np.ndarray[Any, np.dtype[np.int16]]:
    assert image.mode == "RGB"
    return np.asarray(image, dtype=np.int16)


def difference(one: Image.Image, other: Image.Image) -> int:
    assert one.size == other.size
    return int(np.abs(pixels(one) - pixels(other)).max())


def colour_at(data: bytes, x: int = 0, y: int = 0, **options: Any) -> tuple[int, ...]:
    value = decode(data, **options).image.getpixel((x, y))
    assert isinstance(value, tuple)
    return tuple(int(channel) for channel in value)


def near(colour: tuple[int, ...], expected: tuple[int, ...], tolerance: int = 2) -> bool:
    return max(abs(a - b) for a, b in zip(colour, expected, strict=True)) <= tolerance


FILES: dict[str, tuple[str, dict[str, Any], int]] = {  # Pillow's name, options, tolerance
    "JPEG": ("JPEG", {"quality": 95, "subsampling": 0}, 10),
    "PNG": ("PNG", {}, 0),
    "WebP": ("WEBP", {"lossless": True}, 0),
    "GIF": ("GIF", {}, 30),
    "BMP": ("BMP", {}, 0),
    "TIFF": ("TIFF", {"compression": "tiff_lzw"}, 0),
    "AVIF": ("AVIF", {"quality": 95}, 12),
    "HEIF": ("HEIF", {"quality": 95}, 12),
    "JPEG 2000": ("JPEG2000", {}, 2),
    "DIB": ("DIB", {}, 0),
    "PPM": ("PPM", {}, 0),
    "TGA": ("TGA", {}, 0),
    "PCX": ("PCX", {}, 0),
    "SGI": ("SGI", {}, 0),
    "DDS": ("DDS", {}, 0),
    "ICO": ("ICO", {"sizes": [(64, 48)]}, 0),
}


@pytest.mark.parametrize("name", FILES)
def test_each_format_gives_its_pixels_size_and_name(name: str) -> None:
    pillow_name, options, tolerance = FILES[name]
    decoded = decode(save(scene(), pillow_name, **options))
    assert (decoded.format, decoded.width, decoded.height) == (name, 64, 48)
    assert difference(decoded.image, scene()) <= tolerance


@pytest.mark.parametrize("orientation", AS_STORED)
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WebP", "TIFF", "HEIF", "AVIF"])
@pytest.mark.parametrize("min_side", [None, 10])
def test_eight_orientations_are_one_picture(
    name: str, orientation: int, min_side: int | None
) -> None:
    pillow_name, options, tolerance = FILES[name]
    turn = AS_STORED[orientation]
    stored = scene(70, 50) if turn is None else scene(70, 50).transpose(turn)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    # as bytes, from which pillow-heif sets the container's own orientation, the one that counts
    data = save(stored, pillow_name, exif=exif.tobytes(), **options)
    decoded = decode(data, min_side=min_side)
    plain = decode(save(scene(70, 50), "PNG"), min_side=min_side)
    assert (decoded.width, decoded.height) == (70, 50)
    assert difference(decoded.image, plain.image) <= tolerance
    assert ORIENTATION not in decoded.image.getexif()


def test_an_orientation_in_xmp_alone_counts() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="3"/></x:xmpmeta>'
    data = save(scene().transpose(Image.Transpose.ROTATE_180), "JPEG", xmp=xmp)
    assert difference(decode(data).image, scene()) <= 12


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0MM\0*\xff\xff\xff\xff"])
@pytest.mark.filterwarnings("ignore")
def test_broken_exif_is_passed_over(exif: bytes) -> None:
    for name in ("JPEG", "PNG", "WEBP"):
        assert decode(save(scene(), name, exif=exif)).width == 64


# --- transparency ---------------------------------------------------------------------------


def test_alpha_is_laid_over_white() -> None:
    image = Image.new("RGBA", (3, 1))
    image.putdata([(*RED, 255), (0, 0, 0, 0), (0, 0, 0, 128)])
    for name in ("PNG", "WEBP", "TIFF"):
        options = {"lossless": True, "exact": True} if name == "WEBP" else {}
        data = save(image, name, **options)
        assert [colour_at(data, x) for x in range(3)] == [RED, WHITE, (127, 127, 127)]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "RGBa", "La"])
def test_every_mode_with_alpha(mode: str) -> None:
    image = Image.new("RGBA", (2, 1))
    image.putdata([(90, 90, 90, 255), (10, 10, 10, 0)])
    source = image.convert("LA") if mode == "La" else image
    converted = from_image(source.convert(mode))
    assert near(converted.getpixel((0, 0)), (90, 90, 90))  # type: ignore[arg-type]
    assert converted.getpixel((1, 0)) == WHITE


def test_a_transparent_colour_in_a_png_is_white() -> None:
    image = Image.new("RGB", (2, 1), RED)
    image.putpixel((1, 0), GREEN)
    data = save(image, "PNG", transparency=GREEN)
    assert (colour_at(data, 0), colour_at(data, 1)) == (RED, WHITE)
    grey = Image.new("L", (2, 1), 77)
    grey.putpixel((1, 0), 5)
    data = save(grey, "PNG", transparency=5)
    assert (colour_at(data, 0), colour_at(data, 1)) == ((77, 77, 77), WHITE)


def test_palettes_with_and_without_transparency() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putpixel((1, 0), 1)
    for name in ("PNG", "GIF", "BMP"):
        assert [colour_at(save(image, name), x) for x in range(2)] == [RED, BLUE]
    for transparency in (1, b"\xff\x00"):
        data = save(image, "PNG", transparency=transparency)
        assert [colour_at(data, x) for x in range(2)] == [RED, WHITE]
    data = save(image, "GIF", transparency=1)
    assert [colour_at(data, x) for x in range(2)] == [RED, WHITE]


def test_making_a_transparent_picture_smaller_keeps_its_edges_clean() -> None:
    """Invisible black must not darken the visible red beside it."""
    image = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    image.paste((*RED, 255), (0, 0, 210, 400))
    small = decode(save(image, "PNG"), min_side=25).image
    assert small.size == (50, 50)
    edge = small.getpixel((26, 10))
    assert near(edge, tuple((c * 2 + 255 * 6) // 8 for c in RED))  # type: ignore[arg-type]


# --- colour modes ---------------------------------------------------------------------------


def test_grey_and_one_bit() -> None:
    grey = Image.new("L", (2, 2), 99)
    for name in ("PNG", "JPEG", "BMP", "WEBP", "TIFF"):
        assert near(colour_at(save(grey, name)), (99, 99, 99), 3)
    bits = Image.new("1", (9, 2), 1)
    bits.putpixel((0, 0), 0)
    for name in ("PNG", "BMP", "TIFF", "PPM"):
        assert (colour_at(save(bits, name)), colour_at(save(bits, name), 8)) == ((0, 0, 0), WHITE)


def test_cmyk() -> None:
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    assert near(colour_at(save(cyan, "TIFF")), (0, 255, 255), 0)
    assert near(colour_at(save(cyan, "JPEG", quality=100)), (0, 255, 255), 4)


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_keeps_its_upper_8_bits(format_: str) -> None:
    values = np.array([[0, 255, 256, 20_000, 65_535]], dtype=np.uint16)
    data = save(Image.fromarray(values), format_)
    reds = [colour_at(data, x)[0] for x in range(5)]
    assert reds == [0, 0, 1, 20_000 >> 8, 255]


def test_16_bit_grey_of_the_other_byte_order() -> None:
    image = Image.frombytes("I;16B", (2, 1), struct.pack(">HH", 0x1234, 0xFF00))
    assert colour_at(save(image, "TIFF"), 0) == (0x12, 0x12, 0x12)
    assert from_image(image).getpixel((1, 0)) == WHITE


def test_a_transparent_value_of_16_bits_is_white() -> None:
    image = Image.fromarray(np.array([[5_000, 20_000]], dtype=np.uint16))
    data = save(image, "PNG", transparency=5_000)
    assert [colour_at(data, x)[0] for x in range(2)] == [255, 20_000 >> 8]


def test_integers_and_floats_are_spread_over_their_own_range() -> None:
    integers = np.array([[-1_000_000, 200_000, 1_000_000]], dtype=np.int32)
    data = save(Image.fromarray(integers), "TIFF")
    assert [colour_at(data, x)[0] for x in range(3)] == [0, 153, 255]
    floats = np.array([[0.25, 0.5, 0.75, np.nan, np.inf]], dtype=np.float32)
    data = save(Image.fromarray(floats), "TIFF")
    assert [colour_at(data, x)[0] for x in range(5)] == [0, 128, 255, 0, 255]
    flat = Image.fromarray(np.full((1, 1), 7.0, dtype=np.float32))
    assert colour_at(save(flat, "TIFF")) == (0, 0, 0)


def test_lab_hsv_and_ycbcr() -> None:
    lab = ImageCms.profileToProfile(
        Image.new("RGB", (4, 4), RED),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    assert lab is not None
    assert near(colour_at(save(lab, "TIFF")), RED, 4)
    for mode in ("HSV", "YCbCr", "RGBX"):
        image = from_image(Image.new("RGB", (4, 4), RED).convert(mode))
        assert near(image.getpixel((0, 0)), RED, 4)  # type: ignore[arg-type]


# --- colour profiles ------------------------------------------------------------------------


def icc(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A display profile of version 2, written by hand."""
    body, table = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        table += name + struct.pack(">II", start + len(body), len(value))
        body += value + b"\0" * (-len(value) % 4)
    d50 = struct.pack(">iii", *(round(65536 * v) for v in (0.9642, 1.0, 0.8249)))
    head = struct.pack(
        ">I4sI4s4s4s", start + len(body), b"test", 0x02100000, b"mntr", space, b"XYZ "
    )
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + d50
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">iii", *(round(65536 * v) for v in values))


def _gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(256 * value))


def _description(text: bytes) -> bytes:
    return b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0" * 79


WHITE_POINT = _xyz(0.9642, 1.0, 0.8249)
SRGB_PRIMARIES = {
    b"rXYZ": _xyz(0.4361, 0.2225, 0.0139),
    b"gXYZ": _xyz(0.3851, 0.7169, 0.0971),
    b"bXYZ": _xyz(0.1431, 0.0606, 0.7141),
}
SWAPPED = icc(  # says that what the file calls red is green, and the other way round
    b"RGB ",
    {
        b"desc": _description(b"swapped"),
        b"wtpt": WHITE_POINT,
        b"rXYZ": SRGB_PRIMARIES[b"gXYZ"],
        b"gXYZ": SRGB_PRIMARIES[b"rXYZ"],
        b"bXYZ": SRGB_PRIMARIES[b"bXYZ"],
        **{curve: _gamma(2.2) for curve in (b"rTRC", b"gTRC", b"bTRC")},
    },
)
LINEAR_GREY = icc(
    b"GRAY", {b"desc": _description(b"linear"), b"wtpt": WHITE_POINT, b"kTRC": _gamma(1.0)}
)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_a_profile_is_converted_to_srgb(mode: str) -> None:
    image = Image.new("RGB", (4, 4), (204, 0, 0)).convert(mode)
    for name in ("PNG", "TIFF"):
        assert near(colour_at(save(image, name, icc_profile=SWAPPED)), (0, 204, 0), 4)


@pytest.mark.parametrize("name", ["JPEG", "WebP", "AVIF", "HEIF"])
def test_every_format_gives_its_profile(name: str) -> None:
    pillow_name, options, _ = FILES[name]
    data = save(
        Image.new("RGB", (32, 32), (200, 0, 0)), pillow_name, icc_profile=SWAPPED, **options
    )
    assert near(colour_at(data, 9, 9), (0, 200, 0), 8)


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_grey_profile_is_converted_too(mode: str) -> None:
    data = save(Image.new("L", (4, 4), 55).convert(mode), "PNG", icc_profile=LINEAR_GREY)
    expected = round(255 * (1.055 * (55 / 255) ** (1 / 2.4) - 0.055))  # sRGB's curve
    assert near(colour_at(data), (expected,) * 3)


def test_an_srgb_profile_changes_no_pixel() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert difference(decode(save(scene(), "PNG", icc_profile=srgb)).image, scene()) == 0
    assert upright._to_srgb("RGB", srgb) is None  # nor does it take time


@pytest.mark.parametrize(
    "profile", [b"garbage", SWAPPED[:200], LINEAR_GREY, SWAPPED.replace(b"rXYZ", b"none")]
)
def test_a_broken_or_unfitting_profile_is_passed_over(profile: bytes) -> None:
    assert colour_at(save(Image.new("RGB", (4, 4), RED), "PNG", icc_profile=profile)) == RED


# --- more than one frame --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["GIF", "PNG", "WEBP", "TIFF", "AVIF", "MPO", "HEIF"])
def test_the_first_frame_counts(name: str) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in (RED, GREEN, BLUE)]
    data = save(frames[0], name, save_all=True, append_images=frames[1:])
    assert near(colour_at(data, 9, 9), RED, 8)


# --- speed and limits -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "size", "reduced"),
    [
        ("JPEG", (960, 640), (120, 80)),
        ("PNG", (960, 640), (120, 80)),
        ("PNG", (961, 641), (121, 81)),  # no whole number of squares
    ],
)
def test_a_large_picture_is_decoded_smaller_where_less_is_needed(
    name: str, size: tuple[int, int], reduced: tuple[int, int]
) -> None:
    data = save(scene(*size), name)
    decoded = decode(data, min_side=40)
    assert (decoded.width, decoded.height) == size
    assert decoded.image.size == reduced
    view = Preprocessing(resize=40, crop=40).view
    in_full = view(decode(data).image).astype(int)
    assert np.abs(view(decoded.image).astype(int) - in_full).mean() < 0.6


def test_a_jpeg_is_scaled_by_its_codec() -> None:
    """Which knows halves, quarters and eighths: an average would be a seventh here."""
    assert decode(save(scene(960, 640), "JPEG"), min_side=45).image.size == (240, 160)


def test_a_small_picture_is_never_decoded_smaller() -> None:
    for name in ("JPEG", "PNG"):
        assert decode(save(scene(79, 90), name), min_side=40).image.size == (79, 90)


def test_the_pixel_limit() -> None:
    data = save(scene(), "PNG")
    assert decode(data, max_pixels=64 * 48).width == 64
    with pytest.raises(ImageTooLargeError) as caught:
        decode(data, name="scene.png", max_pixels=64 * 48 - 1)
    assert (caught.value.path, caught.value.pixels, caught.value.limit) == ("scene.png", 3072, 3071)
    with pytest.raises(ImageTooLargeError):
        from_image(scene(), max_pixels=100)
    with pytest.raises(ImageTooLargeError):
        from_array(np.zeros((20, 20), np.uint8), max_pixels=100)


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it has so many pixels, and has none."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [14_000, 20_000, 2**31 - 1])
def test_a_bomb_is_refused_by_its_header_without_a_warning(side: int) -> None:
    with pytest.raises(ImageTooLargeError):
        decode(bomb(side, side))


def test_a_reader_written_in_python_does_not_go_on_after_the_end_of_the_file() -> None:
    data = bytearray(save(scene(), "DDS"))
    data[12:20] = struct.pack("<II", 10_000, 10_000)  # it would take minutes
    assert reason_of(bytes(data)) == "truncated DDS file"


@pytest.mark.parametrize("limits", [{"min_side": 0}, {"max_pixels": 0}])
def test_limits_must_be_positive(limits: dict[str, int]) -> None:
    for call in (
        lambda: decode(save(scene(), "PNG"), **limits),
        lambda: from_image(scene(), **limits),
    ):
        with pytest.raises(ConfigError):
            call()


# --- bad files ------------------------------------------------------------------------------


def reason_of(data: bytes) -> str:
    with pytest.raises(ImageUnreadableError) as caught:
        decode(data, name="x")
    reason = caught.value.reason
    assert "\n" not in reason
    assert " at 0x" not in reason
    return reason


def test_reasons_are_short_and_say_what_is_wrong() -> None:
    assert reason_of(b"") == "the file is empty"
    assert reason_of(b"hello, world") == "not a supported image format"
    assert reason_of(b"%PDF-1.7\n") == "not a supported image format"
    assert reason_of(b"%!PS-Adobe-3.0 EPSF-3.0\n") == "not a supported image format"
    assert reason_of(save(scene(300, 300), "JPEG")[:900]) == "truncated JPEG file"
    assert reason_of(save(scene(300, 300), "PNG")[:300]) == "truncated PNG file"
    assert reason_of(bomb(0, 5)).startswith("damaged PNG file")


def test_one_exception_of_a_codec_is_as_good_as_another(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(error: Exception) -> Any:
        def reader(*_: object) -> None:
            raise error

        return reader

    from PIL import PngImagePlugin

    data = save(scene(), "PNG")
    for error, reason in [
        (MemoryError(), "not enough memory to decode it"),
        (struct.error("x"), "truncated PNG file"),
        (RuntimeError(), "damaged PNG file: RuntimeError"),
        (
            OSError("bad <_io.BytesIO object at 0x7f00> file\nand more"),
            "damaged PNG file: bad file",
        ),
        (
            SyntaxError("not identified by this driver"),
            "damaged PNG file: its header is invalid",
        ),
        (Image.DecompressionBombError("x"), None),
    ]:
        monkeypatch.setattr(PngImagePlugin, "PngImageFile", fail(error))
        assert reason is None or reason_of(data) == reason
        assert "PNG" in reason_of(data) or isinstance(error, MemoryError)


@pytest.fixture(scope="module")
def real_files() -> list[bytes]:
    return [save(scene(), name, **options) for name, options, _ in FILES.values()]


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_the_bytes_it_is_rgb_or_an_image_error(
    real_files: list[bytes], data: st.DataObject
) -> None:
    content = bytearray(data.draw(st.sampled_from(real_files), label="file"))
    for _ in range(data.draw(st.integers(0, 6), label="changes")):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(content))), label="cut")
    _rgb_or_error(bytes(content[:cut]))


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=80, deadline=None)
@given(
    start=st.sampled_from(
        [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"P6 9"]
    ),
    rest=st.binary(max_size=300),
)
def test_random_bytes_are_rgb_or_an_image_error(start: bytes, rest: bytes) -> None:
    _rgb_or_error(start + rest)


def _rgb_or_error(data: bytes) -> None:
    for min_side in (None, 5):
        with contextlib.suppress(ImageError):
            assert decode(data, min_side=min_side, max_pixels=10**6).image.mode == "RGB"


# --- images and arrays as queries -----------------------------------------------------------


def test_an_image_is_copied_upright_and_left_as_it_is() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    data = save(scene().transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)
    opened = Image.open(BytesIO(data))
    upright = from_image(opened)
    assert difference(upright, scene()) == 0
    assert opened.size == (48, 64)
    assert opened.getexif()[ORIENTATION] == 6
    plain = Image.new("RGB", (9, 9), RED)
    from_image(plain).putpixel((0, 0), GREEN)
    assert plain.getpixel((0, 0)) == RED


def test_a_file_and_its_image_give_the_same_pixels() -> None:
    data = save(scene(300, 200), "PNG")
    opened = Image.open(BytesIO(data))
    assert difference(from_image(opened, min_side=20), decode(data, min_side=20).image) == 0


def test_an_image_that_cannot_be_loaded() -> None:
    opened = Image.open(BytesIO(save(scene(300, 300), "JPEG")[:900]))
    with pytest.raises(ImageUnreadableError, match="truncated"):
        from_image(opened)
    with pytest.raises(ConfigError):
        from_image("photo.jpg")  # type: ignore[arg-type]


def test_arrays() -> None:
    colours = np.asarray(scene())
    assert difference(from_array(colours), scene()) == 0
    assert difference(from_array(colours[:, ::-1]), ImageOps.mirror(scene())) == 0
    assert from_array(np.full((2, 3), 9, np.uint8)).getpixel((0, 0)) == (9, 9, 9)
    assert from_array(np.zeros((2, 3, 4), np.uint8)).getpixel((0, 0)) == WHITE
    assert from_array(np.zeros((2, 3), np.uint8)).size == (3, 2)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((3, 4, 4, 3), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
        "photo.jpg",
    ],
)
def test_arrays_of_another_kind_are_refused(array: object) -> None:
    with pytest.raises(ConfigError, match="uint8 of shape"):
        from_array(array)


# --- files ----------------------------------------------------------------------------------


def test_read_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"abc")
    assert read_file(str(path)) == b"abc"
    for missing in (tmp_path / "none.png", path / "none.png"):
        with pytest.raises(ImageNotFoundError):
            read_file(str(missing))
    with pytest.raises(ImageNotFoundError):
        read_file("a\0b")
    with pytest.raises(ImageUnreadableError, match="a folder"):
        read_file(str(tmp_path))


@pytest.mark.unix
def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageUnreadableError, match="not a regular file"):
        read_file(str(tmp_path / "pipe.jpg"))


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(decode_module.MAX_FILE_BYTES + 1)  # sparse: it takes no room
    with pytest.raises(ImageUnreadableError, match=r"2,147,483,649 bytes"):
        read_file(str(path))


def test_content_hash() -> None:
    assert content_hash(b"") == "cae66941d9efbd404e4d88758ea67670"
    assert len({content_hash(data) for data in (b"", b"a", b"b")}) == 3


# --- formats --------------------------------------------------------------------------------


def test_names() -> None:
    for name in ("a.jpg", "A.JPEG", "b.HeIc", "c.tiff", "d.e.png"):
        assert is_picture_name(name)
        assert not is_other_name(name)
    for name in ("a.txt", "b.svg", "c.pdf", "d.mp4", "e.py", "f.tar.gz", "g.eps"):
        assert is_other_name(name)
        assert not is_picture_name(name)
    for name in ("IMG_0001", "scan.part", "photo.jpg~", "old.rgb"):
        assert not is_other_name(name)
        assert not is_picture_name(name)


def test_no_extension_belongs_to_two_formats() -> None:
    extensions = list(itertools.chain(*(one.extensions for one in FORMATS)))
    assert len(extensions) == len(set(extensions))


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"hello",
        b"\0" * 2052,
        b"%PDF-1.4",
        b"PK\3\4",
        b"\x7fELF",
        b"MZ\x90\0",
        b"<svg xmlns=",
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"BMW is a maker of cars  ",
        b"#define WIDTH 3\n",
        b"P1 was the winner",
        b"SQLite format 3\0",
        b"\0\1\0\0\0\x12\1\0\0\4",
    ],
)
def test_what_is_no_picture_does_not_look_like_one(start: bytes) -> None:
    assert format_of(start) is None


# --- threads, imports -----------------------------------------------------------------------


def test_many_threads_decode_at_once() -> None:
    files = [save(scene(), name, **options) for name, options, _ in FILES.values()]
    files.append(save(scene(), "PNG", icc_profile=SWAPPED))
    alone = [decode(data).image for data in files]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda data: decode(data).image, files * 5))
    for number, image in enumerate(together):
        assert difference(image, alone[number % len(files)]) == 0


def test_a_jpeg_needs_no_other_formats_reader_and_no_table_of_types() -> None:
    program = (
        "import sys\n"
        "from image_similarity_search.images import walk\n"
        "assert 'PIL' not in sys.modules\n"
        "from image_similarity_search.images.decode import decode\n"
        "decode(sys.stdin.buffer.read())\n"
        "print([name for name in sys.modules if name in "
        "('PIL.PngImagePlugin', 'pillow_heif', 'PIL.ImageCms', 'numpy', 'PIL.EpsImagePlugin',"
        " 'mimetypes')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=save(scene(), "JPEG"), capture_output=True
    )
    assert done.stderr == b""
    assert done.stdout.strip() == b"[]"
