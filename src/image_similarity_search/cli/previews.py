"""Small pictures between the lines that a terminal shows.

In which way, the terminal itself is asked: by sixels or the protocol of kitty where it has them,
otherwise by half blocks, two coloured pixels to a character.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from io import BytesIO

from image_similarity_search.cli.extras import extra
from image_similarity_search.cli.output import say
from image_similarity_search.collection import Collection
from image_similarity_search.errors import ImageError
from image_similarity_search.types import ImageRecord

_COLUMNS = 32
_LINES = 10
_CELL = 2  # times as high as it is wide, about

Preview = Callable[[ImageRecord], None]
"""Shows an image above the line that is about it."""


def previews(collection: Collection, *, wanted: bool) -> Preview:
    """What shows images, where that is wanted and there is a terminal; or does nothing.

    Raises:
        ConfigError: the extra for it is not installed.
    """
    if not wanted:
        return _nothing
    if not _is_terminal():
        say("no previews: standard input and output are not both a terminal")
        return _nothing
    with extra("preview", "--preview"):
        from rich.console import Console
        from textual_image.renderable import Image as Shown
    console = Console()

    def show(record: ImageRecord) -> None:
        from PIL import Image

        try:
            picture = Image.open(BytesIO(collection.thumbnail(record.id)))
        except ImageError as error:
            say(f"no preview of {record.path}: {error.reason}")
            return
        with picture:
            columns = round(_LINES * _CELL * picture.width / picture.height)
            console.print(Shown(picture, width=max(1, min(_COLUMNS, columns)), height="auto"))

    return show


def _is_terminal() -> bool:
    """Whether there is one that can be asked, and has a size."""
    streams = sys.stdin, sys.stdout
    return all(stream.isatty() for stream in streams) and os.get_terminal_size().columns > 0


def _nothing(_record: ImageRecord) -> None:
    """Show no picture."""
