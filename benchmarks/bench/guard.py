"""Whether this project became slower: ratios measured now beside those that were kept.

Only ratios to a baseline of the same minutes are compared, with bounds wide enough for another
machine and other pictures; times never are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bench import points
from bench.registry import Figures


@dataclass(frozen=True, slots=True)
class Guard:
    """One ratio of one measurement.

    Attributes:
        measurement: its name.
        ratio: for people.
        value: reads it from the figures.
        worst: the share of the kept value that it may fall to; above 1 where less is better, and
            then the multiple of it that it may grow to.
    """

    measurement: str
    ratio: str
    value: Callable[[Figures], float]
    worst: float

    def holds(self, now: float, kept: float) -> bool:
        """Whether the value measured now is good enough beside the kept one."""
        return now <= kept * self.worst if self.worst > 1 else now >= kept * self.worst


def _recall(figures: Figures) -> float:
    return max(point.recall for point in points.curve("", figures))


def _speed_up(figures: Figures) -> float:
    return float(figures["flat_p50_ms"] / min(one.p50_ms for one in points.curve("", figures)))


GUARDS = (
    Guard("indexing", "share of CPU time that is decoding and encoding",
          lambda figures: float(figures["cpu_of_parts_ratio"]), 0.8),
    Guard("start-up", "CPU time of a search over that of its imports",
          lambda figures: float(figures["search_over_imports_cpu_ratio"]), 1.3),
    Guard("peers-20k-ours-auto", "recall@10", _recall, 0.98),
    Guard("peers-20k-ours-auto", "time of comparing with all over that of a search",
          _speed_up, 0.6),
)  # fmt: skip


def compared(
    now: Mapping[str, Figures], kept: Mapping[str, Figures]
) -> Iterator[tuple[Guard, float, float]]:
    """Each guard with its value now and the kept one, where both were measured."""
    for guard in GUARDS:
        here, there = now.get(guard.measurement), kept.get(guard.measurement)
        if here and there and not {"skipped"} & (here.keys() | there.keys()):
            yield guard, guard.value(here), guard.value(there)
