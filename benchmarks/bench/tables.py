"""The tables of the documents, made of the results and of nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from peers.measure import PEERS

from bench import beyond, points, scale
from bench.registry import Figures

Results = Mapping[str, Figures]

_WANTED = 0.99  # the recall at which peers are told in one line
_NONE = "Not measured yet."


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def number(value: float) -> str:
    """Three digits, as people write them."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 1 else f"{value:.2g}"


def origin(results: Results, names: Sequence[str], only: str) -> str:
    """Where the figures come from: the command, the machine, the commit and the load."""
    machine = results[names[0]]["machine"]
    loads = [results[name]["machine"]["load"] or 0.0 for name in names]
    load = f"{min(loads):.1f}" + (f" to {max(loads):.1f}" if len(loads) > 1 else "")
    commits = dict.fromkeys(results[name]["machine"]["commit"] for name in names)
    return (
        f"\n\n`python benchmarks/run.py --only '{only}'` on {machine['cores']} cores of "
        f"{machine['processor']}, {number(machine['memory_gib'] or 0)} GiB, {machine['system']}, "
        f"Python {machine['python']}; pictures: {machine['pictures']}; {machine['date']}, "
        f"commit {', '.join(commits)}; "
        f"load of the machine when it began: {load}."
    )


def _measured(name: str) -> Callable[[Callable[[Figures], str]], Callable[[Results], str]]:
    """Makes a table of one measurement's figures one of the results, with where they come from."""

    def of_results(told: Callable[[Figures], str]) -> Callable[[Results], str]:
        def make(results: Results) -> str:
            figures = results.get(name, {}).get("figures", {"skipped": _NONE})
            if "skipped" in figures:
                return str(figures["skipped"])
            return told(figures) + origin(results, [name], name)

        return make

    return of_results


def _peers(size: str) -> Callable[[Results], str]:
    def make(results: Results) -> str:
        found = points.of_size(results, size)
        if not found:
            return _NONE
        head = ["peer", "setting", "recall@10", "p50 ms", "flat / p50", "p99 ms",
                "build s", "memory MiB", "disk MB"]  # fmt: skip
        rows = [_peer_row(name, figures) for name, figures in found.items()]
        names = [f"peers-{size}-{name}" for name in found]
        told = table(head, rows) + _front(found) + origin(results, names, f"peers-{size}-*")
        return f"{told}\n\n![Recall and time of each peer and setting](plots/peers-{size}.svg)"

    return make


def _peer_row(name: str, figures: Figures) -> list[str]:
    curve = points.curve(name, figures)
    if not curve:
        return [name, figures["skipped"], *["-"] * 7]
    best = points.told(curve, _WANTED)
    return [
        f"**{name}**" if name.startswith(points.OURS) else name,
        best.setting or "-",
        f"{best.recall:.3f}",
        number(best.p50_ms),
        _times_as_quick(figures, best),
        number(best.p99_ms),
        number(figures["build_s"]),
        f"{number(figures['rss_anon_mib'])} ({number(figures['rss_mib'])})",
        number(figures["disk_mb"]),
    ]


def _times_as_quick(figures: Figures, point: points.Point) -> str:
    """How often a search goes into comparing with all: on the clock, and in CPU time."""
    wall = number(figures["flat_p50_ms"] / point.p50_ms)
    return f"{wall} ({number(figures['flat_cpu_ms'] / point.cpu_ms)})" if point.cpu_ms else wall


def _front(found: Mapping[str, Figures]) -> str:
    """Whether ours are Pareto-optimal (recall and p50), and who finds enough faster, in words."""
    curves = {name: points.curve(name, figures) for name, figures in found.items()}
    all_ = [point for curve in curves.values() for point in curve]
    alone = all(point.peer.startswith(points.OURS) for point in all_)
    lines = []
    for name, curve in curves.items():
        if not name.startswith(points.OURS) or not curve or alone:
            continue
        mine = points.told(curve, _WANTED)
        place = "**not** Pareto-optimal" if points.better(mine, all_) else "Pareto-optimal"
        what = f"{name} (recall {mine.recall:.3f}, {number(mine.p50_ms)} ms)"
        lines.append(f"- {what} is {place} (recall and p50) in this table.")
        enough = min(mine.recall, _WANTED)
        quicker = [one for one in all_ if one.recall >= enough and one.p50_ms < mine.p50_ms]
        if quicker:
            lines[-1] += f" Faster, with {enough:.3f} or more: {_named(quicker, mine)}."
    lacking = [name for name in PEERS if not curves.get(name)]
    if lacking:
        lines.append(f"- Not measured at this size: {', '.join(lacking)}.")
    return "\n\n" + "\n".join(lines) if lines else ""


