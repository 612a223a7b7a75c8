"""What more pictures than were measured cost, by the slopes of what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench import points
from bench.registry import Figures
from image_similarity_search.encoders.table import DEFAULT_ENCODER, ENCODERS
from image_similarity_search.stores.half_bytes import MOST_BYTES, most

_PEER = "ours-auto"
_SIZES = ("100k", "1m")
_FORESEEN = (10_000_000, 100_000_000)
_DAY = 86_400


def measured(results: Mapping[str, Figures]) -> str:
    """A table of what was measured of ours at each size; "" without two sizes."""
    from bench import tables

    found = _found(results)
    if len(found) < 2:
        return ""
    head = ["pictures", "query p50", "flat", "recall@10", "memory", "disk", "to make the store"]
    rows = [
        [
            f"{one['count']:,}", f"{tables.number(one['points'][0]['p50_ms'])} ms",
            f"{tables.number(one['flat_p50_ms'])} ms", f"{one['points'][0]['recall']:.3f}",
            f"{tables.number(one['rss_anon_mib'])} MiB", f"{one['disk_mb'] / 1e3:.2f} GB",
            f"{tables.number(one['store_s'])} s",
        ]
        for one in found
    ]  # fmt: skip
    names = [f"peers-{size}-{_PEER}" for size in _SIZES if f"peers-{size}-{_PEER}" in results]
    return tables.table(head, rows) + tables.origin(results, names, f"peers-*-{_PEER}")


def foreseen(results: Mapping[str, Figures]) -> str:
    """A table of what larger collections would cost; "" where too little was measured."""
    from bench import tables

    costs = _costs(results)
    if costs is None:
        return ""
    head = ["pictures", "to index", "memory", "disk", "query p50", "to make the store"]
    rows = [
        [
            f"{count:,}", f"{costs.index_days.at(count):.1f} days",
            f"{tables.number(costs.memory_gib.at(count))} GiB",
            f"{costs.disk_gb.at(count):,.0f} GB", f"{tables.number(costs.query_ms.at(count))} ms",
            f"{tables.number(costs.store_s.at(count) / 60)} min",
        ]
        for count in _FORESEEN
    ]  # fmt: skip
    return tables.table(head, rows)


def limits(results: Mapping[str, Figures]) -> str:
    """A table of where each cost reaches what people put up with; "" as for ``foreseen``."""
    from bench import tables

    costs = _costs(results)
    if costs is None:
        return ""
    reached = [
        ("a query takes 100 ms", costs.query_ms.reaches(100)),
        ("a query takes 1 s", costs.query_ms.reaches(1000)),
        ("a process that searches takes 16 GiB", costs.memory_gib.reaches(16)),
        ("the collection takes 1 TB of disk", costs.disk_gb.reaches(1000)),
        ("indexing all of it takes a week", costs.index_days.reaches(7)),
    ]
    rows = [[what, f"{count / 1e6:,.0f} million"] for what, count in reached]
    return tables.table(["what", "from about so many pictures on"], rows)


@dataclass(frozen=True, slots=True)
class _Line:
    """A straight line over the number of pictures."""

    start: float
    slope: float

    def at(self, count: float) -> float:
        return self.start + self.slope * count

    def reaches(self, value: float) -> float:
        return (value - self.start) / self.slope


@dataclass(frozen=True, slots=True)
class _Costs:
    index_days: _Line
    memory_gib: _Line
    disk_gb: _Line
    query_ms: _Line
    store_s: _Line


def _costs(results: Mapping[str, Figures]) -> _Costs | None:
    found = _found(results)
    if len(found) < 2 or "indexing" not in results:
        return None
    counts = [one["count"] for one in found]

    def through(values: Sequence[float]) -> _Line:
        slope, start = np.polyfit(counts, values, 1)
        return _Line(float(start), float(slope))

    return _Costs(
        index_days=_Line(0, 1 / results["indexing"]["figures"]["per_s"] / _DAY),
        memory_gib=through([_lasting_mib(one) / 1024 for one in found]),
        disk_gb=through([one["disk_mb"] / 1e3 for one in found]),
        query_ms=through([one["points"][0]["p50_ms"] for one in found]),
        store_s=through([one["store_s"] for one in found]),
    )


def _lasting_mib(one: Figures) -> float:
    """Memory without half bytes, which only collections up to some size have."""
    dim, count = ENCODERS[DEFAULT_ENCODER].dim, one["count"]
    halves = MOST_BYTES / 2**20 * count / most(dim) if count <= most(dim) else 0.0
    return float(one["rss_anon_mib"] - halves)


def _found(results: Mapping[str, Figures]) -> list[Figures]:
    all_ = [points.of_size(results, size).get(_PEER, {}) for size in _SIZES]
    return [figures for figures in all_ if figures.get("points")]
