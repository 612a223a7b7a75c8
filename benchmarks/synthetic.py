"""Collections of any size, without as many pictures.

The records go through the catalog's own ``put``, as indexing gives them to it, and the store is
made of the catalog as always: whoever opens the collection can't tell it from an indexed one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

from image_similarity_search import Collection, Encoder, vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.catalog.places import Place
from image_similarity_search.catalog.values import FileStat, Picture
from image_similarity_search.types import FloatArray

_PER_FOLDER = 1000


def write_files(root: Path, count: int) -> None:
    """``count`` small JPEG files below ``root``, a thousand in each folder."""
    picture = root / "picture.jpg"
    root.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(picture)
    data = picture.read_bytes()
    picture.unlink()
    for number in range(count):
        path = root / _relative(number)
        if number % _PER_FOLDER == 0:
            path.parent.mkdir()
        path.write_bytes(data)


def build(
    folder: Path,
    root: Path,
    blocks: Iterable[FloatArray],
    index: str = "auto",
    encoder: Encoder | None = None,
) -> None:
    """Make a collection in ``folder`` whose images lie below ``root``, whether there or not."""
    with Collection.open(folder, encoder=encoder, index=index, create=True):
        pass
    catalog = Catalog(str(folder))
    try:
        with writer_lock(str(folder)):
            with catalog.transaction():
                root_id, _ = catalog.places.require_root(str(root))
            for items in _in_transactions(blocks):
                with catalog.transaction():
                    for number, picture in items:
                        inner, name = os.path.split(_relative(number))
                        place = Place(catalog.places.require_folder(root_id, inner), name)
                        catalog.changes.put(place, _stat(root / _relative(number)), picture)
    finally:
        catalog.close()
    with Collection.open(folder) as collection:
        collection.rebuild()


def _in_transactions(blocks: Iterable[FloatArray]) -> Iterator[list[tuple[int, Picture]]]:
    number = 0
    for block in blocks:
        units, norms = vectors.pack(block)
        items = []
        for unit, norm in zip(units, norms.tolist(), strict=True):
            content_hash = number.to_bytes(16, "big").hex()
            items.append((number, Picture(content_hash, 640, 480, unit, norm)))
            number += 1
        yield items


def _relative(number: int) -> str:
    return f"{number // _PER_FOLDER:05}/{number:08}.jpg"


def _stat(path: Path) -> FileStat:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return FileStat(100_000, 0)
    return FileStat(status.st_size, status.st_mtime_ns)
