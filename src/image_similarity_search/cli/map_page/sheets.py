"""Small square pictures, many to a sheet, in the order in which they lie on the map."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

from image_similarity_search.types import FloatArray, IdArray, PixelArray

_SHEET = 1024  # pixels on each side
_QUALITY = 65
_NONE = (128, 128, 128)
_TILES = ((2_000, 96), (10_000, 64), (50_000, 48))  # up to so many pictures: pixels of one
_SMALLEST = 32

Thumbnail = Callable[[int], bytes | None]


def tile_side(count: int) -> int:
    """Pixels of a picture, so that the page of so many stays small enough to be opened."""
    return next((side for most, side in _TILES if count <= most), _SMALLEST)


def along_curve(positions: FloatArray) -> IdArray:
    """An order in which places ``(n, 2)`` of 0..1 that are near one another come together.

    That of a Z-order curve; so what is seen at once is on few sheets.
    """
    x, y = (_spread((positions[:, axis] * 65535).astype(np.uint64)) for axis in (0, 1))
    return np.argsort(x | (y << np.uint64(1)), kind="stable").astype(np.int64)


def _spread(values: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> IdArray:
    """The 16 bits of each value with a gap behind each."""
    for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        values = (values | (values << np.uint64(shift))) & np.uint64(mask)
    return values  # type: ignore[return-value]  # all of them are below 2**31


class Sheets:
    """Draws thumbnails onto sheets.

    Attributes:
        tile: pixels of a picture's side.
        across: pictures in a row, and rows.
        colours: of each picture that was drawn, its mean, ``(n, 3)``.
    """

    def __init__(self, count: int) -> None:
        self.tile = tile_side(count)
        self.across = _SHEET // self.tile
        self.colours: PixelArray = np.full((count, 3), _NONE, dtype=np.uint8)

    def draw(self, ids: IdArray, thumbnail: Thumbnail) -> Iterator[bytes]:
        """Each sheet as WebP, with the pictures of ``ids`` in this order."""
        size = self.across**2
        for start in range(0, len(ids), size):
            part = ids[start : start + size]
            rows = -(-len(part) // self.across)
            sheet = Image.new("RGB", (self.across * self.tile, rows * self.tile), _NONE)
            for place, id_ in enumerate(part.tolist()):
                tile = self._tile(thumbnail(id_))
                if tile is None:
                    continue
                row, column = divmod(place, self.across)
                sheet.paste(tile, (column * self.tile, row * self.tile))
                self.colours[start + place] = np.asarray(tile).mean(axis=(0, 1)).round()
            out = BytesIO()
            sheet.save(out, "WEBP", quality=_QUALITY, method=2)
            yield out.getvalue()

    def _tile(self, jpeg: bytes | None) -> Image.Image | None:
        """The middle square of a thumbnail; None where there is none."""
        if jpeg is None:
            return None
        image = Image.open(BytesIO(jpeg))
        image.draft("RGB", (2 * self.tile, 2 * self.tile))
        size = (self.tile, self.tile)
        return ImageOps.fit(image.convert("RGB"), size, Image.Resampling.BILINEAR)
