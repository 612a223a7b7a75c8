"""What more pictures than were measured cost, by the slopes of what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bench import points
from bench.registry import Figures

_PEER = "ours-auto"
_SIZES = ("100k", "300k", "1m")
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

    found = _found(results)
    if len(found) < 2 or "indexing" not in results:
        return ""
    per_s = results["indexing"]["figures"]["per_s"]
    head = ["pictures", "to index", "memory", "disk", "query p50", "to make the store"]
    rows = []
    for count in _FORESEEN:
        memory = _line(found, "rss_anon_mib", count) / 1024
        disk = _line(found, "disk_mb", count) / 1e3
        query = _line([one | {"p50": one["points"][0]["p50_ms"]} for one in found], "p50", count)
        store = _line(found, "store_s", count)
        rows.append([
            f"{count:,}", f"{tables.number(count / per_s / _DAY)} days",
            f"{tables.number(memory)} GiB", f"{disk:,.0f} GB",
            f"{tables.number(query)} ms", f"{tables.number(store / 60)} min",
        ])  # fmt: skip
    return tables.table(head, rows)


def _found(results: Mapping[str, Figures]) -> list[Figures]:
    all_ = [points.of_size(results, size).get(_PEER, {}) for size in _SIZES]
    return [figures for figures in all_ if figures.get("points")]


def _line(found: Sequence[Figures], name: str, count: int) -> float:
    """The value at ``count`` of the straight line through those that were measured."""
    slope, start = np.polyfit([one["count"] for one in found], [one[name] for one in found], 1)
    return float(start + slope * count)
