"""Small files that ask for much: pixels, memory or time. Each is made here, byte by byte."""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

from PIL import Image

GIB = 1 << 30
WIDE = 65_535  # pixels a side: 4 gigapixels
WITHIN = 13_000  # a side: within the limit of pixels
PIXELS = zlib.compress((b"\0" + b"\x80" * 12) * 4)  # of a PNG of 4 x 4


def saved(format_: str, size: tuple[int, int] = (16, 16), **options: Any) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, "grey").save(file, format_, **options)
    return file.getvalue()


@functools.cache
def deflated(size: int, of: bytes = b"\0") -> bytes:
    """A zlib stream of so many bytes: one block of it, again and again."""
    squeeze, block, count = zlib.compressobj(9), of * (1 << 20), size >> 20
    first, other = (squeeze.compress(block) + squeeze.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    end = b"\3\0"  # an empty block
    checksum = functools.reduce(lambda sum_, _: zlib.adler32(block, sum_), range(count), 1)
    return first + other * (count - 1) + end + struct.pack(">I", checksum)


# PNG


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(side: int, *chunks: bytes, data: bytes = PIXELS) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join((*chunks, chunk(b"IDAT", data), chunk(b"IEND")))


def apng(frames: int) -> bytes:
    def control(number: int) -> bytes:
        return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 4, 4, 0, 0, 1, 10, 0, 0))

    later = b"".join(
        control(number) + chunk(b"fdAT", struct.pack(">I", number + 1) + PIXELS)
        for number in range(1, 2 * frames, 2)
    )
    first = chunk(b"acTL", struct.pack(">II", frames, 0)) + control(0)
    return png(4, first).replace(chunk(b"IEND"), later + chunk(b"IEND"))


# JPEG


def jpeg(side: int = 0, *segments: bytes, progressive: bool = False, scans: int = 1) -> bytes:
    """A JPEG that says it has ``side`` squared pixels, its segments and scans repeated."""
    data = saved("JPEG", progressive=progressive)
    if side:
        start = data.index(b"\xff\xc2" if progressive else b"\xff\xc0") + 5
        data = data[:start] + struct.pack(">HH", side, side) + data[start + 4 :]
    last = data.rindex(b"\xff\xda")
    return data[:2] + b"".join(segments) + data[2:-2] + data[last:-2] * (scans - 1) + b"\xff\xd9"


def segment(number: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, number, len(body) + 2) + body


def exif(*tags: tuple[int, int, int, int], following: int = 0) -> bytes:
    return segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0" + directory(tags, following))


def icc(profile: bytes) -> bytes:
    return segment(0xE2, b"ICC_PROFILE\0\x01\x01" + profile)


# TIFF


def directory(tags: tuple[tuple[int, int, int, int], ...], following: int = 0) -> bytes:
    rows = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return struct.pack("<H", len(tags)) + rows + struct.pack("<I", following)