def _named(quicker: Sequence[points.Point], mine: points.Point) -> str:
    """The quickest point of each peer among these, in words, and its memory beside ``mine``."""
    each = {point.peer: point for point in sorted(quicker, key=lambda one: -one.p50_ms)}
    return "; ".join(
        f"{' '.join(filter(None, (point.peer, point.setting)))} ({point.recall:.3f}, "
        f"{number(point.p50_ms)} ms, {number(point.rss_anon_mib / mine.rss_anon_mib)} times the "
        "memory)"
        for point in each.values()
    )


@_measured("indexing")
def _indexing(figures: Figures) -> str:
    rows = [
        ["indexing", f"{number(figures['per_s'])} pictures/s"],
        ["decoding alone", f"{number(figures['decode_alone_per_s'])} pictures/s"],
        ["encoding alone", f"{number(figures['encode_alone_per_s'])} pictures/s"],
        ["the limit", f"{number(figures['limit_per_s'])} pictures/s"],
        ["share of the limit", f"{figures['of_limit_ratio']:.2f}"],
        ["share of its CPU time in decoding and encoding", f"{figures['cpu_of_parts_ratio']:.2f}"],
    ]
    return table([f"{figures['images']:,} pictures", "median of 3"], rows)


@_measured("memory")
def _memory(figures: Figures) -> str:
    rows = [
        [f"{figures['few_images']:,}", f"{number(figures['few_peak_mib'])} MiB", "1"],
        [f"{figures['many_images']:,}", f"{number(figures['many_peak_mib'])} MiB",
         f"{figures['peak_ratio']:.2f}"],
    ]  # fmt: skip
    head = ["pictures", "peak of all processes together", "ratio"]
    return table(head, rows)


@_measured("start-up")
def _start_up(figures: Figures) -> str:
    rows = [
        ["`iss search IMAGE`", f"{figures['search_s']:.2f} s",
         f"{figures['search_over_imports_ratio']:.2f} times the imports",
         f"{figures['search_over_imports_cpu_ratio']:.2f} times"],
        ["`import numpy, onnxruntime, faiss`", f"{figures['imports_s']:.2f} s", "1", "1"],
        ["`iss --help`", f"{figures['help_s']:.2f} s",
         f"{figures['help_above_python_s']:.2f} s above bare Python",
         f"{figures['help_above_python_cpu_s']:.2f} s above"],
        ["`python -c pass`", f"{figures['python_s']:.3f} s", "", ""],
    ]  # fmt: skip
    title = [f"{figures['images']:,} pictures", "wall time", "for comparison", "in CPU time"]
    return table(title, rows)


@_measured("rescan")
def _rescan(figures: Figures) -> str:
    rows = [
        ["`os.scandir` and `stat` of each", f"{number(figures['bare_walk_ms'])} ms", "1"],
        ["`Collection.sync`", f"{number(figures['sync_ms'])} ms",
         f"{figures['sync_over_bare_walk_ratio']:.2f}"],
    ]  # fmt: skip
    head = [f"{figures['files']:,} unchanged files", "median of 5", "ratio"]
    return table(head, rows)


@_measured("filters")
def _filters(figures: Figures) -> str:
    without = figures["no_filter_p50_ms"]
    rows = [["no filter", f"{figures['images']:,}", f"{number(without)} ms", "1", ""]]
    for share in ("all", "10_percent", "1_percent", "0.1_percent"):
        taken = figures[f"{share}_p50_ms"]
        rows.append([
            share.replace("_percent", "%"), f"{figures[f'{share}_images']:,}",
            f"{number(taken)} ms", f"{taken / without:.2f}",
            f"{figures[f'{share}_recall_at_10']:.3f}",
        ])  # fmt: skip
    head = ["lets through", "images", "p50", "ratio", "recall@10"]
    return table(head, rows)


