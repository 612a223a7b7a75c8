"""What counts as a picture: one table of formats, their names and their first bytes.

Only raster formats that are decoded in this process are in it. Left out on purpose: EPS, WMF,
PDF and SVG (vector, and some start another program), FITS, GRIB, BUFR, HDF5, McIDAS and SPIDER
(measurements rather than pictures), GIMP brushes, IPTC and XV thumbnails, IM (Pillow gives it up).
"""

from __future__ import annotations

import functools
import importlib
import os
import re
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

SNIFF_BYTES = 2052
"""How many first bytes tell a picture; PhotoCD's mark comes last, at 2,048."""


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """One raster format.

    Attributes:
        name: as people write it.
        module: the module with the reader.
        reader: the class there that opens a binary file.
        start: what its files begin with.
        extensions: file names that mean this format to everybody. Others (``.rgb``, ``.msp``:
            also an installer) are told by the first bytes alone.
        max_pixels_per_byte: a file of fewer bytes is cut off; None where the reader notices.
    """

    name: str
    module: str
    reader: str
    start: re.Pattern[bytes] = field(repr=False)
    extensions: tuple[str, ...] = ()
    max_pixels_per_byte: int | None = None

    def opened(self, file: IO[bytes]) -> Image.Image:
        """The picture in a file of this format, not decoded yet; raises whatever a reader raises.

        By the reader itself, not Image.open: that one knows only Pillow's global limit, warns at
        it, and imports readers that this file does not need.
        """
        image: Image.Image = getattr(importlib.import_module(self.module), self.reader)(file, "")
        return image


def _pillow(
    name: str,
    plugin: str,
    start: bytes,
    extensions: str = "",
    max_pixels_per_byte: int | None = None,
) -> PictureFormat:
    return PictureFormat(
        name=name,
        module=f"PIL.{plugin}ImagePlugin",
        reader=f"{plugin}ImageFile",
        start=re.compile(start, re.DOTALL),
        extensions=tuple(f".{extension}" for extension in extensions.split()),
        max_pixels_per_byte=max_pixels_per_byte,
    )


_BMP_HEADER_SIZE = rb"[\x28\x34\x38\x40\x6c\x7c]\0\0\0"
_TGA_SIZE = rb"(?!\0\0)..(?!\0\0)..[\x01\x08\x10\x18\x20][\x00-\x3f]"  # width, height, depth, flags

