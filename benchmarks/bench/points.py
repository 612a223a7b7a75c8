"""What the results of peers say: curves of recall against time, and who is on the front."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.registry import Figures

OURS = "ours-"


@dataclass(frozen=True, slots=True)
class Point:
    """One peer with one setting: the share found of the ten nearest, and milliseconds."""

    peer: str
    setting: str
    recall: float
    p50_ms: float
    p99_ms: float
    rss_anon_mib: float
    cpu_ms: float = 0.0  # of the processor; 0 where that was not measured


def of_size(results: Mapping[str, Figures], size: str) -> dict[str, Figures]:
    """The figures of each peer at a size such as ``100k``, skipped ones too; ours first."""
    start = f"peers-{size}-"
    found = {
        name.removeprefix(start): result["figures"]
        for name, result in results.items()
        if name.startswith(start)
    }
    return dict(sorted(found.items(), key=lambda item: (not item[0].startswith(OURS), item[0])))


def curve(peer: str, figures: Figures) -> list[Point]:
    """The points of a peer, the quickest setting first; none of one that was skipped."""
    return [
        Point(
            peer,
            f"{figures['knob']} {point['value']:,}" if figures["knob"] else "",
            point["recall"],
            point["p50_ms"],
            point["p99_ms"],
            figures.get("rss_anon_mib", 0.0),
            point.get("cpu_ms", 0.0),
        )
        for point in figures.get("points", ())
    ]


def told(curve_: Sequence[Point], wanted: float) -> Point:
    """The quickest point that finds the share ``wanted``, or else the one that finds most."""
    enough = [point for point in curve_ if point.recall >= wanted]
    if enough:
        return min(enough, key=lambda point: point.p50_ms)
    return max(curve_, key=lambda point: (point.recall, -point.p50_ms))


def better(mine: Point, others: Iterable[Point]) -> list[Point]:
    """Those that find as much or more in less time: with none of them, ``mine`` is on the front."""
    return [other for other in others if other.recall >= mine.recall and other.p50_ms < mine.p50_ms]
