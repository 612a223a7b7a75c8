"""Puts the tables and plots of the results into the documents.

A table stands between ``<!-- bench: NAME -->`` and ``<!-- end -->``; what was there is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from bench import plots
from bench.registry import Figures
from bench.tables import TABLES

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = (ROOT / "docs" / "performance.md", ROOT / "docs" / "scaling.md", ROOT / "README.md")

_BLOCK = re.compile(r"(<!-- bench: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def write_all(results: Mapping[str, Figures]) -> None:
    """Bring the documents, and the plots where matplotlib is installed, up to these results."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        document.write_text(filled(text, results), encoding="utf-8")
    plots.draw_all(results)


def filled(text: str, results: Mapping[str, Figures]) -> str:
    """The text of a document with its tables made of these results."""

    def block(match: re.Match[str]) -> str:
        return f"{match[1]}{TABLES[match[2]](results)}\n{match[3]}"

    return _BLOCK.sub(block, text)
