"""The plots of the documents, as SVG: the same results give the same bytes."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

from bench import points
from bench.registry import Figures

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs" / "plots"
_SIZES = {"20k": 20_000, "100k": 100_000, "1m": 1_000_000}
_LEAST_RECALL = 0.8
_MARKS = "osD^vP*Xh<>"


def draw_all(results: Mapping[str, Figures]) -> None:
    """Draw every plot that there are results for, where matplotlib is installed."""
    if importlib.util.find_spec("matplotlib") is None:
        print(
            "matplotlib is not installed: the plots are left as they are (pip install '.[bench]')"
        )
        return
    FOLDER.mkdir(exist_ok=True)
    for size in _SIZES:
        curves = _curves(results, size)
        if curves:
            _draw_peers(curves, size, FOLDER / f"peers-{size}.svg", digest(results, size))


def digest(results: Mapping[str, Figures], size: str) -> str:
    """What tells whether a plot shows these results; it stands in the file."""
    drawn = {
        name: [astuple(one) for one in curve] for name, curve in _curves(results, size).items()
    }
    return hashlib.sha256(json.dumps(drawn, sort_keys=True).encode()).hexdigest()[:16]


def _curves(results: Mapping[str, Figures], size: str) -> dict[str, list[points.Point]]:
    found = points.of_size(results, size)
    curves = {name: points.curve(name, figures) for name, figures in found.items()}
    return {name: curve for name, curve in curves.items() if curve}


def _draw_peers(curves: Mapping[str, list[points.Point]], size: str, path: Path, mark: str) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    style: dict[Any, Any] = {"svg.hashsalt": "bench", "svg.fonttype": "none", "font.size": 10}
    with mpl.rc_context(style):
        figure, axes = plt.subplots(figsize=(8, 5))
        for number, (name, curve) in enumerate(curves.items()):
            ours = name.startswith(points.OURS)
            axes.plot(
                [point.recall for point in curve],
                [point.p50_ms for point in curve],
                marker=_MARKS[number % len(_MARKS)],
                markersize=11 if ours else 6,
                linewidth=2.5 if ours else 1.2,
                color="black" if ours else f"C{number % 10}",
                label=name,
                zorder=3 if ours else 2,
            )
        axes.set_yscale("log")
        axes.set_xlim(_LEAST_RECALL, 1.005)
        axes.set_xlabel("recall@10")
        axes.set_ylabel("ms of one query, median (lower is better)")
        axes.set_title(f"{_SIZES[size]:,} embeddings of 1,280 dimensions")
        axes.grid(which="both", alpha=0.25)
        axes.legend(fontsize=8, loc="upper left")
        figure.tight_layout()
        described = {"Date": None, "Description": f"figures {mark}"}
        figure.savefig(path, format="svg", metadata=described)
        plt.close(figure)
