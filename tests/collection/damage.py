"""A collection to be damaged, ways to damage it, and what it answers."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from conftest import CountingEncoder, MakePicture, draw

from image_similarity_search.collection import Collection, Query

Answers = list[Any]
_QUERIES: list[Query] = [*(draw(seed) for seed in (1, 2, 3, 99)), 3, 9, 15, 21]


def make(folder: Path, make_picture: MakePicture) -> Path:
    """A collection of two roots, some folders, a bad file and a removed image; its folder."""
    for seed in range(24):
        below = ("one", "one/below", "two", "two/ü & co")[seed % 4]
        make_picture(folder / below / f"picture {seed}.png", seed)
    (folder / "one" / "bad.jpg").write_bytes(b"no picture")
    with Collection.open(folder / "index", encoder=CountingEncoder(), create=True) as collection:
        collection.sync(folder / "one")
        collection.sync(folder / "two")
        (folder / "one" / "picture 0.png").unlink()
        collection.sync(folder / "one")
    return folder / "index"


def answers(index: Path) -> Answers:
    """Everything that a collection says: its images, and what is found by each of them."""
    with Collection.open(index) as collection:
        found = [
            [(hit.score, hit.distance, asdict(hit.image)) for hit in hits]
            for hits in collection.search_many(_QUERIES, k=7)
        ]
        images = [asdict(record) for record in (*collection, *collection.skipped())]
        return [found, images, collection.roots(), len(collection)]


def copies(index: Path, folder: Path) -> Iterator[Path]:
    """Fresh copies of a collection, each instead of the one before."""
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(index, folder)
        yield folder


def flip(file: Path, seed: int) -> int:
    """Turn one bit, mostly of a byte that is used; returns where."""
    rng = random.Random(seed)
    data = bytearray(file.read_bytes())
    place = rng.randrange(len(data))
    while not data[place] and rng.random() < 0.9:
        place = rng.randrange(len(data))
    data[place] ^= 1 << rng.randrange(8)
    file.write_bytes(data)
    return place


def zero(file: Path, start: int, length: int) -> None:
    """Overwrite a part with zeros."""
    with file.open("rb+") as opened:
        opened.seek(start)
        opened.write(bytes(min(length, file.stat().st_size - start)))


def truncate(file: Path, length: int) -> None:
    """Cut off the end."""
    with file.open("rb+") as opened:
        opened.truncate(length)
