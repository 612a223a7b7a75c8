"""Everything that is measured."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import quality
import starting
from peers import measure

from bench import adapters
from bench.registry import Figures, Measurement, Setting

_QUICK_SIZE = "20k"
_QUICK_PEERS = ("ours-auto", "faiss-flat", "faiss-ivf", "faiss-hnsw", "hnswlib", "usearch-f32")


def measurements() -> list[Measurement]:
    """All of them, in the order in which they are made: small before large."""
    return [
        _one("indexing", "pictures a second, and the limit of that", adapters.indexing),
        _one("start-up", "iss search and iss --help in fresh processes", starting.start_up),
        _one("large-pictures", "decoding 12 megapixels", adapters.large_pictures, full=True),
        _one("workers", "what decoding processes cost", adapters.workers, full=True),
        _one("recipe", "indexing beside the recipe in torch", adapters.recipe, full=True),
        _one("resnet50", "indexing by ResNet-50 beside the recipe", adapters.resnet50, full=True),
        _one("processors", "indexing on one processor and on more", adapters.processors, full=True),
        _one("thumbnails", "what thumbnails cost", adapters.thumbnails_cost, full=True),
        _one("quality", "objects told apart on UKBench", quality.ukbench, full=True),
        _one("rescan", "a sync of 100,000 unchanged files", adapters.rescan, full=True),
        _one("memory", "peak memory of 20,000 pictures", adapters.memory, full=True),
        _one("install", "megabytes of an install", starting.install_size, full=True),
        _one("filters", "searches among some of the images", adapters.filters, full=True),
        *_peers(),
        *(
            Measurement(
                f"searches-{label}",
                f"searches among {count:,}, one by one and together, and cold",
                True,
                partial(adapters.searches, count=count),
            )
            for label, count in (("100k", 100_000), ("1m", 1_000_000))
        ),
        *(
            Measurement(
                f"engine-{kind}",
                f"one node of Milvus, {kind}",
                True,
                partial(adapters.engine, kind=kind),
            )
            for kind in ("hnsw", "ivf-sq8")
        ),
        _one("adding", "one picture more in a million", adapters.adding, full=True),
    ]


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