@_measured("recipe")
def _recipe(figures: Figures) -> str:
    others = [f"{words}: {number(figures[f'{name}_per_s'])}/s" for name, words in _OTHERS.items()]
    head = [f"{figures['images']:,} pictures", "pictures/s", *others]
    return table(head, _beside(figures, tuple(_OTHERS)))


@_measured("resnet50")
def _resnet50(figures: Figures) -> str:
    head = ["by ResNet-50", "pictures/s", f"the tutorial: {number(figures['recipe_per_s'])}/s"]
    return table(head, _beside(figures, ("recipe",)))


def _beside(figures: Figures, others: Sequence[str]) -> list[list[str]]:
    """A row for each runtime: its rate, and how often that of the others goes into it."""
    rows = []
    for device, words in _RUNTIMES.items():
        if f"{device}_per_s" not in figures:
            continue
        ratios = [
            f"{figures[f'{device}_over_{name}_ratio']:.1f} times "
            f"({figures[f'{device}_over_{name}_cpu_ratio']:.1f} by CPU time)"
            for name in others
        ]
        rows.append([words, number(figures[f"{device}_per_s"]), *ratios])
    return rows


_RUNTIMES = {"cpu": "`iss index`", "openvino": "`iss index --device openvino`"}
_OTHERS = {"recipe": "ResNet-50, one at a time", "imagededup": "imagededup, MobileNetV3-Small"}


@_measured("processors")
def _processors(figures: Figures) -> str:
    counts = [name.split("_")[1] for name in figures if name.endswith("_per_s")]
    rows = [
        [count, number(figures[f"on_{count}_per_s"]), f"{figures[f'on_{count}_ratio']:.2f}"]
        for count in counts
    ]
    head = ["processors", "pictures/s", "ratio"]
    return table(head, rows)


def _searches(results: Results) -> str:
    sizes = [size for size in ("100k", "1m") if f"searches-{size}" in results]
    if not sizes:
        return _NONE
    rows = [
        _searched(figures, kind)
        for figures in (results[f"searches-{size}"]["figures"] for size in sizes)
        for kind in ("flat", "auto", "ivf_rabitq", "ivf_rabitq_95")
        if f"{kind}_p50_ms" in figures
    ]
    head = ["pictures", "index", "recall@10", "p50 ms", "flat / p50", "p99 ms", "256 together"]
    names = [f"searches-{size}" for size in sizes]
    return table(head, rows) + origin(results, names, "searches-*")


def _searched(figures: Figures, kind: str) -> list[str]:
    return [
        f"{figures['images']:,}", kind.replace("_95", " for recall 0.95").replace("_", "-"),
        f"{figures[f'{kind}_recall_at_10']:.3f}", number(figures[f"{kind}_p50_ms"]),
        number(figures[f"{kind}_flat_ratio"]), number(figures[f"{kind}_p99_ms"]),
        number(figures[f"{kind}_batch_ratio"]),
    ]  # fmt: skip


def _cold(results: Results) -> str:
    sizes = [size for size in ("100k", "1m") if f"searches-{size}" in results]
    if not sizes:
        return _NONE
    rows = []
    for size in sizes:
        figures = results[f"searches-{size}"]["figures"]
        rows.append([
            f"{figures['images']:,}", f"{figures['cold_search_s']:.2f} s",
            f"{figures['cold_search_over_imports_ratio']:.2f} times "
            f"({figures['cold_search_over_imports_cpu_ratio']:.2f} by CPU time)",
            f"{number(figures['process_rss_mib'])} MiB",
            f"{number(figures['process_rss_anon_mib'])} MiB",
        ])  # fmt: skip
    head = ["pictures", "`iss search IMAGE`, cold", "compared with the imports",
            "memory of the process", "of that, not mapped files"]  # fmt: skip
    names = [f"searches-{size}" for size in sizes]
    return table(head, rows) + origin(results, names, "searches-*")


