"""Everything that is measured."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import beside_recipe
import indexing_rate
import quality
import selections
import starting
import thumbnails
from peers import measure

from bench.registry import Figures, Measurement, Setting

_QUICK_SIZE = "20k"
_QUICK_PEERS = ("ours-auto", "faiss-flat", "faiss-ivf", "faiss-hnsw", "hnswlib", "usearch-f32")


def measurements() -> list[Measurement]:
    """All of them, in the order in which they are made: small before large."""
    return [
        _one("indexing", "pictures a second, and the limit of that", indexing_rate.rate),
        _one("start-up", "iss search and iss --help in fresh processes", starting.start_up),
        _one("recipe", "indexing beside the recipe in torch", beside_recipe.beside, full=True),
        _one("filters", "searches among some of the images", selections.filtered, full=True),
        _one("thumbnails", "what thumbnails cost while indexing", _thumbnails, full=True),
        _one("quality", "objects told apart on UKBench", quality.ukbench, full=True),
        _one(
            "memory", "peak memory of ten times as many pictures", indexing_rate.memory, full=True
        ),
        _one("install", "megabytes of an install", starting.install_size, full=True),
        *_peers(),
    ]


def _thumbnails(setting: Setting) -> Figures:
    return thumbnails.cost(setting.pictures[0])


def _one(
    name: str, measures: str, run: Callable[[Setting], Figures], *, full: bool = False
) -> Measurement:
    return Measurement(name, measures, full, run)


def _peers() -> list[Measurement]:
    return [
        Measurement(
            f"peers-{label}-{name}",
            f"{name} among {count:,} embeddings",
            label != _QUICK_SIZE or name not in _QUICK_PEERS,
            partial(measure.measure, name=name, count=count),
        )
        for label, count in measure.SIZES.items()
        for name in measure.PEERS
    ]
