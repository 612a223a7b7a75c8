"""How well the bundled encoder tells objects apart."""

from __future__ import annotations

import re
import statistics
from typing import TYPE_CHECKING

from bench import child
from bench.registry import Figures, Setting

if TYPE_CHECKING:
    from image_similarity_search import Collection

_OBJECT_SIZE = 4  # UKBench shows each object in so many pictures


def ukbench(setting: Setting) -> Figures:
    """The N-S score on a folder of UKBench: of 4 pictures of an object, how many are in the top 4.

    The query counts as one of them: it is in the collection, and nothing is nearer to it.
    """
    if setting.ukbench is None:
        return {"skipped": "UKBENCH=DIR names no folder"}
    return child.run("quality", "scores", setting.ukbench, setting.scratch / "ukbench")


def scores(photos: str, index_dir: str) -> Figures:
    """The N-S score, and the share of first hits that show the object; in its own process."""
    from image_similarity_search import Collection

    with Collection.open(index_dir, create=True) as collection:
        collection.sync(photos)
        found = [_same_object(collection, record.id, record.path) for record in collection]
    return {
        "images": len(found),
        "n_s": 1 + statistics.fmean(sum(same) for same in found),
        "top1": statistics.fmean(same[0] for same in found),
    }


def _same_object(collection: Collection, id_: int, path: str) -> list[bool]:
    hits = collection.search(id_, _OBJECT_SIZE - 1)
    return [_object_of(hit.path) == _object_of(path) for hit in hits]


def _object_of(path: str) -> int:
    digits = re.search(r"(\d+)\.\w+$", path)
    if digits is None:
        raise SystemExit(f"{path} is not named as UKBench's files are")
    return int(digits[1]) // _OBJECT_SIZE
