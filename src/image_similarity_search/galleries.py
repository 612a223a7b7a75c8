"""Lists of pictures that a notebook shows as a gallery, and that are lists to everything else."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex, TypeVar, overload

from image_similarity_search import markup
from image_similarity_search.errors import ImageSearchError
from image_similarity_search.types import ImageRecord

MOST_SHOWN = 24
"""Pictures in a gallery: with 12 kB each, what a notebook file can well hold."""

_T = TypeVar("_T")
_U = TypeVar("_U")

# Styles stand at each element: what shows notebooks elsewhere leaves style sheets out. Colours are
# those of the text around, so that they suit a light page and a dark one.
_GALLERY = "display:flex;flex-wrap:wrap;gap:12px;align-items:flex-start;margin:4px 0"
_FIGURE = "margin:0;width:132px;font-size:12px;line-height:1.35;overflow-wrap:anywhere"
_FRAME = (
    "display:flex;align-items:center;justify-content:center;width:132px;height:132px;"
    "box-sizing:border-box;border:1px solid rgba(128,128,128,.35);border-radius:4px"
)
_PICTURE = "max-width:100%;max-height:100%;margin:0"
_QUIET = "opacity:.7"


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture of a gallery: its path, what stands above its name, and a small picture of it.

    ``picture`` gives a JPEG, PNG or WebP, or None; it may raise an ``ImageSearchError``.
    """

    path: str
    note: str
    picture: Callable[[], bytes | None]


class Gallery(list[_T]):
    """A list whose items a notebook shows as pictures, the first ``MOST_SHOWN`` of them.

    Copies, sums and what is pickled of it are plain lists; slices are galleries.
    """

    def __init__(self, items: Iterable[_T], tile: Callable[[_T], Tile]) -> None:
        """``tile`` says how an item is shown, when it is."""
        super().__init__(items)
        self.tile = tile

    @overload
    def __getitem__(self, which: SupportsIndex) -> _T: ...
    @overload
    def __getitem__(self, which: slice) -> list[_T]: ...
    def __getitem__(self, which: SupportsIndex | slice) -> _T | list[_T]:
        if isinstance(which, slice):
            return Gallery(super().__getitem__(which), self.tile)
        return super().__getitem__(which)

    def __reduce_ex__(self, _protocol: SupportsIndex) -> tuple[Any, ...]:
        return list, (list(self),)

    def _repr_html_(self) -> str:
        if not self:
            return "<em>no pictures</em>"
        more = len(self) - MOST_SHOWN
        note = f'<p style="{_QUIET}">and {more:,} more</p>' if more > 0 else ""
        return gallery([self.tile(item) for item in self[:MOST_SHOWN]]) + note


def shown_as(items: Sequence[_T], others: Sequence[_U], key: Callable[[_T], Hashable]) -> list[_T]:
    """Items that a notebook shows as those of a gallery that are in the same places."""
    if not isinstance(others, Gallery):
        return list(items)
    twins = {key(item): other for item, other in zip(items, others, strict=True)}

    def tile(item: _T) -> Tile:
        twin = twins.get(key(item))
        if twin is None:  # the list is the caller's, who may have changed it or put others to it
            return Tile(str(key(item)), "", lambda: None)
        return others.tile(twin)

    return Gallery(items, tile)


def gallery(tiles: Sequence[Tile]) -> str:
    """HTML that shows pictures beside one another, and needs no other file."""
    return f'<div style="{_GALLERY}">' + "".join(map(_figure, tiles)) + "</div>"


def score_and_size(score: float, width: int | None, height: int | None) -> str:
    """What stands above the name of a hit."""
    return " · ".join(part for part in (f"{score:.4f}", size(width, height)) if part)


def size(width: int | None, height: int | None) -> str:
    """The pixels of a picture; empty where they are not known."""
    return f"{width} × {height}" if width else ""  # noqa: RUF001 - a sign of multiplication


def tile_of(record: ImageRecord, note: str, look: Callable[[ImageRecord], bytes | None]) -> Tile:
    """How an image of a collection is shown."""
    return Tile(record.path, note, lambda: look(record))


def _figure(tile: Tile) -> str:
    name = os.path.basename(tile.path)
    try:
        picture = tile.picture()
    except ImageSearchError:  # a gallery is shown nevertheless
        picture = None
    shown = (
        f'<img style="{_PICTURE}" alt="{markup.text(name)}" src="{markup.data_uri(picture)}">'
        if picture
        else f'<span style="{_QUIET}">no picture</span>'
    )
    note = f'<div style="{_QUIET}">{markup.text(tile.note)}</div>' if tile.note else ""
    return (
        f'<figure style="{_FIGURE}" title="{markup.text(tile.path)}">'
        f'<div style="{_FRAME}">{shown}</div>'
        f"<figcaption>{note}<div>{markup.name(name)}</div></figcaption></figure>"
    )
