"""What a measurement is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

Figures: TypeAlias = dict[str, Any]
"""Values of JSON by name; a name ends with its unit, or with ``_ratio``."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What measurements are made with.

    Attributes:
        pictures: folders of photographs.
        ukbench: a folder of UKBench, if there is one.
        scratch: a folder for files of this run.
        cache: a folder for what is dear to make and serves several measurements.
        earlier: the figures of measurements that were made before, by name.
    """

    pictures: tuple[str, ...]
    ukbench: str | None
    scratch: Path
    cache: Path
    earlier: Mapping[str, Figures]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One thing that is measured, together with the baseline that it is a ratio of.

    Attributes:
        name: of its file in ``results``.
        measures: what, in a line for people.
        full: takes too long for a quick run.
        run: gives the figures; ``{"skipped": why}`` where they can't be had here.
    """

    name: str
    measures: str
    full: bool
    run: Callable[[Setting], Figures]
