"""What picture files hold beside one picture, as cameras and programs write them."""

from __future__ import annotations

import io
import struct
from typing import Any

import pillow_heif
import pytest
from camera_files import exif
from conftest import draw
from PIL import Image

from image_similarity_search.duplicates import NO_HOLDINGS, Holdings
from image_similarity_search.errors import ImageUnreadableError
from image_similarity_search.images.decode import decode
from image_similarity_search.images.holdings import holdings_of
from image_similarity_search.images.tiff_tables import pages_in

_SUBFILE, _PHOTOMETRIC, _FURTHER, _DNG = 254, 262, 330, 50706
_FILM = struct.pack(">L", 24) + b"ftypmp42" + b"film \xff\xd9 film" * 100
_BIG = b"\xff\xd8\xff\xe0" + bytes(range(255)) * 80 + b"\xff\xd9"


def _saved(kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    draw(1).save(file, kind, **options)
    return file.getvalue()


def _several(kind: str, **options: Any) -> bytes:
    return _saved(kind, save_all=True, append_images=[draw(2), draw(3)], **options)


def _jpeg_of_many(behind: bytes = b"") -> bytes:
    """A JPEG that says to be of several pictures, as cameras do, with the mark of an end in it."""
    data = _saved("JPEG")
    says = b"MPF\0 \xff\xd9 "
    return data[:2] + b"\xff\xe2" + struct.pack(">H", len(says) + 2) + says + data[2:] + behind


def _tables(*tables: dict[int, int], big: bool = False) -> bytes:
    """A TIFF of nothing but tables of long values; the last leads to the first."""
    data = b"MM\0+\0\x08\0\0" + struct.pack(">Q", 16) if big else b"II*\0" + struct.pack("<L", 8)
    number, entry, offset = (">Q", ">HHQQ", ">Q") if big else ("<H", "<HHLL", "<L")
    for place, table in enumerate(tables):
        data += struct.pack(number, len(table))
        data += b"".join(struct.pack(entry, tag, 4, 1, value) for tag, value in table.items())
        end = len(data) + struct.calcsize(offset[:1] + offset[1:])
        data += struct.pack(offset, end if place + 1 < len(tables) else (16 if big else 8))
    return data


@pytest.mark.parametrize(
    ("data", "frames"),
    [
        (_several("TIFF"), 3),
        (_several("GIF"), 3),
        (_several("WEBP"), 3),
        (_several("PNG"), 3),
        (_saved("TIFF"), 1),
    ],
)
def test_frames_and_pages(data: bytes, frames: int) -> None:
    assert holdings_of(data) == Holdings(frames=frames)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_more_than_8_bits_a_colour(kind: str) -> None:
    file = io.BytesIO()
    Image.new("I;16", (4, 4), 40_000).save(file, kind)
    assert holdings_of(file.getvalue()) == Holdings(deep=True)


def test_a_smaller_picture_of_a_page_is_none() -> None:
    assert pages_in(_tables({_SUBFILE: 0}, {_SUBFILE: 1}, {_SUBFILE: 2}, {})) == 3


@pytest.mark.parametrize(
    ("data", "held"),
    [
        (_saved("JPEG") + _FILM, Holdings(film=len(_FILM))),
        (_jpeg_of_many(_BIG + _FILM), Holdings(film=len(_FILM))),
        (_jpeg_of_many(_BIG), Holdings(more=True)),
        (_jpeg_of_many(), NO_HOLDINGS),
        (_saved("JPEG") + b"\0" * 50_000, NO_HOLDINGS),
        (_saved("JPEG") + b"a maker's note", NO_HOLDINGS),
        (_saved("JPEG")[:500], NO_HOLDINGS),
    ],
)
def test_what_comes_behind_a_jpeg(data: bytes, held: Holdings) -> None:
    assert holdings_of(data) == held


def test_a_film_in_a_heif() -> None:
    pillow_heif.register_heif_opener()
    still = _saved("HEIF")
    film = struct.pack(">L4s", 108, b"mpvd") + b"f" * 100
    assert holdings_of(still) == NO_HOLDINGS
    assert holdings_of(still + film) == Holdings(film=108)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(
    ("tables", "raw"),
    [
        ([{_SUBFILE: 1, _FURTHER: 99}], True),  # NEF, ARW: a preview, and the rest further on
        ([{_DNG: 1}], True),
        ([{_SUBFILE: 0}, {_PHOTOMETRIC: 32803}], True),
        ([{_SUBFILE: 0, _FURTHER: 99}, {_SUBFILE: 1}], False),  # a picture with smaller ones
    ],
)
def test_raw_by_its_tables(tables: list[dict[int, int]], raw: bool, big: bool) -> None:
    assert holdings_of(_tables(*tables, big=big)).raw is raw


def test_a_raw_file_without_a_picture_is_not_called_damaged() -> None:
    with pytest.raises(ImageUnreadableError, match="RAW data itself is not decoded"):
        decode(_tables({_SUBFILE: 0, _DNG: 1}) + bytes(100))


def test_raw_by_its_name_or_first_bytes() -> None:
    assert holdings_of(_saved("TIFF"), "/a/b.NEF").raw
    assert holdings_of(b"II*\0\x10\0\0\0CR\2\0").raw
    assert not holdings_of(_saved("TIFF"), "/nef/b.tif").raw


def test_what_the_camera_noted() -> None:
    noted = exif()
    noted.get_ifd(0x8769)[0x9291] = "25"
    noted[0x0132] = "2026:01:01 00:00:00"  # when it was changed
    held = Holdings(taken="2024-05-17 18:30:00.25", camera="Canon EOS 5D", place=True)
    assert holdings_of(_saved("JPEG", exif=noted)) == held
    noted = exif(taken=None, make=None, model=None, latitude=None)
    noted[0x0132] = "2026:01:01 00:00:00"
    assert holdings_of(_saved("JPEG", exif=noted)) == NO_HOLDINGS