FORMATS: tuple[PictureFormat, ...] = (
    # a JPEG's first frame is all that is wanted, so MPO is read as the JPEG that it begins with
    _pillow("JPEG", "Jpeg", rb"\xff\xd8\xff", "jpg jpeg jpe jfif mpo"),
    _pillow("PNG", "Png", rb"\x89PNG\r\n\x1a\n", "png apng"),
    _pillow("WebP", "WebP", rb"RIFF....WEBP", "webp"),
    _pillow("GIF", "Gif", rb"GIF8[79]a", "gif"),
    # a file is AVIF if any brand of its first box says so; "mif1" alone may be either
    _pillow("AVIF", "Avif", rb"....ftyp(?:....){0,12}?avi[fs]", "avif avifs"),
    PictureFormat(
        name="HEIF",
        module="pillow_heif",
        reader="HeifImageFile",
        start=re.compile(rb"....ftyp(?:he[iv][cxms]|mif1|msf1)", re.DOTALL),
        extensions=(".heic", ".heics", ".heif", ".heifs", ".hif"),
    ),
    # of RAW files no more is read than a TIFF begins with, a small picture as a rule; but for those
    # of Canon their first bytes are a TIFF's
    _pillow(
        "RAW",
        "Tiff",
        rb"II\*\0....CR",
        "dng nef nrw cr2 arw sr2 srf srw pef 3fr fff erf iiq kdc",
    ),
    _pillow("TIFF", "Tiff", rb"II[*+]\0|MM\0[*+]", "tif tiff"),
    _pillow("BMP", "Bmp", rb"BM.{12}(?:\x0c\0\0\0|" + _BMP_HEADER_SIZE + rb")", "bmp"),
    PictureFormat(
        name="DIB",  # a bitmap without its file header
        module="PIL.BmpImagePlugin",
        reader="DibImageFile",
        start=re.compile(_BMP_HEADER_SIZE + rb".{8}\x01\0[\x01\x04\x08\x10\x18\x20]\0", re.DOTALL),
        extensions=(".dib",),
    ),
    _pillow(
        "JPEG 2000",
        "Jpeg2K",
        rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n",
        "jp2 j2k j2c jpc jpf jpx",
    ),
    _pillow("PPM", "Ppm", rb"P[1-6]\s*[#\d]|Pf\s", "ppm pgm pbm pnm pfm"),
    _pillow("PSD", "Psd", rb"8BPS", "psd"),
    _pillow("ICO", "Ico", rb"\0\0\x01\0[^\0]\0", "ico"),
    _pillow("CUR", "Cur", rb"\0\0\x02\0[^\0]\0"),
    _pillow("ICNS", "Icns", rb"icns", "icns"),
    _pillow("QOI", "Qoi", rb"qoif", "qoi"),
    _pillow("DDS", "Dds", rb"DDS ", "dds", max_pixels_per_byte=2),
    _pillow("PCX", "Pcx", rb"\x0a[\0\x02\x03\x05][\0\x01][\x01\x02\x04\x08]", "pcx"),
    _pillow("DCX", "Dcx", rb"\xb1\x68\xde\x3a"),
    _pillow("SGI", "Sgi", rb"\x01\xda[\0\x01][\x01\x02]", "sgi"),
    _pillow("Sun raster", "Sun", rb"\x59\xa6\x6a\x95", "ras"),
    _pillow("XBM", "Xbm", rb"\s*#define[ \t]+\S*_width[ \t]+\d", "xbm"),
    _pillow("XPM", "Xpm", rb"/\* XPM \*/", "xpm"),
    _pillow("FLI", "Fli", rb"....[\x11\x12]\xaf.{8}[\0\x03]\0", "fli flc"),
    _pillow("BLP", "Blp", rb"BLP[12]"),
    _pillow("FTEX", "Ftex", rb"FTEX"),
    _pillow("MSP", "Msp", rb"DanM|LinS"),
    _pillow("PIXAR", "Pixar", rb"\x80\xe8\0\0"),
    _pillow("PhotoCD", "Pcd", rb".{2048}PCD_"),
    # TGA has no mark, only a header whose fields must make sense: with a palette, or without
    _pillow(
        "TGA",
        "Tga",
        rb".\x01[\x01\x09]....[\x0f\x10\x18\x20]...."
        + _TGA_SIZE
        + rb"|.\0[\x02\x03\x0a\x0b]\0{5}...."
        + _TGA_SIZE,
        "tga",
    ),
)

PICTURE_EXTENSIONS: frozenset[str] = frozenset(
    extension for picture_format in FORMATS for extension in picture_format.extensions
)
_RAW_EXTENSIONS: frozenset[str] = frozenset().union(
    *(one.extensions for one in FORMATS if one.name == "RAW")
)


def format_of(first_bytes: bytes) -> PictureFormat | None:
    """The format that data begins like, or None. ``SNIFF_BYTES`` bytes are enough."""
    for picture_format in FORMATS:
        if picture_format.start.match(first_bytes):
            return picture_format
    return None


def extensions_of(name: str) -> tuple[str, ...]:
    """The extensions of the format of this name, or with this extension, in any case; or none."""
    wanted = name.lower().removeprefix(".")
    for picture_format in FORMATS:
        if wanted == picture_format.name.lower() or f".{wanted}" in picture_format.extensions:
            return picture_format.extensions
    return ()


def looks_like_picture(first_bytes: bytes) -> bool:
    """Whether data that begins like this is a picture in a format that is read here."""
    return format_of(first_bytes) is not None


def is_picture_name(name: str) -> bool:
    """Whether a file's name says that it is a picture."""
    if name[-4:].lower() in PICTURE_EXTENSIONS and name[0] != ".":  # for most, no more is needed
        return True
    return _extension(name) in PICTURE_EXTENSIONS


def is_raw_name(name: str) -> bool:
    """Whether a file's name says that it holds what a sensor saw."""
    return _extension(name) in _RAW_EXTENSIONS


def is_other_name(name: str) -> bool:
    """Whether a file's name says that it is something else, so that it need not be opened.

    A name that says neither (``IMG_0001``, ``scan.part1``) is judged by the first bytes.
    """
    return _extension(name) in _other_extensions()


def _extension(name: str) -> str:
    return os.path.splitext(name)[1].lower()


@functools.cache
def _other_extensions() -> frozenset[str]:
    # no file names: the same folder gives the same answer whatever /etc/mime.types says
    import mimetypes  # here, for the processes that only decode do without

    table = mimetypes.MimeTypes(filenames=())
    types = {**table.types_map[False], **table.types_map[True]}
    known = {
        extension
        for extension, type_ in types.items()
        if not type_.startswith("image/") or type_ == "image/svg+xml"
    }
    known.update(table.encodings_map, table.suffix_map)
    return frozenset(known)
