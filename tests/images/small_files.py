"""A small valid file of every format that Pillow can write, in several of its ways, and others."""

from __future__ import annotations

import functools
import random
import struct
from io import BytesIO
from typing import Any

import pillow_heif
from bombs import apng, gif, icns, jpeg, psd, saved, webp
from PIL import Image, ImageCms

SIZE = (24, 18)
WAYS: list[tuple[str, str, dict[str, Any]]] = [  # mode, Pillow's name of the format, options
    ("RGB", "JPEG", {}),
    ("RGB", "JPEG", {"progressive": True}),
    ("CMYK", "JPEG", {}),
    ("L", "JPEG", {"quality": 20}),
    ("RGB", "MPO", {"save_all": True}),
    ("RGB", "PNG", {}),
    ("RGBA", "PNG", {}),
    ("P", "PNG", {"transparency": 3}),
    ("I;16", "PNG", {}),
    ("1", "PNG", {}),
    ("P", "GIF", {}),
    ("RGB", "WEBP", {}),
    ("RGBA", "WEBP", {"lossless": True}),
    ("RGB", "TIFF", {}),
    ("RGB", "TIFF", {"compression": "tiff_lzw"}),
    ("RGBA", "TIFF", {"compression": "tiff_adobe_deflate"}),
    ("YCbCr", "TIFF", {"compression": "jpeg"}),
    ("CMYK", "TIFF", {"compression": "packbits"}),
    ("1", "TIFF", {"compression": "group4"}),
    ("F", "TIFF", {}),
    ("LAB", "TIFF", {}),
    ("RGB", "TIFF", {"big_tiff": True}),
    ("RGB", "BMP", {}),
    ("P", "BMP", {}),
    ("RGB", "DIB", {}),
    ("RGB", "JPEG2000", {}),
    ("RGBA", "JPEG2000", {"no_jp2": True}),
    ("RGB", "PPM", {}),
    ("1", "PPM", {}),
    ("F", "PPM", {}),
    ("RGB", "TGA", {"compression": "tga_rle"}),
    ("P", "TGA", {}),
    ("RGB", "PCX", {}),
    ("P", "PCX", {}),
    ("RGB", "SGI", {}),
    ("RGBA", "DDS", {}),
    ("RGBA", "DDS", {"pixel_format": "DXT5"}),
    ("RGBA", "QOI", {}),
    ("P", "BLP", {}),
    ("1", "MSP", {}),
    ("1", "XBM", {}),
    ("RGBA", "ICO", {"sizes": [(16, 16)]}),
    ("RGBA", "ICO", {"sizes": [(16, 16)], "bitmap_format": "bmp"}),
    ("RGB", "AVIF", {}),
    ("RGBA", "AVIF", {}),
    ("RGB", "HEIF", {}),
    ("RGBA", "HEIF", {}),
]


@functools.cache
def small_files() -> list[bytes]:
    """Files of a few hundred bytes; some of them with EXIF and a colour profile."""
    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0x9286] = b"a comment"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    extras: list[dict[str, Any]] = [{}, {"exif": exif}, {"icc_profile": profile}]
    files = [_saved(mode, name, options) for mode, name, options in WAYS]
    files += [
        _saved(mode, name, options | extra)
        for mode, name, options in WAYS
        if name in {"JPEG", "PNG", "WEBP", "AVIF", "HEIF"}
        for extra in extras[1:]
    ]
    return [*files, *_made_by_hand()]


def _saved(mode: str, name: str, options: dict[str, Any]) -> bytes:
    noise = random.Random(1).randbytes(SIZE[0] * SIZE[1] * 3)
    image = Image.frombytes("RGB", SIZE, noise)
    image = Image.new(mode, SIZE) if mode in {"LAB", "I;16", "F"} else image.convert(mode)
    file = BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


def _made_by_hand() -> list[bytes]:
    width, height = SIZE
    fli_chunk = struct.pack("<IH4x", 10, 13)  # all black
    fli_frame = struct.pack("<IHH8x", 16 + len(fli_chunk), 0xF1FA, 1) + fli_chunk
    fli = struct.pack("<IHHHHHHI", 0, 0xAF11, 1, width, height, 8, 3, 10).ljust(128, b"\0")
    return [
        apng(3),
        gif(8, frames=3),
        webp(8, frames=3),
        jpeg(32, progressive=True, scans=3),
        psd(4, layers=2),
        fli + fli_frame,
        struct.pack(">8I", 0x59A66A95, 8, 8, 8, 64, 2, 0, 0) + bytes(range(64)),  # Sun raster
        b"P3\n2 2\n255\n" + b"1 2 3 " * 4,
        b"P2 2 2 9\n1 2\n3 4",
        b'/* XPM */\nstatic char *x[] = {\n"2 1 2 1",\n"a c #ff0000",\n"b c None",\n"ab"\n};\n',
        (b"\x80\xe8" + bytes(414) + struct.pack("<HH", 4, 4) + bytes(4) + struct.pack("<HH", 14, 2))
        .ljust(1024, b"\0") + bytes(48),  # PIXAR
        b"\0" * 2048 + b"PCD_" + bytes(3000),  # PhotoCD, cut off: whole ones have 786 kB
        _saved("RGBA", "ICO", {"bitmap_format": "bmp"}).replace(b"\0\0\1\0", b"\0\0\2\0", 1),  # CUR
        icns((b"ic07", saved("PNG", (128, 128)))),
        b"FTEX" + struct.pack("<9i", 0, 4, 4, 1, 1, 0, 32, 8, 0) + bytes(64),
        b"\xb1\x68\xde\x3a" + struct.pack("<II", 12, 0) + _saved("RGB", "PCX", {}),  # DCX
    ]  # fmt: skip
