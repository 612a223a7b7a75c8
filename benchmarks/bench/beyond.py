"""What collections beyond one computer would take, from what one node was measured to do.

Nothing here was tried at such sizes: memory and time of one node, times how many there must be.
``benchmarks/scaling.py`` prints the same with other assumptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from bench.registry import Figures

KINDS = ("hnsw", "ivf-sq8")
SIZES = (10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000)
_GIB = 2**30
_HOUR, _MONTH_HOURS = 3600, 730
_CATALOG = "peers-1m-ours-auto"

Results = Mapping[str, Figures]


@dataclass(frozen=True, slots=True)
class Assumed:
    """What was not measured, and can be said otherwise.

    Attributes:
        node_gib: memory of a node that searches.
        node_cores: its processors.
        usable: the share of its memory that vectors may fill.
        copies: how many nodes hold each vector, so that one may fail.
        segment_mib: of vectors in a segment, which is what a node searches in one piece.
        gpu_per_s: pictures a second that a GPU embeds.
        gpu_hour, core_hour, gib_hour: what one costs for an hour, in dollars.
    """

    node_gib: float = 64
    node_cores: int = 16
    usable: float = 0.7
    copies: int = 1
    segment_mib: float = 512
    gpu_per_s: float = 1000
    gpu_hour: float = 2.0
    core_hour: float = 0.04
    gib_hour: float = 0.005


USUAL = Assumed()


def measured(results: Results) -> str:
    """A table of what one node did; "" where none was measured."""
    from bench import tables

    head = ["index", "put there", "index built", "memory", "query p50", "p99", "recall@10",
            "by 4 clients", "comparing with all"]  # fmt: skip
    rows = []
    for kind, one in _nodes(results).items():
        rows.append([
            f"`{kind}`", f"{tables.number(one['insert_per_s'])}/s",
            f"{tables.number(one['images'] / one['index_s'])}/s",
            f"{tables.number(one['bytes_per_image'] / 1024)} KiB an image",
            f"{tables.number(one['p50_ms'])} ms", f"{tables.number(one['p99_ms'])} ms",
            f"{one['recall_at_10']:.3f}", f"{tables.number(one['queries_per_s'])}/s",
            f"{tables.number(one['product_p50_ms'])} ms",
        ])  # fmt: skip
    if not rows:
        return ""
    names = [f"engine-{kind}" for kind in _nodes(results)]
    return tables.table(head, rows) + tables.origin(results, names, "engine-*")


def vectors(results: Results, assumed: Assumed = USUAL) -> str:
    """A table of the engine for each size and kind; "" where none was measured."""
    from bench import tables

    head = ["pictures", "index", "memory", "nodes", "segments a node", "query p50", "to fill",
            "nodes, a month", "a million, a month"]  # fmt: skip
    rows = []
    for count in SIZES:
        for kind, node in _nodes(results).items():
            need = needed(count, node, assumed)
            rows.append([
                f"{count:,}", f"`{kind}`", f"{_round(need.memory_gib)} GiB", f"{need.nodes:,}",
                f"{need.segments:,}", f"{_round(need.query_ms)} ms",
                f"{_round(need.fill_hours)} h", f"${_round(need.month)}",
                f"${need.month / count * 1e6:.2f}",
            ])  # fmt: skip
    return tables.table(head, rows) if rows else ""


def pictures(results: Results, assumed: Assumed = USUAL) -> str:
    """A table of embedding for each size; "" where indexing was not measured."""
    from bench import tables

    if "indexing" not in results:
        return ""
    rates = _rates(results)
    head = ["pictures", "16 cores", "16 machines of 16", "1 GPU", "8 GPUs", "64 GPUs",
            "a million, by cores", "by GPUs"]  # fmt: skip
    rows = []
    for count in SIZES:
        on_cores, on_gpu = count / rates.core_per_s / _HOUR, count / assumed.gpu_per_s / _HOUR
        with_its_cores = assumed.gpu_hour + assumed.core_hour * ceil(rates.cores_a_gpu(assumed))
        rows.append([
            f"{count:,}",
            *(f"{_round(on_cores / cores)} h" for cores in (16, 256)),
            *(f"{_round(on_gpu / gpus)} h" for gpus in (1, 8, 64)),
            f"${on_cores / count * 1e6 * assumed.core_hour:.2f}",
            f"${on_gpu / count * 1e6 * with_its_cores:.2f}",
        ])  # fmt: skip
    cores = ceil(rates.cores_a_gpu(assumed))
    return tables.table(head, rows) + (
        f"\n\nEach such GPU wants {cores} cores that decode for it, by the rate of decoding alone."
    )


def catalog(results: Results) -> str:
    """A table of the catalog, which one computer has, for each size; "" as above."""
    from bench import tables

    if _CATALOG not in results or not _nodes(results):
        return ""
    found = results[_CATALOG]["figures"]
    rows = [
        [f"{count:,}", f"{_round(found['disk_mb'] / found['count'] * count / 1e3)} GB"]
        for count in SIZES
    ]
    return tables.table(["pictures", "catalog"], rows)


@dataclass(frozen=True, slots=True)
class Needed:
    """What so many vectors need of an engine.

    Attributes:
        memory_gib: of all nodes together.
        nodes: that search.
        segments: that each of them searches, for every query.
        query_ms: the straight line through what was measured: a node with more segments takes
            as many times as long, less what its processors do at once.
        fill_hours: to put them there, by one process.
        month: what the nodes cost, in dollars.
    """

    memory_gib: float
    nodes: int
    segments: int
    query_ms: float
    fill_hours: float
    month: float


def needed(count: int, node: Figures, assumed: Assumed = USUAL) -> Needed:
    """What ``count`` vectors need, when one node did ``node``."""
    memory = count * node["bytes_per_image"] * assumed.copies / _GIB
    nodes = max(assumed.copies, ceil(memory / (assumed.node_gib * assumed.usable)))
    on_each = count * assumed.copies / nodes
    in_a_segment = assumed.segment_mib * 2**20 / (4 * node["dim"])
    segments = ceil(on_each / in_a_segment)
    hour = assumed.node_gib * assumed.gib_hour + assumed.node_cores * assumed.core_hour
    return Needed(
        memory_gib=memory,
        nodes=nodes,
        segments=segments,
        query_ms=node["p50_ms"] * max(1, ceil(segments / assumed.node_cores)),
        fill_hours=count / node["insert_per_s"] / _HOUR,
        month=nodes * hour * _MONTH_HOURS,
    )


@dataclass(frozen=True, slots=True)
class _Rates:
    """Pictures a second of one processor: indexing, and decoding alone."""

    core_per_s: float
    decode_per_s: float

    def cores_a_gpu(self, assumed: Assumed) -> float:
        """How many processors decode what a GPU embeds."""
        return assumed.gpu_per_s / self.decode_per_s


def _rates(results: Results) -> _Rates:
    found, cores = results["indexing"]["figures"], results["indexing"]["machine"]["cores"]
    return _Rates(found["per_s"] / cores, found["decode_alone_per_s"] / cores)


def _nodes(results: Results) -> dict[str, Figures]:
    found = {kind: results.get(f"engine-{kind}", {}).get("figures", {}) for kind in KINDS}
    return {kind: figures for kind, figures in found.items() if "bytes_per_image" in figures}


def _round(value: float) -> str:
    """Two figures, and no more: it is foreseen."""
    return f"{float(f'{value:.2g}'):,.0f}" if value >= 10 else f"{value:.2g}"
