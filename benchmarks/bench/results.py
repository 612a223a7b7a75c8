"""The results: a JSON file for each measurement."""

from __future__ import annotations

import json
from pathlib import Path

from bench.registry import Figures

FOLDER = Path(__file__).resolve().parent.parent / "results"


def write(folder: Path, name: str, measures: str, machine: Figures, figures: Figures) -> None:
    """Keep the figures of a measurement, in place of earlier ones."""
    folder.mkdir(parents=True, exist_ok=True)
    result = {"measures": measures, "machine": machine, "figures": rounded(figures)}
    text = json.dumps(result, indent=1, ensure_ascii=False)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def read(folder: Path = FOLDER) -> dict[str, Figures]:
    """Every result by the name of its measurement: ``measures``, ``machine`` and ``figures``."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.json"))
    }


def rounded(value: object) -> object:
    """The same with every number to four digits: more would be noise."""
    if isinstance(value, dict):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
