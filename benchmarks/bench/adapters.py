"""The measurements that other scripts make, from what the frame gives them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import engine_node
import filling
import indexing_cost
import numpy as np
import searching
import starting
import thumbnails
from peers import data
from peers.base import PART

from bench import child
from bench.registry import Figures, Setting
from image_similarity_search import Collection
from image_similarity_search.types import FloatArray

_TORCH = Path(__file__).resolve().parent.parent.parent / ".venv-recipe" / "bin" / "python"
_PICTURES = 3000  # to index
_FILTERED, _ADDED_TO = 100_000, 1_000_000
_IN_ENGINE = 50_000


def indexing(setting: Setting) -> Figures:
    """The rate of indexing beside that of decoding and encoding alone."""
    return indexing_cost.beside_its_parts(setting.pictures[0], str(setting.scratch), _PICTURES)


def recipe(setting: Setting) -> Figures:
    """The rate of indexing beside what others index with; needs torch, in an environment aside."""
    if not os.path.exists(_TORCH):
        return {"skipped": "there is no .venv-recipe with torch: 'make bench-full' makes it"}
    return indexing_cost.beside_others(
        setting.pictures[0], str(setting.scratch), str(_TORCH), _PICTURES, devices=_devices()
    )


def resnet50(setting: Setting) -> Figures:
    """Indexing by ResNet-50 beside the recipe, the same network; needs torch as ``recipe`` does."""
    if not os.path.exists(_TORCH):
        return {"skipped": "there is no .venv-recipe with torch: 'make bench-full' makes it"}
    return indexing_cost.with_resnet50(
        setting.pictures[0], str(setting.scratch), str(_TORCH), devices=_devices()
    )


def processors(setting: Setting) -> Figures:
    """Indexing on one processor, on two, and so on."""
    return indexing_cost.by_processors(setting.pictures[0], str(setting.scratch))


def searches(setting: Setting, count: int) -> Figures:
    """Searches one by one and many at once, beside flat, and what fresh processes take."""
    folder = setting.scratch / f"grown-{count}"
    queries = searching.made(folder, count, setting.pictures)
    found = searching.searching(str(folder), queries, ("auto", "ivf-rabitq"), (0.95,))
    alone = child.run("searching", "by_id", folder)
    cold = starting.cold_search(setting, folder)
    return found | {f"process_{name}": value for name, value in alone.items()} | cold


def memory(setting: Setting) -> Figures:
    """Peak memory of indexing many pictures, beside few."""
    return indexing_cost.memory(setting.pictures[0], str(setting.scratch))


def large_pictures(setting: Setting) -> Figures:
    """Decoding large pictures for the encoder, beside decoding them in full."""
    return indexing_cost.large_pictures(setting.pictures[0], str(setting.scratch))


def workers(setting: Setting) -> Figures:
    """Decoding in worker processes, beside decoding in the process."""
    return indexing_cost.through_workers(setting.pictures[0])


def rescan(setting: Setting) -> Figures:
    """A sync of unchanged files, beside a bare walk."""
    return child.run("upkeep", "rescan", setting.scratch)


def thumbnails_cost(setting: Setting) -> Figures:
    """Indexing with thumbnails, beside without."""
    return thumbnails.cost(setting.pictures[0])


def filters(setting: Setting) -> Figures:
    """Searches with filters that let through more or less, beside one without."""
    return child.run("filters", "filtered_search", _collection(setting, _FILTERED))


def engine(setting: Setting, kind: str) -> Figures:
    """One node of an engine, beside comparing with all in this process."""
    if not engine_node.can_be_measured():
        return {"skipped": "there is no Milvus server: run it by .venv-engine/bin/python"}
    found = data.load(data.make(setting.cache, _IN_ENGINE, setting.pictures))
    return engine_node.measured(np.array(found.rows), found.queries, kind, setting.scratch)


def adding(setting: Setting) -> Figures:
    """One picture more in a million, beside encoding it."""
    index, inner = _collection(setting, _ADDED_TO), setting.scratch / "adding"
    inner.mkdir()
    return child.run("upkeep", "adding", index, setting.pictures[0], inner)


def _devices() -> str:
    return "cpu openvino" if find_spec("openvino") else "cpu"


def _collection(setting: Setting, count: int) -> Path:
    rows = data.load(data.make(setting.cache, count, setting.pictures)).rows

    def blocks() -> Iterator[FloatArray]:
        for start in range(0, count, PART):
            yield rows[start : start + PART]

    folder = setting.scratch / "collection"
    filling.fill(folder, blocks())
    with Collection.open(folder) as collection:
        collection.rebuild()
    return folder