def tiff(
    width: int,
    height: int,
    *tags: tuple[int, int, int, int],
    compression: int = 1,
    strips: tuple[int, int, int] = (1, 8, 16),
    following: int = 0,
    after: bytes = b"",
) -> bytes:
    """A grey TIFF; ``strips``: how many, where their places are, and where their lengths."""
    count, places, lengths = strips
    all_tags = (
        *((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, compression)),
        *((262, 3, 1, 1), (277, 3, 1, 1), (278, 4, 1, -(-height // count))),
        *((273, 4, count, places), (279, 4, count, lengths), *tags),
    )
    return b"II*\0\x08\0\0\0" + directory(all_tags, following) + after


def tiff_of_strips(count: int) -> bytes:
    """One row of one pixel in each strip."""
    start = 8 + 2 + 9 * 12 + 4
    tables = struct.pack("<I", 8) * count + struct.pack("<I", 1) * count
    return tiff(1, count, strips=(count, start, start + 4 * count), after=tables)


# Others


def gif(side: int, *, frames: int = 1, frame_side: int = 1, before: bytes = b"") -> bytes:
    header = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, frame_side, frame_side, 0) + b"\2\2\x44\1\0"
    return header + before + (b"\x21\xf9\4\0\1\0\0\0" + frame) * frames + b";"


def webp(side: int, *, frames: int = 1) -> bytes:
    """An animation on a canvas; each frame is 4 pixels a side."""

    def three(number: int) -> bytes:
        return struct.pack("<I", number)[:3]

    def box(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)

    picture = saved("WEBP", (4, 4), lossless=True)[12:]
    frame = box(b"ANMF", three(0) * 2 + three(3) * 2 + three(10) + b"\0" + picture)
    canvas = box(b"VP8X", b"\2\0\0\0" + three(side - 1) * 2)
    return box(b"RIFF", b"WEBP" + canvas + box(b"ANIM", b"\0" * 6) + frame * frames)


def bmp(
    side: int, *, bits: int = 24, compression: int = 0, data: bytes = b"", colours: int = 0
) -> bytes:
    return (
        b"BM"
        + struct.pack("<IHHI", 54 + len(data), 0, 0, 54)
        + struct.pack("<IiiHHII", 40, side, side, 1, bits, compression, len(data))
        + struct.pack("<iiII", 0, 0, colours, 0)
        + data
    )


def ico(picture: bytes) -> bytes:
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(picture), 22) + picture


def icns(*pictures: tuple[bytes, bytes]) -> bytes:
    body = b"".join(kind + struct.pack(">I", 8 + len(data)) + data for kind, data in pictures)
    return b"icns" + struct.pack(">I", 8 + len(body)) + body


def patched(data: bytes, mark: bytes, skip: int, width: int, height: int) -> bytes:
    """A file whose header tells another size, ``skip`` bytes after the mark."""
    at = data.index(mark) + skip
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


def psd(side: int, *, resources: bytes = b"", layers: int = 0) -> bytes:
    layer = struct.pack(">iiiiH", 0, 0, 1, 1, 0) + b"8BIMnorm\xff\0\0\0\0\0\0\x0c" + b"\0" * 12
    info = struct.pack(">h", layers) + layer * layers
    info += b"\0" * (len(info) % 2)
    sections = struct.pack(">I", len(info)) + info
    return (
        b"8BPS"
        + struct.pack(">H6xHIIHH", 1, 3, side, side, 8, 3)
        + struct.pack(">II", 0, len(resources))
        + resources
        + struct.pack(">I", len(sections))
        + sections
        + bytes(2 + 3 * 16)
    )


Make = Callable[[], bytes]
TOO_LARGE = "too large: "
INNER = "its picture has far too many pixels"
FINE = ""  # it is a picture, and becomes one

# name: what makes it, and how the reason begins for which it is refused
BOMBS: dict[str, tuple[Make, str]] = {
    "png of 4 gigapixels": (lambda: png(WIDE), TOO_LARGE),
    "png with a gigabyte of text": (
        lambda: png(4, *[chunk(b"zTXt", b"k\0\0" + deflated(GIB))] * 3),
        "damaged PNG file: Decompressed data too large",
    ),
    "png with a gigabyte of international text": (
        lambda: png(4, chunk(b"iTXt", b"k\0\1\0\0\0" + deflated(GIB, b"a"))),
        "damaged PNG file: Decompressed data too large",
    ),
    "png with 2,000 texts of a megabyte": (
        lambda: png(
            4, *(chunk(b"zTXt", b"%d\0\0" % n + deflated(1 << 20)) for n in range(2000))
        ),
        "damaged PNG file: Too much memory used in text chunks",
    ),
    "png with a gigabyte of colour profile": (
        lambda: png(4, chunk(b"iCCP", b"p\0\0" + deflated(GIB))),
        "damaged PNG file: Decompressed data too large",
    ),
    "png with a gigabyte after its pixels": (lambda: png(4, data=deflated(GIB)), FINE),
    "png with 100,000 chunks": (lambda: png(4, chunk(b"abCd") * 100_000), FINE),
    "png with 100,000 frames": (lambda: apng(100_000), FINE),
    "png that ends early": (lambda: png(WITHIN), "truncated PNG file"),
    "jpeg of 4 gigapixels": (lambda: jpeg(WIDE), TOO_LARGE),
    "jpeg that ends early": (lambda: jpeg(WITHIN), FINE),  # as every viewer has it
    "jpeg with 10,000 scans": (lambda: jpeg(500, progressive=True, scans=10_000), FINE),
    "jpeg with 6 megabytes of exif": (
        lambda: jpeg(0, *[exif(*((n, 4, 1, 0) for n in range(5000)))] * 100),
        FINE,
    ),
    "jpeg whose exif leads to itself": (
        lambda: jpeg(0, exif((0x8769, 4, 1, 8), (0x8825, 4, 1, 8), (0xA005, 4, 1, 8), following=8)),
        FINE,
    ),
    "jpeg with 4 billion orientations": (lambda: jpeg(0, exif((0x112, 3, 0xFFFFFFFF, 8))), FINE),
    "jpeg with a profile of nothing": (lambda: jpeg(0, icc(b"\xff" * 60_000)), FINE),
    "jpeg with 100,000 comments": (lambda: jpeg(0, segment(0xFE, b"") * 100_000), FINE),
    "jpeg with megabytes of nothing": (lambda: jpeg(0, b"\xff" * 2_000_000), FINE),
    "gif of 4 gigapixels": (lambda: gif(WIDE), TOO_LARGE),
    "gif with a frame of 4 gigapixels": (
        lambda: gif(4, frame_side=WIDE),
        "damaged GIF file: " + INNER,
    ),
    "gif with 100,000 frames": (lambda: gif(4, frames=100_000), FINE),
    "gif with 100,000 comments": (lambda: gif(4, before=b"\x21\xfe\1c\0" * 100_000), FINE),
    "webp on a canvas of 268 megapixels": (lambda: webp(16_384), "damaged WebP file: " + INNER),
    "webp with 100,000 frames": (lambda: webp(4, frames=100_000), FINE),
    "tiff of 4 gigapixels": (lambda: tiff(WIDE, WIDE), TOO_LARGE),
    "tiff with 100,000 strips": (lambda: tiff_of_strips(100_000), FINE),
    "tiff with 4 billion strips": (
        lambda: tiff(4, 4, strips=(0xFFFFFFFF, 8, 8)),
        "damaged TIFF file: unknown data organization",
    ),
    "tiff whose directory leads to itself": (lambda: tiff(4, 4, following=8), FINE),
    "tiff whose directories are within themselves": (
        lambda: tiff(4, 4, (330, 4, 1, 8), (34665, 4, 1, 8), (34853, 4, 1, 8)),
        FINE,
    ),
    "tiff with a hundred megabytes of profile": (
        lambda: tiff(4, 4, (34675, 7, 100 << 20, 200)),
        FINE,
    ),
    "tiff with a gigabyte in a strip of 16 pixels": (
        lambda: tiff(4, 4, compression=8, strips=(1, 122, 1_000_000), after=deflated(GIB)),
        FINE,
    ),
    "bmp of 4 gigapixels": (lambda: bmp(WIDE), TOO_LARGE),
    "bmp with 4 billion colours": (lambda: bmp(4, bits=8, colours=0xFFFFFFFF), "damaged BMP file"),
    "bmp of a million short runs": (
        lambda: bmp(WITHIN, bits=8, compression=1, data=bytes(1024) + b"\1\1" * 10**6, colours=256),
        "damaged BMP file: not enough image data",
    ),
    "ico with a png of 4 gigapixels": (lambda: ico(png(WIDE)), "damaged ICO file: " + INNER),
    "icns with a png of 4 gigapixels": (
        lambda: icns((b"ic10", png(WIDE))),
        "damaged ICNS file: " + INNER,
    ),
    "icns with 100,000 pictures": (
        lambda: icns(*[(b"abcd", b"")] * 100_000),
        "damaged ICNS file: No 32bit icon resources found",
    ),
    "jpeg 2000 of 4 gigapixels": (
        lambda: patched(saved("JPEG2000", no_jp2=True), b"\xff\x51", 6, WIDE, WIDE),
        TOO_LARGE,
    ),
    "jpeg 2000 of tiles of a pixel": (
        lambda: patched(
            patched(saved("JPEG2000", no_jp2=True), b"\xff\x51", 6, 4000, 4000),
            b"\xff\x51", 22, 1, 1,
        ),
        "damaged JPEG 2000 file",
    ),
    "avif of 4 gigapixels": (
        lambda: patched(saved("AVIF"), b"ispe", 8, WIDE, WIDE),
        "damaged AVIF file",
    ),
    "psd of 900 megapixels": (lambda: psd(30_000), TOO_LARGE),
    "psd with 32,767 layers": (lambda: psd(4, layers=32_767), FINE),
    "psd with 100,000 resources": (
        lambda: psd(4, resources=b"8BIM\x03\xee\0\0\0\0\0\0" * 100_000),
        FINE,
    ),
    "pnm with megabytes of comment": (
        lambda: b"P1\n#" + b"c" * 2_000_000 + b"\n4 4\n" + b"0 " * 16,
        FINE,
    ),
    "pnm with a number of megabytes": (
        lambda: b"P2 4 4 255\n" + b"0" * 2_000_000,
        "damaged PPM file: b'Token too long",
    ),
    "qoi of 169 megapixels in no data": (
        lambda: b"qoif" + struct.pack(">IIBB", WITHIN, WITHIN, 3, 0),
        "damaged QOI file: not enough image data",
    ),
}  # fmt: skip
