"""What a camera writes into a photograph."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from PIL import Image

TAKEN = int(datetime(2024, 5, 17, 18, 30, tzinfo=UTC).timestamp())


def exif(**changes: Any) -> Image.Exif:
    """The EXIF of a photograph of Berne; ``changes`` are other values, None: without it."""
    values = {
        "make": "Canon",
        "model": "Canon EOS 5D",
        "taken": "2024:05:17 18:30:00",
        "latitude": (46, 56, 52.8),
        "south": "N",
        "longitude": (7, 26, 50.4),
        "west": "E",
    } | changes
    made = Image.Exif()
    detail, gps = made.get_ifd(0x8769), made.get_ifd(0x8825)
    places: dict[str, tuple[Any, int]] = {
        "make": (made, 0x010F),
        "model": (made, 0x0110),
        "taken": (detail, 0x9003),
        "south": (gps, 1),
        "latitude": (gps, 2),
        "west": (gps, 3),
        "longitude": (gps, 4),
    }
    for name, (table, tag) in places.items():
        if values[name] is not None:
            table[tag] = values[name]
    return made
