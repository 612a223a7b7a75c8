"""Searches among some of the images of a large collection."""

from __future__ import annotations

import synthetic
from bench import child
from bench.registry import Figures, Setting
from peers import data
from peers.base import PART

_COUNT = 100_000


def filtered(setting: Setting) -> Figures:
    """Searches with filters that let through more or less, beside one without."""
    rows = data.load(data.make(setting.cache, _COUNT, setting.pictures)).rows
    index = setting.scratch / "collection"
    blocks = (rows[start : start + PART] for start in range(0, len(rows), PART))
    synthetic.build(index, setting.scratch / "pictures", blocks)
    return child.run("filters", "filtered_search", index)