@_measured("adding")
def _adding(figures: Figures) -> str:
    rows = [
        ["decoding and encoding it", f"{number(figures['encode_ms'])} ms"],
        ["`Collection.add`", f"{number(figures['add_ms'])} ms"],
        ["a search, when nothing changed", f"{number(figures['search_ms'])} ms"],
        ["the search after it", f"{number(figures['search_after_ms'])} ms"],
        ["all of it beyond decoding and encoding", f"{number(figures['beyond_encoding_ms'])} ms"],
    ]
    head = [f"one picture more in {figures['images']:,}", "median"]
    return table(head, rows)


@_measured("large-pictures")
def _large_pictures(figures: Figures) -> str:
    ratio, taken = figures["full_decode_over_ours_ratio"], figures["decode_ms"]
    rows = [
        ["in full", f"{number(taken * ratio)} ms", "1"],
        ["as far as the encoder needs", f"{number(taken)} ms", f"1 / {number(ratio)}"],
    ]
    head = [f"JPEG of {figures['megapixels']:.0f} megapixels", "one core", "ratio"]
    return table(head, rows)


@_measured("thumbnails")
def _thumbnails(figures: Figures) -> str:
    rows = [
        ["without thumbnails", f"{figures['without_s']:.2f} s", "1", "1"],
        ["with thumbnails", f"{figures['with_s']:.2f} s", f"{figures['wall_ratio']:.2f}",
         f"{figures['cpu_ratio']:.2f}"],
    ]  # fmt: skip
    room = f"\n\nA thumbnail takes {number(figures['bytes_per_image'] / 1000)} kB on the disk."
    head = [f"`iss index` of {figures['images']:,}", "wall time", "ratio", "ratio of CPU time"]
    return table(head, rows) + room


@_measured("quality")
def _quality(figures: Figures) -> str:
    rows = [[f"{figures['n_s']:.3f} of 4", f"{figures['top1']:.3f}"]]
    head = [f"N-S score, {figures['images']:,} pictures", "first hit shows the object"]
    return table(head, rows)


def _chief(results: Results) -> str:
    rows = []
    if "indexing" in results:
        figures = results["indexing"]["figures"]
        rows.append([
            "indexing", f"{number(figures['per_s'])} pictures/s",
            f"{figures['cpu_of_parts_ratio']:.2f} of its CPU time is decoding and encoding",
        ])  # fmt: skip
    if "start-up" in results:
        figures = results["start-up"]["figures"]
        rows.append([
            "`iss search`, cold", f"{figures['search_s']:.2f} s",
            f"{figures['search_over_imports_ratio']:.1f} times as long as importing its libraries",
        ])  # fmt: skip
    for size in ("100k", "1m"):
        figures = points.of_size(results, size).get("ours-auto", {})
        if not figures.get("points"):
            continue
        mine = points.told(points.curve("ours-auto", figures), _WANTED)
        ratio = number(figures["flat_p50_ms"] / mine.p50_ms)
        memory = f"in {number(figures['rss_anon_mib'])} MiB"
        rows.append([
            f"a search among {figures['count']:,}, warm",
            f"{number(mine.p50_ms)} ms, recall@10 {mine.recall:.3f}",
            f"{ratio} times as fast as comparing with all, {memory}",
        ])  # fmt: skip
    return table(["", "measured", "for comparison"], rows) if rows else _NONE


TABLES: dict[str, Callable[[Results], str]] = {
    "chief": _chief,
    "indexing": _indexing,
    "memory": _memory,
    "adding": _adding,
    "large-pictures": _large_pictures,
    "rescan": _rescan,
    "start-up": _start_up,
    "recipe": _recipe,
    "resnet50": _resnet50,
    "processors": _processors,
    "searches": _searches,
    "cold": _cold,
    "thumbnails": _thumbnails,
    "filters": _filters,
    "quality": _quality,
    "peers-20k": _peers("20k"),
    "peers-100k": _peers("100k"),
    "peers-1m": _peers("1m"),
    "scale-measured": lambda results: scale.measured(results) or _NONE,
    "scale-foreseen": lambda results: scale.foreseen(results) or _NONE,
    "scale-limits": lambda results: scale.limits(results) or _NONE,
    "engine": lambda results: beyond.measured(results) or _NONE,
    "beyond-vectors": lambda results: beyond.vectors(results) or _NONE,
    "beyond-pictures": lambda results: beyond.pictures(results) or _NONE,
    "beyond-catalog": lambda results: beyond.catalog(results) or _NONE,
}
